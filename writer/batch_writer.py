"""The writer's door.

write, write_many -> intake (rules, lines) -> acceptance (commits) -> store (disk, backlog) -> senders -> delivery
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncIterable, Iterable

from event_schema import HOME_ASSISTANT_EVENTS, Event, InvalidEvent, Measurement
from writer.acceptance import Acceptance, WriterClosed
from writer.delivery import Delivery
from writer.intake import Encoded, Intake, Seen
from writer.senders import Senders
from writer.settings import WriterSettings
from writer.signal import Signal
from writer.stats import FlushReport, Health, Stats
from writer.store import Store
from writer.transport import Transport
from writer.writer_log import WriterLog, log

# Events that are encoded before the event loop has its turn again; as many as take about 2 ms on this machine.
ENCODED_AT_FIRST, ENCODED_AT_LEAST, ENCODED_AT_MOST = 500, 25, 2000
LONGEST_ENCODING, SHORTEST_ENCODING = 0.003, 0.001
PART_BYTES = 1024 * 1024


class BatchWriter:
    """Writes events to one bucket without losing any.

    Use as an async context manager, in one event loop. `write` and `write_many` return when the events are safe:
    with durability "fsync" on this machine's disk, with "memory" in this process. Both raise InvalidEvent for an
    event that cannot be stored, SpoolError when the disk refuses. Leaving the context waits up to
    `close_timeout` seconds for delivery; what is still pending stays in the spool for the next writer.
    """

    def __init__(self, settings: WriterSettings, *, measurement: Measurement = HOME_ASSISTANT_EVENTS) -> None:
        self.settings = settings
        self._log = WriterLog(url=settings.url, bucket=settings.bucket)
        self._intake = Intake(settings, measurement)
        self._encoded_at_once = ENCODED_AT_FIRST
        self._tasks: list[asyncio.Task[None]] = []
        self._open = self._was_open = False
        self._make_parts()

    def _make_parts(self) -> None:
        settings = self.settings
        self._stats = stats = Stats()
        resolved = Signal()
        self._progress = resolved
        self._store = Store(settings, self._log)
        self._transport = Transport(settings)
        self._delivery = Delivery(settings, self._transport, stats, self._log)
        self._senders = Senders(settings, self._store, self._delivery, stats, resolved)
        self._acceptance = Acceptance(
            settings,
            self._store,
            stats,
            self._intake.quality.findings,
            self._log,
            accepted=self._senders.wake,
            room=resolved,
        )

    # life -----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> BatchWriter:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the spool and begin to deliver what it holds. Raises SpoolError (in use, no permission)."""
        if self._open:
            return
        if self._was_open:
            self._make_parts()
        await self._store.open()
        backlog = self._store.backlog
        self._stats.recovered = backlog.pending
        self._stats.accepted += backlog.pending
        self._open = self._was_open = True
        self._committing = asyncio.create_task(self._acceptance.run())
        self._tasks = [asyncio.create_task(self._senders.run(number)) for number in range(self.settings.connections)]
        self._tasks.append(asyncio.create_task(self._log_figures()))
        self._preparing = asyncio.create_task(self._transport.prepare())

    async def close(self) -> None:
        """Deliver for up to `close_timeout` seconds, then stop. What is left stays in a durable spool."""
        if not self._open:
            return
        try:
            await self.flush(timeout=self.settings.close_timeout)
        finally:
            self._open = False
            # Cancelled here too, the spool is closed and its lock given back.
            await asyncio.shield(asyncio.ensure_future(self._shut()))

    async def _shut(self) -> None:
        self._acceptance.stop()
        await asyncio.wait([self._committing])
        tasks = (*self._tasks, self._preparing)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._transport.close()
        lost = self._store.backlog.forget_unstored()
        self._stats.dropped += lost
        if lost:
            self._log.say(logging.ERROR, "closed before the server had everything", dropped=lost)
        await self._store.close()
        self._log_now()

    async def _log_figures(self) -> None:
        while True:
            await asyncio.sleep(self.settings.log_interval)
            self._log_now()

    def _log_now(self) -> None:
        if log.isEnabledFor(logging.INFO):
            log.info(
                "figures", extra={"bucket": self.settings.bucket, "health": str(self.health()), **self.stats.brief()}
            )

    # accept ---------------------------------------------------------------------------------------------

    async def write(self, event: Event) -> None:
        """Accept one event; returns when it is safe. Writes at the same time share one commit."""
        self._check_open()
        started = time.perf_counter()
        encoded = self._encode([event], 0, None)
        if encoded.first is not None:
            raise encoded.first
        if encoded.lines and (group := await self._acceptance.put(encoded.body, 1)) is not None:
            await asyncio.shield(group)
        self._stats.accept_time.add(time.perf_counter() - started)

    async def write_many(self, events: Iterable[Event] | AsyncIterable[Event]) -> int:
        """Accept events; returns how many were stored when all are safe (a repair may leave events out).

        Where some cannot be stored, the others are accepted first; then InvalidEvent of the first bad one is
        raised with how many there were.
        """
        self._check_open()
        if isinstance(events, AsyncIterable):
            return await self._write_stream(events)
        batch = events if isinstance(events, list) else list(events)
        return await self._write_list(batch)

    async def _write_stream(self, events: AsyncIterable[Event]) -> int:
        count, batch = 0, []
        async for event in events:
            batch.append(event)
            if len(batch) >= self.settings.batch_size:
                count += await self._write_list(batch)
                batch = []
        return count + await self._write_list(batch)

    async def _write_list(self, batch: list[Event]) -> int:
        started = time.perf_counter()
        first: InvalidEvent | None = None
        accepted = refused = position = 0
        seen: Seen | None = {} if self._intake.quality.watch_duplicates else None
        groups: dict[asyncio.Future[None], None] = {}
        while position < len(batch):
            self._check_open()
            encoded = self._encode(batch, position, seen)
            position = encoded.end
            accepted += encoded.lines
            refused += encoded.refused
            first = first or encoded.first
            if encoded.lines and (group := await self._acceptance.put(encoded.body, encoded.lines)) is not None:
                groups[group] = None
            await asyncio.sleep(0)
        for group in groups:
            await asyncio.shield(group)
        self._stats.accept_time.add(time.perf_counter() - started)
        if first is not None:
            rule = f"{first.rule} ({refused} of {len(batch)} events were refused, the others are accepted)"
            raise InvalidEvent(first.field, first.value, rule)
        return accepted

    def refuse(self, message: object, error: InvalidEvent) -> None:
        """Count and keep what could not even be made an event, as `write` does with an event that it refuses.

        For a message that `Event.from_home_assistant` raised `error` for: it is then among what
        `hearthflux dead-letters list --kind refused` shows. Does not wait, and raises nothing but WriterClosed.
        """
        self._check_open()
        self._intake.quality.refused(message, error)
        self._stats.rejected += 1
        self._acceptance.wake()
        self._log.say(logging.WARNING, "events refused", reason=str(error), rejected=self._stats.rejected)

    def _check_open(self) -> None:
        if not self._open:
            raise WriterClosed("The writer is not open: use 'async with BatchWriter(settings) as writer'.")

    def _encode(self, events: list[Event], start: int, seen: Seen | None) -> Encoded:
        """The next events, so many that chunks come out whole, the loop is not kept, and a small spool has room."""
        settings, at_once = self.settings, self._encoded_at_once
        stop = min(start + at_once, start + settings.chunk_size - start % settings.chunk_size, len(events))
        most_bytes = max(1, min(PART_BYTES, self._store.backlog.longest_body, settings.spool_limit_bytes // 4))
        started = time.perf_counter()
        encoded = self._intake.encode(events, start, stop, most_bytes, seen)
        seconds, taken = time.perf_counter() - started, encoded.end - start
        if seconds > LONGEST_ENCODING and taken > 1:
            self._encoded_at_once = max(ENCODED_AT_LEAST, taken // 2)
        elif seconds < SHORTEST_ENCODING and taken == at_once:
            self._encoded_at_once = min(ENCODED_AT_MOST, at_once * 2)
        if self._intake.quality.findings:
            self._acceptance.wake()
        if encoded.refused:
            self._stats.rejected += encoded.refused
            self._log.say(logging.WARNING, "events refused", reason=str(encoded.first), rejected=self._stats.rejected)
        return encoded

    # ask ------------------------------------------------------------------------------------------------

    async def flush(self, timeout: float | None = None) -> FlushReport:  # noqa: ASYNC109
        """Wait until the server has what was accepted before this call, or `timeout` seconds (default
        `write_timeout`) are over: then `pending` is above 0 and delivery goes on."""
        self._check_open()
        end = time.monotonic() + (self.settings.write_timeout if timeout is None else timeout)
        if (group := self._acceptance.group) is not None:
            await asyncio.wait([group], timeout=max(end - time.monotonic(), 0))
        backlog = self._store.backlog
        target = backlog.last
        self._senders.hurry(target)
        while (backlog.first_unresolved <= target or self._senders.sends_again) and (
            left := end - time.monotonic()
        ) > 0:
            await self._progress.wait(min(left, 0.5))
        stats = self._stats
        return FlushReport(stats.delivered, stats.dead_lettered, stats.dropped, backlog.pending)

    @property
    def stats(self) -> Stats:
        """A snapshot of the counters."""
        backlog = self._store.backlog
        return dataclasses.replace(
            self._stats,
            pending=backlog.pending,
            pending_bytes=backlog.pending_bytes,
            oldest_pending_seconds=0.0 if backlog.oldest is None else max(0.0, time.time() - backlog.oldest),
            accept_time=dataclasses.replace(self._stats.accept_time),
            deliver_time=dataclasses.replace(self._stats.deliver_time),
            quality=dict(self._intake.quality.counts),
        )

    def health(self) -> Health:
        """Healthy while events are accepted and delivered; else the reason that the disk or the server gave."""
        if not self._open:
            return Health("unhealthy", "the writer is not open")
        if self._store.trouble:
            return Health("unhealthy", self._store.trouble)
        pending = self._store.backlog.pending
        for why, _ in self._delivery.troubles.values():
            return Health("unhealthy", f"delivery waits, {pending} events pending: {why}")
        if self._acceptance.blocked:
            return Health("unhealthy", f"the spool is full: {pending} events pending, writes wait for room")
        for task in (self._committing, *self._tasks):
            if task.done():
                return Health("unhealthy", "the writer has stopped working: close it and open a new one")
        return Health("healthy")
