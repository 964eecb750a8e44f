"""A segment as it is found on the disk: what is whole in it, where it ends, whether it is damaged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from writer import records
from writer.id_ranges import IdRanges
from writer.records import HEADER_BYTES, Record

SUFFIX, DAMAGED = ".segment", ".damaged"


@dataclass(slots=True)
class Segment:
    """`end` is where the next record goes, `crc` what that repeats. Without chunks `last` is below `first`; `order` 0
    has no header. `gaps` are ids in between that were never stored. `scattered` are the records of a damaged one, which
    do not follow each other."""

    path: Path
    order: int
    size: int
    first: int = 1
    last: int = 0
    end: int = HEADER_BYTES
    crc: int = 0
    scattered: list[Record] | None = None
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def hold(self, record: Record) -> None:
        if record.lines:
            self.first = record.id if self.last < self.first else self.first
            self.last = record.id
        self.end, self.crc = record.end, record.crc

    def is_done(self, resolved: IdRanges) -> bool:
        """Whether none of its chunks is wanted any more."""
        if self.scattered is not None:
            return all(resolved.covers(record.id, record.id) for record in self.scattered if record.lines)
        return resolved.covers(self.first, self.last)

    def records(self, file: int, offset: int = HEADER_BYTES) -> Iterator[Record]:
        """Those from there on, in order. Raises OSError where one is not there that was."""
        if self.scattered is not None:
            yield from (record for record in self.scattered if record.start >= offset)
            return
        heads = records.Heads(file)
        while offset < self.end:
            record = heads.record_at(offset)
            if record is None or record.order != self.order:
                raise OSError(0, f"{self.path.name} is damaged at byte {offset}")
            yield record
            offset = record.end


@contextlib.contextmanager
def reading(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    file = os.open(path, flags)
    try:
        yield file
    finally:
        os.close(file)


def put_aside(segment: Segment) -> Path:
    """Under a name by which it is kept."""
    target, number = segment.path.with_suffix(DAMAGED), 1
    while target.exists():
        target, number = segment.path.with_name(f"{segment.path.stem}-{number}{DAMAGED}"), number + 1
    segment.path = segment.path.rename(target)
    return target


def find(folder: Path, resolved: IdRanges) -> tuple[list[Segment], bytes]:
    """The segments in order, and whose queue they are. What they say is resolved is added to `resolved`."""
    found, queue = [], b""
    for path in [*folder.glob(f"*{SUFFIX}"), *folder.glob(f"*{DAMAGED}")]:
        # One that is gone by now was resolved.
        with contextlib.suppress(FileNotFoundError), reading(path) as file:
            segment, header = _survey(path, file, resolved)
            found.append((segment.order, segment.last, path.name, segment))
            if header is not None and (queue := queue or header.queue) != header.queue:
                raise OSError(0, f"{path.name} in {folder.name} is part of another queue, move it away")
    return [segment for *_, segment in sorted(found)], queue


def _survey(path: Path, file: int, resolved: IdRanges) -> tuple[Segment, records.Header | None]:
    header, size = records.read_header(file), os.fstat(file).st_size
    segment, found, order = Segment(path, 0, size), [], None
    if header is not None:
        segment.order, segment.crc, order = header.order, records.crc_of(header.packed()), header.order
        for record in records.records(file, header.order, segment.crc, HEADER_BYTES):
            if record.lines and segment.first <= segment.last < record.id - 1:
                segment.gaps.append((segment.last + 1, record.id - 1))
            _take_up(segment, record, file, resolved)
            found.append(record)
    short = header is not None and size < header.size
    behind = []
    # Also where they end as the writer leaves them: a block of zeros looks like that.
    for record in records.search(file, segment.end if found else 0, order):
        # One that a crash left over has an id that was given again.
        if not record.lines or record.id > segment.last:
            _take_up(segment, record, file, resolved)
            behind.append(record)
    if behind or short or (header is None and not records.ends_at(file, 0)):
        segment.scattered, segment.order = found + behind, max([segment.order, *(one.order for one in behind)])
    return segment, header


def _take_up(segment: Segment, record: Record, file: int, resolved: IdRanges) -> None:
    segment.hold(record)
    if not record.lines:
        for first, last in records.resolved_in(
            records.body_of(file, record) if records.is_whole(file, record) else b""
        ):
            resolved.add(first, last)


def verify(segment: Segment, resolved: IdRanges, *, is_newest: bool) -> None:
    """Look at each body that is still wanted. What a crash left unfinished at the end of the queue is cut off; any
    other that is not whole makes the segment a damaged one, and is given up."""
    if segment.is_done(resolved):
        return
    with reading(segment.path) as file:
        found = list(segment.records(file))
        wanted = [record for record in found if record.lines and not resolved.covers(record.id, record.id)]
        broken = [record for record in wanted if not records.is_whole(file, record)]
        header = records.read_header(file)
    if is_newest and segment.scattered is None and header is not None:
        while broken and found[-1] is broken[-1]:
            broken.pop()
            found.pop()
        segment.first, segment.last, segment.end, segment.crc = 1, 0, HEADER_BYTES, records.crc_of(header.packed())
        for record in found:
            segment.hold(record)
    if broken:
        segment.scattered = [record for record in found if record not in broken]


def leave_out_twice(living: list[Segment]) -> None:
    """A copy of a segment, or what a failed commit left on the disk: of ids that are there twice the later ones count,
    because ids rise from one segment to the next."""
    lowest: int | None = None
    for segment in reversed(living):
        if segment.last < segment.first:
            continue
        if lowest is not None and segment.last >= lowest:
            with reading(segment.path) as file:
                found = list(segment.records(file))
            segment.scattered = [record for record in found if record.id < lowest]
            segment.first, segment.last = 1, 0
            for record in segment.scattered:
                segment.hold(record)
        if segment.first <= segment.last:
            lowest = segment.first
