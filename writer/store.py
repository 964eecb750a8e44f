"""The spool in a thread of its own, and the backlog in front of it: what is accepted, sent, resolved.

Memory is told what happened only after the disk was: a count never runs ahead of what is safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from writer.backlog import Backlog
from writer.chunk import Chunk
from writer.findings import Finding
from writer.settings import WriterSettings
from writer.spool import LARGE_PAGE_BYTES, PAGE_BYTES, Spool, SpoolError
from writer.writer_log import WriterLog

LARGE_BATCH = 4000

T = TypeVar("T")
DeadLine = tuple[int, str, bytes]


class Store:
    def __init__(self, settings: WriterSettings, log: WriterLog) -> None:
        self._log = log
        self._durable = settings.durability == "fsync"
        self._retry_seconds = settings.retry_first
        large = settings.batch_size >= LARGE_BATCH
        self._spool = Spool(Path(settings.spool_path), page_bytes=LARGE_PAGE_BYTES if large else PAGE_BYTES)
        self.backlog = Backlog()
        self._loading: asyncio.Future[None] | None = None
        # Why the disk refuses; "" while it does not.
        self.trouble = ""

    async def open(self) -> None:
        """Take the spool and begin with what it holds. Raises SpoolError."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hearthflux-spool")
        try:
            await self._run(self._spool.open)
            waiting = await self._run(self._spool.waiting)
        except BaseException:
            # Also when this call was cancelled while the thread went on: the lock must not outlive it.
            self._thread.submit(self._spool.close)
            self._thread.shutdown(wait=False)
            raise
        self.backlog.recover(waiting)
        if self._spool.salvaged_from is not None:
            self._log.say(
                logging.ERROR,
                "the spool was damaged; what could be read of it was taken over",
                kept_at=str(self._spool.salvaged_from),
                rescued=waiting.lines,
            )

    async def _run(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    async def _insist(self, call: Callable[..., None], *arguments: Any) -> None:
        """Go on trying while the disk refuses."""
        while True:
            try:
                await self._run(call, *arguments)
            except SpoolError as error:
                self._in_trouble(error)
                await asyncio.sleep(self._retry_seconds)
            else:
                self.trouble = ""
                return

    def _pack_and_commit(
        self, chunks: Sequence[Chunk], resolved: Sequence[tuple[int, int]], found: Sequence[Finding]
    ) -> Sequence[Chunk]:
        packed = [chunk.packed() for chunk in chunks]
        self._spool.commit(packed, resolved, found)
        return packed

    async def commit(self, chunks: Sequence[Chunk], found: Sequence[Finding] = ()) -> None:
        """Accept chunks, keep what the rules found, let the disk forget what is resolved. Raises SpoolError: then
        none of it happened."""
        backlog = self.backlog
        resolved = backlog.resolved
        # Without durability too, as long as older events wait on the disk: order is kept.
        stored = self._durable or backlog.on_disk_only
        if stored or resolved or found:
            try:
                packed = await self._run(self._pack_and_commit, chunks if stored else (), resolved, found)
            except SpoolError as error:
                self._in_trouble(error)
                raise
            self.trouble = ""
            chunks = packed if stored else chunks
        backlog.deleted(len(resolved))
        backlog.add(chunks, stored=stored)

    async def resolved(self, sender: int, chunks: Sequence[Chunk], dead: Sequence[DeadLine]) -> None:
        """The server has what `sender` took, but for the dead lines. Goes on trying while the disk refuses."""
        if dead:
            await self._insist(self._spool.bury, chunks[0].id, chunks[-1].id, dead)
        self.backlog.resolve(sender, recorded=bool(dead))

    async def set_aside(self, chunk: Chunk) -> None:
        """What is stored of a chunk is not what was stored: it cannot be sent, and is kept for a look. Goes on trying
        while the disk refuses."""
        await self._insist(self._spool.set_aside, chunk.id)
        self._log.say(
            logging.ERROR,
            "a batch in the spool is damaged: it was dropped, and is kept in the spool's table 'damaged'",
            dropped=chunk.lines,
        )

    async def load(self) -> None:
        """Fill the memory's part of the backlog from the disk. Raises SpoolError."""
        await asyncio.shield(self._begin_to_load())

    def load_ahead(self) -> None:
        """Begin to read what is sent next, while the present batch is on its way."""
        if self.backlog.wants_loading:
            self._begin_to_load()

    def _begin_to_load(self) -> asyncio.Future[None]:
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
            self._loading.add_done_callback(self._loaded)
        return self._loading

    async def _load(self) -> None:
        backlog = self.backlog
        after, to = backlog.loaded, backlog.last
        backlog.load(await self._run(self._spool.read, after, to, max(backlog.room, 1)), to)

    def _loaded(self, loading: asyncio.Future[None]) -> None:
        self._loading = None
        if not loading.cancelled() and (error := loading.exception()) is not None:
            self._in_trouble(error)

    def _in_trouble(self, error: BaseException) -> None:
        self.trouble = str(error)
        self._log.say(logging.ERROR, "the spool refuses", reason=str(error))

    async def close(self) -> None:
        if self._loading is not None:
            with contextlib.suppress(Exception):
                await self._loading
        with contextlib.suppress(SpoolError):
            await self.commit(())
        await self._run(self._spool.close)
        self._thread.shutdown(wait=False)
