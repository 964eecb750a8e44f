"""The format of a segment: a header, then records one after the other, each found whole or not at all.

    header   magic, queue, order, size, crc
    record   mark, crc of this head, crc of the head before (of the header for the first), lines, length, id, born,
             order, crc of the body; then the body: whole lines

Numbers are little-endian. A record of no lines says which chunks are resolved: its body is pairs of first and last ids.
Four zeros stand where the next record will be. `order` tells a segment's records from what its file held before.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_HEADER = struct.Struct("<8s8sQQ")
_HEAD = struct.Struct("<IIIQdQI")
_PAIR = struct.Struct("<QQ")
_CRC = struct.Struct("<I")
MAGIC = b"hfqueue1"
# No text in UTF-8 holds it.
MARK = b"\xff\xfeHF"
END = bytes(4)
HEADER_BYTES = _HEADER.size + 4
HEAD_BYTES = len(MARK) + 4 + _HEAD.size
QUEUE_BYTES = 8
READ_AT_ONCE = 16 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines, each ended by a line break. `born` is a wall-clock time in seconds."""

    id: int
    born: float
    lines: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """Of a segment: whose queue it is part of, its place in there, and the bytes that its file has."""

    queue: bytes
    order: int
    size: int

    def packed(self) -> bytes:
        plain = _HEADER.pack(MAGIC, self.queue, self.order, self.size)
        return plain + _CRC.pack(zlib.crc32(plain))


class Record(NamedTuple):
    """Where a body lies in a segment. `crc` is that of the head, which the next head repeats."""

    crc: int
    before: int
    lines: int
    length: int
    id: int
    born: float
    order: int
    body_crc: int
    offset: int

    @property
    def start(self) -> int:
        return self.offset - HEAD_BYTES

    @property
    def end(self) -> int:
        return self.offset + self.length


def crc_of(header: bytes) -> int:
    """The first record of a segment repeats this of its header."""
    return int.from_bytes(header[-4:], "little")


def read_header(file: int) -> Header | None:
    """The header of an open segment; None where there is no whole one."""
    packed = os.pread(file, HEADER_BYTES, 0)
    if len(packed) < HEADER_BYTES or zlib.crc32(packed[:-4]) != crc_of(packed) or not packed.startswith(MAGIC):
        return None
    _, queue, order, size = _HEADER.unpack_from(packed)
    return Header(queue, order, size)


def pack(chunk: Chunk, order: int, before: int) -> tuple[bytes, int]:
    """The head of a chunk's record, and its crc for the next one."""
    plain = _HEAD.pack(before, chunk.lines, len(chunk.body), chunk.id, chunk.born, order, zlib.crc32(chunk.body))
    crc = zlib.crc32(plain)
    return b"".join((MARK, _CRC.pack(crc), plain)), crc


def resolved_chunk(ranges: Iterable[tuple[int, int]]) -> Chunk:
    """What says that the chunks of these first and last ids are resolved."""
    return Chunk(0, 0.0, 0, b"".join(_PAIR.pack(*pair) for pair in ranges))


def resolved_in(body: bytes) -> Sequence[tuple[int, int]]:
    return [(first, last) for first, last in _PAIR.iter_unpack(body)]


def _unpack(packed: bytes, offset: int) -> Record | None:
    """The record whose head was read at `offset`; None where that is none."""
    if len(packed) < HEAD_BYTES or not packed.startswith(MARK):
        return None
    crc = _CRC.unpack_from(packed, len(MARK))[0]
    if zlib.crc32(packed[len(MARK) + 4 :]) != crc:
        return None
    return Record._make((crc, *_HEAD.unpack_from(packed, len(MARK) + 4), offset + HEAD_BYTES))


class Heads:
    """Of an open segment, read many at a time: a small home's events have one each."""

    def __init__(self, file: int) -> None:
        self._file, self._block, self._start = file, b"", 0

    def record_at(self, offset: int) -> Record | None:
        """The record that begins there; None where none does."""
        place = offset - self._start
        if place < 0 or place + HEAD_BYTES > len(self._block):
            self._block, self._start, place = os.pread(self._file, READ_AT_ONCE, offset), offset, 0
        return _unpack(self._block[place : place + HEAD_BYTES], offset)


def body_of(file: int, record: Record) -> bytes:
    return os.pread(file, record.length, record.offset)


def is_whole(file: int, record: Record) -> bool:
    """Whether the body is what the head says."""
    body = body_of(file, record)
    return len(body) == record.length and zlib.crc32(body) == record.body_crc


def records(file: int, order: int, before: int, offset: int) -> Iterator[Record]:
    """Records in order from there on, up to the first that does not follow the one before, of which that is the crc."""
    heads = Heads(file)
    while (record := heads.record_at(offset)) is not None:
        if record.order != order or record.before != before:
            return
        yield record
        before, offset = record.crc, record.end


def ends_at(file: int, offset: int) -> bool:
    """Whether the records end there, as the writer left them."""
    return END.startswith(os.pread(file, len(END), offset))


def search(file: int, offset: int, order: int | None) -> list[Record]:
    """Whole records from there on, wherever they begin: behind a damage. `order` None: of the newest order."""
    rest = os.pread(file, os.fstat(file).st_size, offset)
    found: list[Record] = []
    place = rest.find(MARK)
    while place >= 0:
        record = _unpack(rest[place : place + HEAD_BYTES], offset + place)
        whole = record is not None and order in (None, record.order) and is_whole(file, record)
        if record is not None and whole:
            found.append(record)
        place = rest.find(MARK, place + (HEAD_BYTES + record.length if record is not None and whole else 1))
    newest = max((record.order for record in found), default=0)
    return [record for record in found if record.order == newest]
