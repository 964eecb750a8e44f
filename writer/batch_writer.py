"""The writer's door: accept events, make them safe, hand them to the delivery.

write, write_many -> encode -> buffer -> one commit at a time (the spool's thread) -> accepted
workers           -> take from the spool -> post -> finish (delivered, dead letters)
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import AsyncIterable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from event_schema import HOME_ASSISTANT_EVENTS, Event, InvalidEvent, Measurement
from writer.delivery import Delivery
from writer.encoder import Encoder
from writer.quality import Quality
from writer.settings import WriterSettings
from writer.spool import LONGEST_BODY, Appended, Chunk, Spool, SpoolError
from writer.stats import FlushReport, Health, Stats
from writer.transport import Transport

log = logging.getLogger("hearthflux.writer")
T = TypeVar("T")

# Encoding this many events keeps the event loop for about 2 ms.
ENCODED_AT_ONCE = 500
BUFFERED_BYTES = 4 * 1024 * 1024
SETTLE_SECONDS = 0.25


class WriterClosed(RuntimeError):
    """The writer is not open: use it as `async with BatchWriter(settings) as writer`."""


class BatchWriter:
    """Writes events to one bucket without losing any.

    Use as an async context manager, in one event loop. `write` and `write_many` return when the events are safe:
    with durability "fsync" on this machine's disk, with "memory" in this process. Both raise InvalidEvent for an
    event that cannot be stored, SpoolError when the disk refuses. Leaving the context waits up to
    `close_timeout` seconds for delivery; what is still pending stays in the spool for the next writer.
    """

    def __init__(self, settings: WriterSettings, *, measurement: Measurement = HOME_ASSISTANT_EVENTS) -> None:
        self.settings = settings
        self._durable = settings.durability == "fsync"
        self._quality = Quality(
            settings.quality, future_tolerance=settings.future_tolerance, retention_days=settings.retention_days
        )
        self._encode = Encoder(measurement, out_of_range=self._quality.out_of_range).encode
        self._stats = Stats(quality=self._quality.counts)
        limit = settings.spool_limit_bytes
        self._spool = Spool(
            Path(settings.spool_path), self._durable, limit if settings.when_full == "drop_oldest" else None
        )
        self._transport = Transport(settings)
        self._delivery = Delivery(settings, self._transport, self._stats)
        self._lines: list[str] = []
        self._buffered_bytes = 0
        self._refused: list[tuple[str, str, str]] = []
        self._group: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._inflight: dict[int, list[Chunk]] = {}
        self._unsent = 0
        self._unsent_since = 0.0
        self._taken_to = 0
        self._last_id = 0
        self._flush_to = 0
        self._spool_trouble = ""
        self._open = False

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
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hearthflux-spool")
        self._wake, self._work, self._progress = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._taking = asyncio.Lock()
        try:
            await self._run(self._spool.open)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        stats, spool = self._stats, self._spool
        stats.recovered = spool.recovered_lines
        stats.accepted += spool.recovered_lines
        stats.pending += spool.recovered_lines
        stats.pending_bytes += spool.recovered_bytes
        self._unsent, self._unsent_since = spool.recovered_lines, spool.oldest or time.time()
        self._taken_to, self._last_id = spool.taken_to, spool.last_id
        if spool.salvaged_from is not None:
            log.error("spool was damaged", extra={"kept_at": str(spool.salvaged_from), "rescued": stats.recovered})
        self._open = True
        self._tasks = [asyncio.create_task(self._commit_forever())]
        self._tasks += [asyncio.create_task(self._deliver_forever(n)) for n in range(self.settings.connections)]

    async def close(self) -> None:
        """Deliver for up to `close_timeout` seconds, then stop. What is left stays in a durable spool."""
        if not self._open:
            return
        try:
            await self.flush(timeout=self.settings.close_timeout)
        finally:
            self._open = False
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._group is not None and not self._group.done():
                self._group.set_exception(WriterClosed("The writer was closed before this event was accepted."))
                self._group.exception()
            await self._transport.close()
            await self._run(self._spool.close)
            self._thread.shutdown(wait=False)
            if not self._durable and self._stats.pending:
                log.error("closed before the server had everything", extra={"dropped": self._stats.pending})
                self._stats.dropped += self._stats.pending
                self._stats.pending = self._stats.pending_bytes = 0

    async def _run(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    # accept ---------------------------------------------------------------------------------------------

    async def write(self, event: Event) -> None:
        """Accept one event; returns when it is safe. Writes at the same time share one commit."""
        self._check_open()
        started = time.perf_counter()
        lines, refused = self._encode_slice([event])
        if refused is not None:
            raise refused
        group = await self._put(lines)
        if group is not None:
            await asyncio.shield(group)
        self._stats.accept_time.add(time.perf_counter() - started)

    async def write_many(self, events: Iterable[Event] | AsyncIterable[Event]) -> int:
        """Accept events; returns their number when all are safe.

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
        bad = 0
        groups: dict[asyncio.Future[None], None] = {}
        for start in range(0, len(batch), ENCODED_AT_ONCE):
            part = batch[start : start + ENCODED_AT_ONCE]
            lines, refused = self._encode_slice(part)
            bad += len(part) - len(lines)
            first = first or refused
            for fitting in self._fitting(lines):
                if (group := await self._put(fitting)) is not None:
                    groups[group] = None
            await asyncio.sleep(0)
        for group in groups:
            await asyncio.shield(group)
        self._stats.accept_time.add(time.perf_counter() - started)
        if first is not None:
            rule = f"{first.rule} ({bad} of {len(batch)} events were refused, the others are accepted)"
            raise InvalidEvent(first.field, first.value, rule)
        return len(batch)

    def _fitting(self, lines: list[str]) -> list[list[str]]:
        """Cut so that a small spool takes a large write part by part."""
        if not lines:
            return []
        size = sum(map(len, lines))
        parts = min(len(lines), 1 + 4 * size // self.settings.spool_limit_bytes)
        step = -(-len(lines) // parts)
        return [lines[start : start + step] for start in range(0, len(lines), step)]

    def _check_open(self) -> None:
        if not self._open:
            raise WriterClosed("The writer is not open: use 'async with BatchWriter(settings) as writer'.")

    def _encode_slice(self, events: list[Event]) -> tuple[list[str], InvalidEvent | None]:
        encode, quality = self._encode, self._quality
        early, late = quality.time_bounds()
        seen: set[tuple[str, int]] | None = set() if quality.watch_duplicates else None
        lines: list[str] = []
        first: InvalidEvent | None = None
        for event in events:
            try:
                line = encode(event)
                if not early <= event.time_ns <= late:
                    quality.odd_time(event, early)
                if seen is not None:
                    key = (line.partition(" ")[0], event.time_ns)
                    if key in seen:
                        quality.duplicate(event)
                    seen.add(key)
                lines.append(line)
            except InvalidEvent as error:
                self._refuse(event, error)
                first = first or error
            except AttributeError:
                strange = InvalidEvent("event", event, "not an Event: make one with Event.from_home_assistant(...)")
                self._refuse(event, strange)
                first = first or strange
        return lines, first

    def _refuse(self, event: object, error: InvalidEvent) -> None:
        entity = str(getattr(event, "entity_id", ""))
        self._stats.rejected += 1
        self._quality.count(f"refused: {error.field}", entity)
        self._refused.append((entity, str(error), repr(event)[:4000]))
        self._wake.set()

    async def _put(self, lines: list[str]) -> asyncio.Future[None] | None:
        """Buffer lines for the next commit; the future of that commit, or None if they were dropped."""
        settings, stats = self.settings, self._stats
        size = sum(map(len, lines)) + len(lines)
        while True:
            held = stats.pending_bytes + self._buffered_bytes + size
            if held > settings.spool_limit_bytes and settings.when_full != "drop_oldest":
                if settings.when_full == "drop_newest":
                    stats.accepted += len(lines)
                    stats.dropped += len(lines)
                    return None
                if size > settings.spool_limit_bytes:
                    raise SpoolError(f"{len(lines)} events take {size} bytes, more than the whole spool may hold.")
            elif self._buffered_bytes <= BUFFERED_BYTES:
                break
            self._progress.clear()
            self._work.set()
            await self._progress.wait()
            self._check_open()
        self._lines += lines
        self._buffered_bytes += size
        if self._group is None:
            self._group = asyncio.get_running_loop().create_future()
        self._wake.set()
        return self._group

    async def _commit_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), SETTLE_SECONDS if self._spool.unsettled else None)
            self._wake.clear()
            await self._commit()

    async def _commit(self) -> None:
        lines, group, size = self._lines, self._group, self._buffered_bytes
        self._lines, self._group, self._buffered_bytes = [], None, 0
        refused, self._refused = self._refused, []
        # Bytes on their way to the disk count against the limit as those that are there.
        self._stats.pending_bytes += size
        appended, error = Appended(), None
        try:
            if refused:
                await self._run(self._spool.keep_refused, refused)
            if lines:
                at_once = max(1, min(self.settings.batch_size, LONGEST_BODY * len(lines) // size))
                parts = [lines[start : start + at_once] for start in range(0, len(lines), at_once)]
                appended = await self._run(self._spool.append, parts)
            else:
                await self._run(self._spool.settle)
            self._spool_trouble = ""
        except SpoolError as problem:
            error = problem
            self._spool_trouble = str(problem)
            log.error("spool refused", extra={"reason": str(problem)})
            if not lines:
                await asyncio.sleep(SETTLE_SECONDS)
        stats = self._stats
        stats.accepted += appended.lines
        stats.pending += appended.lines - appended.dropped_lines
        stats.dropped += appended.dropped_lines
        stats.pending_bytes += appended.size - appended.dropped_size - size
        if appended.lines:
            if not self._unsent:
                self._unsent_since = time.time()
            self._unsent += appended.lines - appended.dropped_lines
            self._last_id = self._spool.last_id
            self._taken_to = self._spool.taken_to
            self._work.set()
        self._progress.set()
        if group is not None and not group.done():
            if error is None:
                group.set_result(None)
            else:
                group.set_exception(error)
                group.exception()

    # deliver --------------------------------------------------------------------------------------------

    async def _deliver_forever(self, worker: int) -> None:
        while True:
            async with self._taking:
                chunks = await self._next_batch(worker)
            started = time.perf_counter()
            dead = await self._delivery.resolve(worker, chunks)
            while True:
                try:
                    await self._run(self._spool.finish, chunks, dead)
                    break
                except SpoolError as problem:
                    self._spool_trouble = str(problem)
                    await asyncio.sleep(self.settings.retry_first)
            self._count(chunks, len(dead))
            self._stats.deliver_time.add(time.perf_counter() - started)
            self._inflight.pop(worker, None)
            self._progress.set()

    def _count(self, chunks: list[Chunk], dead: int) -> None:
        lines, stats = sum(chunk.lines for chunk in chunks), self._stats
        stats.batches += 1
        stats.pending -= lines
        stats.pending_bytes -= sum(len(chunk.body) for chunk in chunks)
        stats.dead_lettered += dead
        stats.delivered += lines - dead

    async def _next_batch(self, worker: int) -> list[Chunk]:
        settings = self.settings
        while True:
            age = time.time() - self._unsent_since
            asked = self._flush_to > self._taken_to
            full = self._stats.pending_bytes + self._buffered_bytes > settings.spool_limit_bytes // 2
            if self._unsent and (asked or full or self._unsent >= settings.batch_size or age >= settings.batch_timeout):
                chunks = await self._run(self._spool.take, settings.batch_size)
                self._taken_to = self._spool.taken_to
                if chunks:
                    self._inflight[worker] = chunks
                    self._unsent -= sum(chunk.lines for chunk in chunks)
                    self._unsent_since = chunks[-1].born
                    return chunks
                self._unsent = 0
            self._work.clear()
            left = max(settings.batch_timeout - age, 0.001) if self._unsent else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), left)

    # ask ------------------------------------------------------------------------------------------------

    async def flush(self, timeout: float | None = None) -> FlushReport:  # noqa: ASYNC109
        """Wait until the server has what was accepted before this call, or `timeout` seconds (default
        `write_timeout`) are over: then `pending` is above 0 and delivery goes on."""
        self._check_open()
        end = time.monotonic() + (self.settings.write_timeout if timeout is None else timeout)
        if self._group is not None:
            await asyncio.wait([self._group], timeout=max(end - time.monotonic(), 0))
        target = self._last_id
        self._flush_to = max(self._flush_to, target)
        self._work.set()
        while self._first_unresolved() <= target and (left := end - time.monotonic()) > 0:
            self._progress.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._progress.wait(), min(left, 0.5))
        stats = self._stats
        return FlushReport(stats.delivered, stats.dead_lettered, stats.dropped, stats.pending)

    def _first_unresolved(self) -> int:
        flying = [chunks[0].id for chunks in self._inflight.values()]
        return min([self._taken_to + 1, *flying])

    @property
    def stats(self) -> Stats:
        """A snapshot of the counters."""
        oldest = [chunks[0].born for chunks in self._inflight.values()]
        if self._unsent:
            oldest.append(self._unsent_since)
        age = max(0.0, time.time() - min(oldest)) if oldest else 0.0
        return dataclasses.replace(
            self._stats,
            oldest_pending_seconds=age,
            accept_time=dataclasses.replace(self._stats.accept_time),
            deliver_time=dataclasses.replace(self._stats.deliver_time),
            quality=dict(self._quality.counts),
        )

    def health(self) -> Health:
        """Healthy while events are accepted and delivered; else the reason that the disk or the server gave."""
        if not self._open:
            return Health("unhealthy", "the writer is not open")
        if self._spool_trouble:
            return Health("unhealthy", self._spool_trouble)
        for why in self._delivery.troubles.values():
            return Health("unhealthy", f"delivery waits, {self._stats.pending} events pending: {why}")
        for task in self._tasks:
            if task.done():
                return Health("unhealthy", "the delivery has stopped: close and open the writer again")
        return Health("healthy")
