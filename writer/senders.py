"""Tasks that take batches from the backlog and see them resolved, one per connection."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from writer.chunk import Chunk
from writer.delivery import Delivery
from writer.settings import WriterSettings
from writer.signal import Signal
from writer.spool import SpoolError
from writer.stats import Stats
from writer.store import DeadLine, Store
from writer.writer_log import log

# How much is kept of what the server confirmed, and for how long; after an outage until so much more was sent that its
# write-ahead log has another file. It begins one every 10 MB, packed to a half or a twelfth of the lines.
CONFIRMED_BYTES = 32 * 1024 * 1024
CONFIRMED_SECONDS = 600.0
SUSPECTED_BYTES = 128 * 1024 * 1024

Confirmed = tuple[float, int, list[Chunk]]


class Senders:
    """`wake` when something was accepted; `resolved` is sent after each batch."""

    def __init__(
        self, settings: WriterSettings, store: Store, delivery: Delivery, stats: Stats, resolved: Signal
    ) -> None:
        self._settings, self._store, self._delivery, self._stats = settings, store, delivery, stats
        self._resolved = resolved
        self._work = Signal()
        self._taking = asyncio.Lock()
        self._flush_to = 0
        # (delivered at, bytes of lines, chunks): what the server confirmed of late, and what of it is sent again.
        self._confirmed: deque[Confirmed] = deque()
        self._confirmed_bytes = 0
        self._suspected_bytes = 0
        self._again: deque[Confirmed] = deque()
        self._sending_again = 0

    def wake(self) -> None:
        self._work.send()

    def hurry(self, to: int) -> None:
        """Send everything up to this id without waiting for whole batches."""
        self._flush_to = max(self._flush_to, to)
        self._work.send()

    async def run(self, sender: int) -> None:
        while True:
            async with self._taking:
                chunks = await self._next_batch(sender)
            # In turn with what is new: neither keeps the other waiting, also where outages come often.
            if self._again:
                await self._send_again(sender)
            if not chunks:
                continue
            whole = [chunk for chunk in chunks if not chunk.damaged]
            dead = await self._resolve(sender, whole) if whole else []
            for chunk in chunks:
                if chunk.damaged:
                    await self._store.set_aside(chunk)
            await self._store.resolved(sender, chunks, dead)
            self._stats.dropped += sum(chunk.lines for chunk in chunks if chunk.damaged)
            if whole:
                self._count(whole, len(dead))
            if whole and not dead:
                self._confirm(whole)
            self._resolved.send()

    # again ----------------------------------------------------------------------------------------------
    #
    # InfluxDB 2.7 can lose what it has answered with 204. Killed while it appends to its write-ahead log, it leaves a
    # torn entry; at the next start it goes on behind it, and at the start after that it cuts the log off there
    # (tsdb/engine/tsm1: WAL.Open seeks to the end before CacheLoader.Load truncates). So after every outage the last
    # minutes are sent once more: the same points again, which changes nothing where they are.

    def _confirm(self, chunks: list[Chunk]) -> None:
        now, size = time.monotonic(), sum(chunk.size for chunk in chunks)
        if self._delivery.was_away:
            self._delivery.was_away = False
            self._again.extend(self._confirmed)
            waiting = sum(size for _, size, _ in self._again)
            while waiting > CONFIRMED_BYTES:
                waiting -= self._again.popleft()[1]
            self._confirmed.clear()
            self._confirmed_bytes = 0
            self._suspected_bytes = SUSPECTED_BYTES
            self._work.send()
        self._confirmed.append((now, size, chunks))
        self._confirmed_bytes += size
        self._suspected_bytes = max(0, self._suspected_bytes - size)
        oldest = now - CONFIRMED_SECONDS if not self._suspected_bytes else 0.0
        while self._confirmed_bytes > CONFIRMED_BYTES or self._confirmed[0][0] < oldest:
            self._confirmed_bytes -= self._confirmed.popleft()[1]
            if not self._confirmed:
                break

    async def _send_again(self, sender: int) -> None:
        _, _, chunks = self._again.popleft()
        self._sending_again += 1
        try:
            await self._resolve(sender, chunks)
        finally:
            self._sending_again -= 1
        self._stats.sent_again += sum(chunk.lines for chunk in chunks)
        self._confirm(chunks)
        self._resolved.send()

    @property
    def sends_again(self) -> bool:
        return bool(self._again) or self._sending_again > 0

    async def _resolve(self, sender: int, chunks: list[Chunk]) -> list[DeadLine]:
        while True:
            try:
                return await self._delivery.resolve(sender, [chunk.body for chunk in chunks])
            except Exception as error:
                # A fault of this program, not of the server: the batch stays, and so does the sender.
                log.exception("delivery failed")
                self._delivery.failed(sender, error)
                await asyncio.sleep(self._settings.retry_longest)

    def _count(self, chunks: list[Chunk], dead: int) -> None:
        stats = self._stats
        stats.batches += 1
        stats.dead_lettered += dead
        stats.delivered += sum(chunk.lines for chunk in chunks) - dead
        stats.deliver_time.add(max(0.0, time.time() - chunks[0].born))

    async def _next_batch(self, sender: int) -> list[Chunk]:
        backlog = self._store.backlog
        while True:
            if self._seconds_left() <= 0:
                try:
                    if backlog.unsent and not backlog.anything_loaded:
                        await self._store.load()
                    if chunks := backlog.take(sender, self._batch_size, self._delivery.body_limit):
                        self._store.load_ahead()
                        return chunks
                except SpoolError:
                    await asyncio.sleep(self._settings.retry_first)
                    continue
            if self._again:
                return []
            left = self._seconds_left()
            await self._work.wait(None if left == float("inf") else max(left, 0.001))

    @property
    def _batch_size(self) -> int:
        """The last ones, which a flush waits for, are shared out: no connection is left alone with a whole batch."""
        settings, backlog = self._settings, self._store.backlog
        if self._flush_to < backlog.last:
            return settings.batch_size
        return min(settings.batch_size, -(-backlog.unsent // settings.connections))

    def _seconds_left(self) -> float:
        """Until a batch is due: 0 or less when it is."""
        settings, backlog = self._settings, self._store.backlog
        oldest = backlog.oldest_unsent
        if oldest is None:
            return float("inf")
        due = (
            backlog.unsent >= settings.batch_size
            or backlog.unsent_bytes >= backlog.longest_body
            or self._flush_to >= backlog.first_unsent
            or backlog.pending_bytes > settings.spool_limit_bytes // 2
        )
        return 0.0 if due else settings.batch_timeout - (time.time() - oldest)
