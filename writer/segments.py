"""The queue on disk: chunks in segment files, written once, in order, and read back in order.

    spool.sqlite.queue/
        00000012.segment        its room was taken when it was made; here the others wait for their last chunk to go
        00000013.segment        the newest one: what is accepted is written to it
        00000004.segment        nothing in it is wanted any more: the next segment is written over it

A commit is one write and one fdatasync, and neither changes a file's size: the least that a disk can be asked for. What
is resolved is written down with the next commit, or alone and without fdatasync: what is lost of that when the machine
crashes is sent again, which overwrites. Each segment begins with all that is resolved, so that any older one can go.

Invariants
    1. `append` returns after its chunks are on the disk; where it fails, none of them is in the queue.
    2. A segment is written over or deleted only after all of its chunks are resolved.
    3. Ids rise for as long as there is a segment.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from writer import records, segment_files
from writer.id_ranges import IdRanges
from writer.records import END, HEAD_BYTES, HEADER_BYTES, QUEUE_BYTES, Chunk, Header, Record
from writer.segment_files import SUFFIX, Segment, reading

SEGMENT_BYTES = 8 * 1024 * 1024
# Where the disk has no room for a whole one.
SMALL_SEGMENT_BYTES = 256 * 1024
# At the end of each, for what is resolved while nothing is committed.
ROOM_FOR_RESOLVED = 16 * 1024
# Of segments that wait to be written over.
SPARE_BYTES = 64 * 1024 * 1024
# The system takes 1,024 in one call.
PIECES_AT_ONCE = 1000

_sync = getattr(os, "fdatasync", os.fsync)

# What else is resolved, by whose queue it is.
Known = Callable[[bytes], Iterable[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the queue holds: events, bytes, its first and last id, and when the oldest event was accepted."""

    lines: int = 0
    size: int = 0
    first: int = 1
    last: int = 0
    oldest: float | None = None

    def age(self, now: float) -> float:
        """For how many seconds the oldest event has waited; 0 where none waits."""
        return 0.0 if self.oldest is None else max(0.0, now - self.oldest)


