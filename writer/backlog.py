"""What is accepted and not yet resolved, in order: the oldest chunks in memory, the rest on disk. Event loop only.

    resolved | being sent | in memory, ids up to `loaded` | on disk only, ids up to `last`

The disk has those up to the id `stored`: all of them in a durable writer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from writer.chunk import Chunk
from writer.spool import Waiting

# Lines, and how many they are.
Part = tuple[bytes, int]

# A durable backlog keeps this much in memory; it is filled again from the disk when half of that is gone.
LOADED_BYTES = 8 * 1024 * 1024
# A server behind a proxy may take less: then the first 413 says so.
LONGEST_BODY = 5_000_000


@dataclass
class Backlog:
    pending: int = 0
    pending_bytes: int = 0
    unsent: int = 0
    unsent_bytes: int = 0
    last: int = 0
    loaded: int = 0
    stored: int = 0
    longest_body: int = LONGEST_BODY
    _chunks: deque[Chunk] = field(default_factory=deque)
    _loaded_bytes: int = 0
    _sending: dict[int, list[Chunk]] = field(default_factory=dict)
    _resolved: list[tuple[int, int]] = field(default_factory=list)
    _oldest_on_disk: float = 0.0

    def recover(self, waiting: Waiting) -> None:
        """Begin with what an earlier writer left on the disk."""
        self.pending = self.unsent = waiting.lines
        self.pending_bytes = self.unsent_bytes = waiting.size
        self.loaded, self.last = waiting.first - 1, waiting.last
        self.stored = waiting.last
        self._oldest_on_disk = waiting.oldest or 0.0

    # in -------------------------------------------------------------------------------------------------

    def seal(self, parts: Sequence[Part], chunk_size: int) -> list[Chunk]:
        """Chunks of these parts, each of at most so many lines, if no part has more."""
        chunks: list[Chunk] = []
        bodies: list[bytes] = []
        lines = size = 0
        now = time.time()

        def cut() -> None:
            chunks.append(Chunk(self.last + 1 + len(chunks), now, lines, b"".join(bodies)))

        for body, count in parts:
            if bodies and (lines + count > chunk_size or size + len(body) > self.longest_body):
                cut()
                bodies, lines, size = [], 0, 0
            bodies.append(body)
            lines, size = lines + count, size + len(body)
        if bodies:
            cut()
        return chunks

    def add(self, chunks: Iterable[Chunk], *, stored: bool) -> None:
        """They are accepted: on disk where `stored`, else in memory only."""
        for chunk in chunks:
            if not self.on_disk_only and (not stored or self._loaded_bytes + len(chunk.stored) <= LOADED_BYTES):
                self._chunks.append(chunk)
                self._loaded_bytes += len(chunk.stored)
                self.loaded = chunk.id
            elif not self.on_disk_only:
                self._oldest_on_disk = chunk.born
            self.last = chunk.id
            if stored:
                self.stored = chunk.id
            self.pending += chunk.lines
            self.pending_bytes += chunk.size
            self.unsent += chunk.lines
            self.unsent_bytes += chunk.size

    @property
    def on_disk_only(self) -> bool:
        """Whether the newest chunks have to be read from the disk."""
        return self.loaded < self.last

    @property
    def wants_loading(self) -> bool:
        return self.on_disk_only and self._loaded_bytes < LOADED_BYTES // 2

    @property
    def room(self) -> int:
        """Bytes that may be loaded."""
        return LOADED_BYTES - self._loaded_bytes

    def load(self, chunks: list[Chunk], to: int) -> None:
        """The next chunks from the disk; none where there are none up to the id `to`."""
        for chunk in chunks:
            self._chunks.append(chunk)
            self._loaded_bytes += len(chunk.stored)
            self._oldest_on_disk = chunk.born
        self.loaded = chunks[-1].id if chunks else to

    # out ------------------------------------------------------------------------------------------------

    @property
    def anything_loaded(self) -> bool:
        return bool(self._chunks)

    def take(self, sender: int, most_lines: int, most_bytes: int | None = None) -> list[Chunk]:
        """The next chunks to send, oldest first, as many as make one batch. They are `sender`'s until resolved."""
        if most_bytes is not None:
            self.longest_body = min(self.longest_body, most_bytes)
        taken: list[Chunk] = []
        lines = size = 0
        while self._chunks:
            chunk = self._chunks[0]
            if taken and (lines + chunk.lines > most_lines or size + chunk.size > self.longest_body):
                break
            taken.append(self._take_first())
            lines, size = lines + chunk.lines, size + chunk.size
        if taken:
            self._sending[sender] = taken
        return taken

    def _take_first(self) -> Chunk:
        chunk = self._chunks.popleft()
        self._loaded_bytes -= len(chunk.stored)
        self.unsent -= chunk.lines
        self.unsent_bytes -= chunk.size
        return chunk

    def resolve(self, sender: int, *, recorded: bool) -> list[Chunk]:
        """What `sender` had is resolved; unless `recorded`, the disk has still to be told (`resolved`)."""
        chunks = self._sending.pop(sender)
        self.pending -= sum(chunk.lines for chunk in chunks)
        self.pending_bytes -= sum(chunk.size for chunk in chunks)
        if not recorded:
            self._to_delete(chunks)
        return chunks

    def _to_delete(self, chunks: list[Chunk]) -> None:
        if chunks and chunks[0].id <= self.stored:
            self._resolved.append((chunks[0].id, chunks[-1].id))

    def drop_oldest(self, excess: int) -> list[Chunk]:
        """Give up at least `excess` bytes of the oldest loaded chunks that are not being sent."""
        dropped: list[Chunk] = []
        while self._chunks and excess > 0:
            chunk = self._take_first()
            dropped.append(chunk)
            excess -= chunk.size
            self.pending -= chunk.lines
            self.pending_bytes -= chunk.size
        self._to_delete(dropped)
        return dropped

    @property
    def resolved(self) -> list[tuple[int, int]]:
        """First and last ids of chunks that the disk still holds and may delete."""
        return list(self._resolved)

    def deleted(self, count: int) -> None:
        """The first `count` of `resolved` are gone from the disk."""
        del self._resolved[:count]

    def forget_unstored(self) -> int:
        """Give up what is in memory only; returns how many events that were."""
        held = [*self._chunks, *(chunk for chunks in self._sending.values() for chunk in chunks)]
        lost = [chunk for chunk in held if chunk.id > self.stored]
        self.pending -= sum(chunk.lines for chunk in lost)
        self.pending_bytes -= sum(chunk.size for chunk in lost)
        return sum(chunk.lines for chunk in lost)

    # questions ------------------------------------------------------------------------------------------

    @property
    def first_unsent(self) -> int:
        return self._chunks[0].id if self._chunks else self.loaded + 1

    @property
    def first_unresolved(self) -> int:
        return min([self.first_unsent, *(chunks[0].id for chunks in self._sending.values())])

    @property
    def oldest_unsent(self) -> float | None:
        """When the oldest event that is not being sent was accepted (wall clock, seconds)."""
        if not self.unsent:
            return None
        return self._chunks[0].born if self._chunks else self._oldest_on_disk

    @property
    def oldest(self) -> float | None:
        """When the oldest pending event was accepted (wall clock, seconds)."""
        born = [chunks[0].born for chunks in self._sending.values()]
        if self.oldest_unsent is not None:
            born.append(self.oldest_unsent)
        return min(born, default=None)
