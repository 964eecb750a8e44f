"""From lines to safe: gathers what comes in while the disk is busy, and commits it together.

put -> buffer -> one commit at a time -> accepted. A full spool blocks, or drops by its policy.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from writer.backlog import Part
from writer.findings import Finding
from writer.settings import WriterSettings
from writer.signal import Signal
from writer.spool import SpoolError
from writer.stats import Stats
from writer.store import Store
from writer.writer_log import WriterLog

# For one commit; less while nothing waits to be sent, so that the server soon has work.
BUFFERED_BYTES, BUFFERED_BYTES_AT_FIRST = 4 * 1024 * 1024, 1024 * 1024
# How long a delivery may wait to be written down; until then a crash means sending again.
SETTLE_SECONDS = 0.25


class WriterClosed(RuntimeError):
    """The writer is not open: use it as `async with BatchWriter(settings) as writer`."""


class Acceptance:
    """`accepted` is told after each commit; `room` is sent by others when something was resolved."""

    def __init__(
        self,
        settings: WriterSettings,
        store: Store,
        stats: Stats,
        found: deque[Finding],
        log: WriterLog,
        *,
        accepted: Callable[[], None],
        room: Signal,
    ) -> None:
        self._settings, self._store, self._stats, self._found, self._log = settings, store, stats, found, log
        self._accepted, self._room = accepted, room
        self._wake = Signal()
        # (lines, how many)
        self._parts: list[Part] = []
        self._buffered_bytes = 0
        self._committing_bytes = 0
        # The commit that the parts wait for, and the one that is going on.
        self._group: asyncio.Future[None] | None = None
        self._committing: asyncio.Future[None] | None = None
        self._open = True
        # How many writes wait for room in a full spool.
        self.blocked = 0

    @property
    def bytes_held(self) -> int:
        """What counts against the spool's limit: waiting, being committed, buffered."""
        return self._store.backlog.pending_bytes + self._committing_bytes + self._buffered_bytes

    async def put(self, body: bytes, lines: int) -> asyncio.Future[None] | None:
        """Buffer so many lines for the next commit; the future of that commit, or None if they were dropped."""
        size = len(body)
        limit, policy = self._settings.spool_limit_bytes, self._settings.when_full
        while True:
            if not self._open:
                raise WriterClosed("The writer was closed before this event was accepted.")
            if self.bytes_held + size > limit and policy != "drop_oldest":
                if policy == "drop_newest":
                    self._drop_newest(lines)
                    return None
                if size > limit:
                    raise SpoolError(f"{lines} events take {size} bytes, more than the whole spool may hold.")
                await self._wait_for_room()
            elif self._buffered_bytes <= (BUFFERED_BYTES if self._store.backlog.unsent else BUFFERED_BYTES_AT_FIRST):
                break
            else:
                await self._room.wait()
        self._parts.append((body, lines))
        self._buffered_bytes += size
        if self._group is None:
            self._group = asyncio.get_running_loop().create_future()
        self._wake.send()
        return self._group

    async def _wait_for_room(self) -> None:
        self._log.say(logging.WARNING, "the spool is full: writes wait", limit=self._settings.spool_limit_bytes)
        self._accepted()  # what is there is sent without waiting for whole batches
        self.blocked += 1
        try:
            await self._room.wait()
        finally:
            self.blocked -= 1

    def _drop_newest(self, count: int) -> None:
        self._stats.accepted += count
        self._stats.dropped += count
        self._log.say(logging.WARNING, "the spool is full: new events are dropped", dropped=self._stats.dropped)

    def wake(self) -> None:
        """There are findings to keep."""
        self._wake.send()

    @property
    def group(self) -> asyncio.Future[None] | None:
        """The last commit that anything waits for; those before it are over when it is."""
        return self._group or self._committing

    async def run(self) -> None:
        """Commit until `stop`, and then what is left."""
        while self._open or self._parts:
            if not self._parts and not self._found:
                await self._wake.wait(SETTLE_SECONDS if self._store.backlog.resolved else None)
            if not await self._commit() and self._open:
                await asyncio.sleep(SETTLE_SECONDS)
        if self._found:
            await self._commit()

    def stop(self) -> None:
        self._open = False
        self._wake.send()
        self._room.send()

    async def _commit(self) -> bool:
        parts, group, size = self._parts, self._group, self._buffered_bytes
        found = list(self._found)
        self._found.clear()
        self._parts, self._group, self._buffered_bytes, self._committing_bytes = [], None, 0, size
        self._committing = group
        error: BaseException | None = None
        try:
            if self._settings.when_full == "drop_oldest":
                await self._make_room()
            await self._store.commit(self._store.backlog.seal(parts, self._settings.chunk_size), found)
        except Exception as problem:
            error = problem
            self._found.extendleft(reversed(found))
        self._committing_bytes, self._committing = 0, None
        if error is None:
            self._stats.accepted += sum(lines for _, lines in parts)
        if group is not None and not group.done():
            if error is None:
                group.set_result(None)
            else:
                group.set_exception(error)
                group.exception()  # nobody has to ask: a cancelled write does not
        self._accepted()
        self._room.send()
        return error is None

    async def _make_room(self) -> None:
        store, stats = self._store, self._stats
        while (excess := self.bytes_held - self._settings.spool_limit_bytes) > 0:
            dropped = store.backlog.drop_oldest(excess)
            stats.dropped += sum(chunk.lines for chunk in dropped)
            if dropped:
                self._log.say(logging.WARNING, "the spool is full: old events are dropped", dropped=stats.dropped)
            elif store.backlog.on_disk_only:
                await store.load()
            else:
                return