@dataclass
class Segments:
    """The queue in a folder. Raises OSError as the system does."""

    folder: Path
    queue: bytes = b""
    # The highest id there was.
    last: int = 0
    _resolved: IdRanges = field(default_factory=IdRanges)
    # Resolved, and not written down.
    _unwritten: IdRanges = field(default_factory=IdRanges)
    # In order; the last one is written to while `_file` is open.
    _living: list[Segment] = field(default_factory=list)
    _spare: list[Segment] = field(default_factory=list)
    _order: int = 0
    _file: int = -1
    # What the next write begins with, and where it goes.
    _pieces: list[bytes] = field(default_factory=list)
    _start: int = 0
    # The last id that was read, the order of its segment, and where the next record begins.
    _cursor: tuple[int, int, int] = (0, 0, 0)
    # Another process may write over what is being read.
    _looks_on: bool = False

    # open and close -------------------------------------------------------------------------------------

    def look(self, known: Known) -> None:
        """Find out what the files hold, and change nothing. `known` tells what else is resolved of the queue."""
        self._looks_on = True
        self._living, self.queue = segment_files.find(self.folder, self._resolved)
        for first, last in known(self.queue):
            self._resolved.add(first, last)
        self._order = max((segment.order for segment in self._living), default=0)
        self._find_last()

    def _find_last(self) -> None:
        self.last = max([self._resolved.last, *(segment.last for segment in self._living)])

    def open(self, known: Known) -> list[Path]:
        """Take the queue over. Returns files that were found damaged: what is whole in them is in the queue."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.look(known)
        if not self._living:
            _sync_folder(self.folder.parent)
        for first, last in known(self.queue):
            self._unwritten.add(first, last)
        self._looks_on = False
        self.queue = self.queue or os.urandom(QUEUE_BYTES)
        newest = self._living[-1] if self._living else None
        for segment in self._living:
            segment_files.verify(segment, self._resolved, is_newest=segment is newest)
        segment_files.leave_out_twice(self._living)
        for segment in self._living:
            for first, last in segment.gaps if segment.scattered is None else ():
                self._resolved.add(first, last)
        self._find_last()
        fresh = [one for one in self._living if one.scattered is not None and one.path.suffix == SUFFIX]
        for segment in fresh:
            segment_files.put_aside(segment)
        if newest is not None and newest.order and newest.scattered is None:
            self._file = os.open(newest.path, os.O_RDWR)
        self.resolve(())
        # It is known here alone from now on (`knows_all`): a full disk may have no room for it yet.
        with contextlib.suppress(OSError):
            self.note(synced=True)
        return [segment.path for segment in fresh]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.note()
        self._leave()

    def _leave(self) -> None:
        """The next commit goes to a new segment. What was promised is synced, whatever closing says."""
        file, self._file = self._file, -1
        if file >= 0:
            with contextlib.suppress(OSError):
                os.close(file)

    @property
    def knows_all(self) -> bool:
        """Whether all that is resolved is written down."""
        return not self._unwritten

    @property
    def oldest(self) -> int:
        """The lowest id that is still there."""
        return min((one.first for one in self._living if one.first <= one.last), default=self.last + 1)

    # in -------------------------------------------------------------------------------------------------

    def append(self, chunks: Sequence[Chunk]) -> None:
        """Store chunks whose ids are above `last`. Returns when they are safe."""
        segments, last, unwritten = len(self._living), self.last, self._unwritten
        newest = replace(self._living[-1]) if self._file >= 0 else None
        try:
            self._begin()
            for chunk in chunks:
                self._add(chunk)
            self._write()
        except OSError:
            self._take_back(segments, newest)
            self.last, self._unwritten = last, unwritten
            raise
        # Ids in between were never stored.
        for chunk in chunks:
            for known in (self._resolved, self._unwritten):
                known.add(last + 1, chunk.id - 1)
            last = chunk.id

    def _begin(self) -> None:
        """With what is resolved, where there is room for it."""
        self._pieces, self._start = [], self._living[-1].end if self._file >= 0 else 0
        if self._unwritten and self._has_room(said := records.resolved_chunk(self._unwritten), 0):
            self._put(said)
            self._unwritten = IdRanges()

    def _has_room(self, chunk: Chunk, beside: int) -> bool:
        if self._file < 0:
            return False
        newest = self._living[-1]
        return newest.end + HEAD_BYTES + len(chunk.body) + len(END) + beside <= newest.size

    def _add(self, chunk: Chunk) -> None:
        if not self._has_room(chunk, ROOM_FOR_RESOLVED):
            self._write()
            self._roll(HEAD_BYTES + len(chunk.body) + len(END) + ROOM_FOR_RESOLVED)
        self._put(chunk)
        self.last = chunk.id

    def _put(self, chunk: Chunk) -> None:
        segment = self._living[-1]
        head, crc = records.pack(chunk, segment.order, segment.crc)
        self._pieces += (head, chunk.body)
        if chunk.lines:
            segment.first = chunk.id if segment.last < segment.first else segment.first
            segment.last = chunk.id
        segment.end, segment.crc = segment.end + len(head) + len(chunk.body), crc

    def _write(self, *, synced: bool = True) -> None:
        if not self._pieces:
            return
        pieces, self._pieces = [*self._pieces, END], []
        size = sum(map(len, pieces))
        if len(pieces) > PIECES_AT_ONCE:
            pieces = [b"".join(pieces)]
        done = os.pwritev(self._file, pieces, self._start)
        if done < size:
            _write_on(self._file, b"".join(pieces)[done:], self._start + done)
        if synced:
            try:
                _sync(self._file)
            except OSError:
                # A system says so once, and then forgets what it could not write: this file is written to no more.
                self._leave()
                raise

    def _take_back(self, segments: int, newest: Segment | None) -> None:
        """As if nothing had been appended: the next commit is written over it. What may have come to the disk is taken
        away, because its ids are given again."""
        self._pieces, fresh = [], self._living[segments:]
        del self._living[segments:]
        if fresh:
            self._leave()
        for segment in fresh:
            self._empty(segment)
        if newest is None:
            return
        self._living[-1] = newest
        try:
            with reading(newest.path, os.O_RDWR) as file:
                written = list(records.records(file, newest.order, newest.crc, newest.end))
                for place in (newest.end, *(record.start for record in written)):
                    os.pwrite(file, END, place)
                _sync(file)
            if fresh:
                self._file = os.open(newest.path, os.O_RDWR)
        except OSError:
            self._leave()

    def _empty(self, segment: Segment) -> None:
        """But for what is resolved; with an order of its own, so that nothing else in it is taken for a part."""
        self._order += 1
        header = Header(self.queue, self._order, segment.size).packed()
        said = records.resolved_chunk(self._resolved)
        head, _ = records.pack(said, self._order, records.crc_of(header))
        segment.order, segment.first, segment.last = self._order, 1, 0
        try:
            with reading(segment.path, os.O_RDWR) as file:
                _write_on(file, header + head + said.body + END, 0)
                _sync(file)
            self._give_up(segment)
        except OSError:
            with contextlib.suppress(OSError):
                segment.path.unlink(missing_ok=True)
                _sync_folder(self.folder)

    # segments -------------------------------------------------------------------------------------------

    def _roll(self, needed: int) -> None:
        """A new segment with room for so many bytes: over a spare one, or in a new file."""
        said = records.resolved_chunk(self._resolved)
        needed += HEADER_BYTES + HEAD_BYTES + len(said.body)
        self._order += 1
        path, file, size = self._over_a_spare(needed) or self._make(needed)
        self._leave()
        header = Header(self.queue, self._order, size).packed()
        self._file, self._start, self._pieces = file, 0, [header]
        self._living.append(Segment(path, self._order, size, crc=records.crc_of(header)))
        self._put(said)
        self._unwritten = IdRanges()

    def _over_a_spare(self, needed: int) -> tuple[Path, int, int] | None:
        for place, segment in enumerate(self._spare):
            if segment.size >= needed:
                file = os.open(segment.path, os.O_RDWR)
                del self._spare[place]
                return segment.path, file, segment.size
        return None

    def _make(self, needed: int) -> tuple[Path, int, int]:
        """A new file with room for at least so many bytes. Spare ones, which are too small, make room for it."""
        number = self._order
        while (path := self.folder / f"{number:08}{SUFFIX}").exists():
            number += 1
        while True:
            for size in (max(SEGMENT_BYTES, needed), max(SMALL_SEGMENT_BYTES, needed), needed):
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                try:
                    _take_room(file, size)
                    _sync_folder(self.folder)
                except OSError as error:
                    os.close(file)
                    path.unlink()
                    refusal = error
                else:
                    return path, file, size
            if not self.give_back():
                raise refusal

    def give_back(self) -> bool:
        """Delete a spare segment, to make room on the disk; False where there is none."""
        if not self._spare:
            return False
        with contextlib.suppress(OSError):
            self._spare.pop().path.unlink(missing_ok=True)
        return True

    def resolve(self, ranges: Iterable[tuple[int, int]]) -> None:
        """The chunks of these first and last ids are not wanted any more. Written down by `note` or `append`."""
        for first, last in ranges:
            self._resolved.add(first, last)
            self._unwritten.add(first, last)
        newest = self._living[-1] if self._file >= 0 else None
        done = [one for one in self._living if one is not newest and one.is_done(self._resolved)]
        if done:
            self._living = [one for one in self._living if one is newest or not one.is_done(self._resolved)]
            self._resolved.add(1, self.oldest - 1)
        for segment in done:
            self._give_up(segment)

    def _give_up(self, segment: Segment) -> None:
        if segment.scattered is not None:
            return  # kept for a look
        self._spare.append(segment)
        if sum(one.size for one in self._spare) > SPARE_BYTES or segment.size < SMALL_SEGMENT_BYTES:
            self.give_back()

    def note(self, *, synced: bool = False) -> None:
        """Write down what is resolved, where there is room for it."""
        if not self._unwritten:
            return
        segments, unwritten = len(self._living), self._unwritten
        newest = replace(self._living[-1]) if self._file >= 0 else None
        try:
            self._begin()
            if self._unwritten and (self._spare or (self._file < 0 and self.last)):
                self._roll(ROOM_FOR_RESOLVED)
                synced = True
            self._write(synced=synced)
        except OSError:
            self._take_back(segments, newest)
            self._unwritten = unwritten
            raise

    # out ------------------------------------------------------------------------------------------------

    def read(self, after: int, to: int, most_bytes: int) -> list[Chunk]:
        """Chunks with `after` < id <= `to`, oldest first: as many as fit into `most_bytes`, at least one."""
        chunks: list[Chunk] = []
        left = most_bytes
        for segment, record, file in self._wanted(after):
            left -= record.length
            if record.id > to or (chunks and left < 0):
                break
            chunks.append(Chunk(record.id, record.born, record.lines, records.body_of(file, record)))
            self._cursor = (record.id, segment.order, record.end)
        return chunks

    def waiting(self) -> Waiting:
        lines = size = first = 0
        oldest: float | None = None
        for _, record, _ in self._wanted(0):
            lines, size = lines + record.lines, size + record.length
            first = first or record.id
            oldest = record.born if oldest is None else min(oldest, record.born)
        return Waiting(lines, size, first or self.last + 1, self.last, oldest)

    def _wanted(self, after: int) -> Iterator[tuple[Segment, Record, int]]:
        """Records behind that id which are not resolved, each with its segment, open."""
        read, order, offset = self._cursor
        for segment in list(self._living):
            if segment.last <= after:
                continue
            start = offset if segment.order == order and read <= after else HEADER_BYTES
            try:
                with reading(segment.path) as file:
                    for record in segment.records(file, start):
                        if record.lines and record.id > after and not self._resolved.covers(record.id, record.id):
                            yield segment, record, file
            except OSError:
                if not self._looks_on:
                    raise


def _take_room(file: int, size: int) -> None:
    try:
        os.posix_fallocate(file, 0, size)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        os.truncate(file, size)


def _write_on(file: int, rest: bytes, start: int) -> None:
    """What one call left over; the next one says why, where that was for want of room."""
    while rest:
        done = os.pwrite(file, rest, start)
        rest, start = rest[done:], start + done


def _sync_folder(folder: Path) -> None:
    """So that a new file in it is found again. Not every file system can do that, nor needs it."""
    try:
        with reading(folder) as file:
            os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EACCES, errno.EBADF):
            raise
