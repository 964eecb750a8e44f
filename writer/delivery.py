"""Carries spooled batches to the server: waits, splits, buries, and never gives up what the server may still take."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass

from writer.encoder import split_lines
from writer.responses import POISON_STATUSES, Answer, Outcome
from writer.settings import WriterSettings
from writer.spool import Chunk
from writer.stats import Stats
from writer.transport import Transport

log = logging.getLogger("hearthflux.writer")

# A batch that fails this often with a poison status, while others are taken since its first failure, is split;
# a part of one needs fewer attempts, but the same proof. Without that proof the server is ill, not the batch.
POISON_ATTEMPTS = 4
POISON_PART_ATTEMPTS = 2
TOKEN_CHECK_SECONDS = 0.5


@dataclass(slots=True)
class Piece:
    """Part of a batch on its way. `deliveries_before` tells whether others got through since it first failed."""

    body: bytes
    lines: list[bytes] | None = None
    attempts: int = 0
    deliveries_before: int = 0
    patience: int = POISON_ATTEMPTS

    def halves(self) -> tuple[Piece, Piece]:
        lines = self.split()
        middle = len(lines) // 2
        first, second = (
            Piece(b"\n".join(part) + b"\n", part, patience=POISON_PART_ATTEMPTS)
            for part in (lines[:middle], lines[middle:])
        )
        return first, second

    def split(self) -> list[bytes]:
        if self.lines is None:
            self.lines = split_lines(self.body)
        return self.lines


class Delivery:
    """Resolves batches: after `resolve` every line is on the server or in the returned dead letters."""

    def __init__(self, settings: WriterSettings, transport: Transport, stats: Stats) -> None:
        self._settings = settings
        self._transport = transport
        self._stats = stats
        self._deliveries = 0
        # worker -> why it waits
        self.troubles: dict[int, str] = {}

    async def resolve(self, worker: int, chunks: list[Chunk]) -> list[tuple[int, str, bytes]]:
        dead: list[tuple[int, str, bytes]] = []
        stack = [Piece(chunks[0].body if len(chunks) == 1 else b"".join(chunk.body for chunk in chunks))]
        while stack:
            piece = stack.pop()
            self._stats.requests += 1
            if piece.attempts:
                self._stats.retries += 1
            elif piece.patience == POISON_ATTEMPTS:
                piece.deliveries_before = self._deliveries
            answer = await self._transport.post(piece.body)
            outcome = self._outcome(piece, answer)
            if outcome is Outcome.DELIVERED:
                self._deliveries += 1
                self.troubles.pop(worker, None)
                continue
            self._stats.failed_requests += 1
            if outcome is Outcome.SPLIT:
                if len(piece.split()) > 1:
                    halves = piece.halves()
                    for half in halves:
                        half.deliveries_before = self._deliveries
                    stack.extend(reversed(halves))
                else:
                    line = piece.split()[0] if piece.split() else piece.body
                    dead.append((answer.status, answer.reason, line))
                    log.warning("dead letter", extra={"status": answer.status, "reason": answer.reason})
                continue
            piece.attempts += 1
            if answer.status in POISON_STATUSES:
                stack.insert(0, piece)  # its siblings first: their success is the proof that this one is at fault
            else:
                stack.append(piece)
            await self._wait(worker, piece, answer, outcome)
        self.troubles.pop(worker, None)
        return dead

    def _outcome(self, piece: Piece, answer: Answer) -> Outcome:
        poisoned = (
            answer.status in POISON_STATUSES
            and piece.attempts + 1 >= piece.patience
            and self._deliveries > piece.deliveries_before
        )
        return Outcome.SPLIT if poisoned else answer.outcome

    async def _wait(self, worker: int, piece: Piece, answer: Answer, outcome: Outcome) -> None:
        settings = self._settings
        said = f"{answer.status or 'no answer'}: {answer.reason}"
        if worker not in self.troubles:
            log.log(
                logging.ERROR if outcome is Outcome.HOLD else logging.WARNING,
                "delivery held" if outcome is Outcome.HOLD else "delivery waits",
                extra={
                    "status": answer.status,
                    "reason": answer.reason,
                    "url": settings.url,
                    "bucket": settings.bucket,
                },
            )
        self.troubles[worker] = said
        longest = min(settings.retry_longest, settings.retry_first * 2 ** min(piece.attempts - 1, 20))
        seconds = longest * random.uniform(0.5, 1.0) if answer.retry_after is None else answer.retry_after
        if outcome is Outcome.HOLD:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                if await asyncio.to_thread(self._transport.renew_token):
                    return
                await asyncio.sleep(min(left, TOKEN_CHECK_SECONDS))
            return
        await asyncio.sleep(seconds)
