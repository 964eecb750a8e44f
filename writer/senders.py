"""Tasks that take batches from the backlog and see them resolved, one per connection."""

from __future__ import annotations

import asyncio
import time

from writer.delivery import Delivery
from writer.settings import WriterSettings
from writer.signal import Signal
from writer.spool import Chunk, SpoolError
from writer.stats import Stats
from writer.store import DeadLine, Store
from writer.writer_log import log


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
            body = chunks[0].body if len(chunks) == 1 else b"".join(chunk.body for chunk in chunks)
            dead = await self._resolve(sender, body)
            await self._store.resolved(sender, chunks, dead)
            self._count(chunks, len(dead))
            self._resolved.send()

    async def _resolve(self, sender: int, body: bytes) -> list[DeadLine]:
        while True:
            try:
                return await self._delivery.resolve(sender, body)
            except Exception:
                # A fault of this program, not of the server: the batch stays, and so does the sender.
                log.exception("delivery failed")
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
                    if chunks := backlog.take(sender, self._settings.batch_size, self._delivery.body_limit):
                        self._store.load_ahead()
                        return chunks
                except SpoolError:
                    await asyncio.sleep(self._settings.retry_first)
                    continue
            left = self._seconds_left()
            await self._work.wait(None if left == float("inf") else max(left, 0.001))

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
