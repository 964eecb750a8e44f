"""Carries batches to the server: waits, splits, buries, and never gives up what the server may still take."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from writer.line_protocol import split_lines
from writer.responses import POISON_STATUSES, SPLIT_AT_LAST, Answer, Outcome
from writer.settings import WriterSettings
from writer.stats import Stats
from writer.store import DeadLine
from writer.transport import Transport
from writer.writer_log import WriterLog

# A batch that fails this often is split: smaller requests are less to choke on, and a part that gets through shows
# that the server is well and the rest is at fault. Splitting loses nothing; without that proof it stops at 16 parts.
PATIENCE, PART_PATIENCE = 4, 2
UNPROVEN_SPLITS = 4
# A single line is buried for a poison status only after this many attempts while others got through.
BURY_PATIENCE = 5
# A line that is refused with one of these shows as well as a stored one that the server is at work.
ENGINE_STATUSES = (400, 422)
TOKEN_CHECK_SECONDS = 0.5
SMALLEST_BODY_LIMIT = 64 * 1024

_DROPPED = re.compile(r"dropped=(\d+)")


@dataclass(slots=True)
class Piece:
    """Part of a batch on its way, whole lines in each of its own parts. `deliveries_before` tells whether others got
    through since it first failed."""

    parts: Sequence[bytes]
    deliveries_before: int
    lines: list[bytes] = field(default_factory=list)
    attempts: int = 0
    splits: int = 0

    def halves(self, deliveries: int) -> list[Piece]:
        middle = len(self.lines) // 2
        return [
            Piece([b"\n".join(half) + b"\n"], deliveries, half, splits=self.splits + 1)
            for half in (self.lines[:middle], self.lines[middle:])
        ]

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))


@dataclass(slots=True)
class Batch:
    """What is left of one batch: pieces to send, the next one last, and the lines that are dead."""

    pieces: list[Piece]
    dead: list[DeadLine] = field(default_factory=list)


class Delivery:
    """Resolves batches: after `resolve` every line is on the server or in the returned dead lines."""

    def __init__(self, settings: WriterSettings, transport: Transport, stats: Stats, log: WriterLog) -> None:
        self._settings, self._transport, self._stats, self._log = settings, transport, stats, log
        self._deliveries = 0
        # sender -> why it waits, and since when (monotonic)
        self.troubles: dict[int, tuple[str, float]] = {}
        # No answer came, and then one did: the server may have been away, and may have lost what it had confirmed.
        self.was_away = False
        self._no_answer = False
        # What a server or a proxy takes in one request, as a 413 has taught; None before the first.
        self.body_limit: int | None = None

    async def resolve(self, sender: int, parts: Sequence[bytes]) -> list[DeadLine]:
        batch = Batch([Piece(parts, self._deliveries)])
        try:
            while batch.pieces:
                await self._send(sender, batch)
        finally:
            self._untroubled(sender)
        return batch.dead

    async def _send(self, sender: int, batch: Batch) -> None:
        piece = batch.pieces.pop()
        if self.body_limit is not None and piece.size > self.body_limit and len(_lines(piece)) > 1:
            batch.pieces.extend(reversed(piece.halves(self._deliveries)))
            return
        self._stats.requests += 1
        if piece.attempts:
            self._stats.retries += 1
        answer = await self._transport.post(piece.parts)
        if answer.outcome is Outcome.DELIVERED:
            self._deliveries += 1
            self.was_away, self._no_answer = self.was_away or self._no_answer, False
            self._untroubled(sender)
            return
        self._no_answer = self._no_answer or answer.status == 0
        self._stats.failed_requests += 1
        piece.attempts += 1
        outcome = self._verdict(piece, answer)
        if outcome is Outcome.SPLIT:
            self._split(batch, piece, answer)
            return
        if answer.status in POISON_STATUSES:
            batch.pieces.insert(0, piece)  # its siblings first: their success is the proof that this one is at fault
        else:
            batch.pieces.append(piece)
        await self._wait(sender, piece, answer, outcome)

    def _verdict(self, piece: Piece, answer: Answer) -> Outcome:
        """What the table says, but for a batch that goes on failing."""
        if answer.outcome is not Outcome.RETRY or answer.status not in SPLIT_AT_LAST:
            return answer.outcome
        proven = self._deliveries > piece.deliveries_before
        if len(_lines(piece)) == 1:
            buried = proven and answer.status in POISON_STATUSES and piece.attempts >= BURY_PATIENCE
            return Outcome.SPLIT if buried else Outcome.RETRY
        enough = piece.attempts >= (PART_PATIENCE if piece.splits else PATIENCE)
        return Outcome.SPLIT if enough and (proven or piece.splits < UNPROVEN_SPLITS) else Outcome.RETRY

    def _split(self, batch: Batch, piece: Piece, answer: Answer) -> None:
        if answer.status == 413:
            self.body_limit = max(piece.size // 2, SMALLEST_BODY_LIMIT)
        if len(_lines(piece)) > 1 and not _all_dropped(piece, answer):
            batch.pieces.extend(reversed(piece.halves(self._deliveries)))
            return
        if answer.status in ENGINE_STATUSES:
            self._deliveries += 1
        batch.dead += [(answer.status, answer.reason, line) for line in _lines(piece)]
        self._log.say(logging.WARNING, "dead letter", status=answer.status, reason=answer.reason)

    async def _wait(self, sender: int, piece: Piece, answer: Answer, outcome: Outcome) -> None:
        settings, held = self._settings, outcome is Outcome.HOLD
        since = self.troubles.get(sender, ("", time.monotonic()))[1]
        self.troubles[sender] = (f"{answer.status or 'no answer'}: {answer.reason}", since)
        self._log.say(
            logging.ERROR if held else logging.WARNING,
            "delivery held" if held else "delivery waits",
            status=answer.status,
            reason=answer.reason,
            for_seconds=round(time.monotonic() - since, 1),
        )
        longest = min(settings.retry_longest, settings.retry_first * 2 ** min(piece.attempts - 1, 20))
        seconds = max(longest * random.uniform(0.5, 1.0), answer.retry_after or 0.0)
        end = time.monotonic() + seconds
        while held and (left := end - time.monotonic()) > 0:
            if await asyncio.to_thread(self._transport.renew_token):
                return
            await asyncio.sleep(min(left, TOKEN_CHECK_SECONDS))
        await asyncio.sleep(max(end - time.monotonic(), 0))

    def failed(self, sender: int, error: Exception) -> None:
        """`health` is to say so until it goes on."""
        self.troubles[sender] = (f"a fault of the writer: {type(error).__name__}: {error}", time.monotonic())

    def _untroubled(self, sender: int) -> None:
        trouble = self.troubles.pop(sender, None)
        if trouble is not None and not self.troubles:
            seconds = round(time.monotonic() - trouble[1], 1)
            self._log.say(logging.INFO, "delivery goes on", after_seconds=seconds, last_trouble=trouble[0])


def _lines(piece: Piece) -> list[bytes]:
    if not piece.lines:
        piece.lines = [line for part in piece.parts for line in split_lines(part)]
    return piece.lines


def _all_dropped(piece: Piece, answer: Answer) -> bool:
    """Whether a partial write stored nothing of this piece: then every line shares the server's reason."""
    found = _DROPPED.search(answer.reason) if answer.status == 422 else None
    return found is not None and int(found[1]) >= len(piece.lines)
