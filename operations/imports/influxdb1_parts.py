"""The part files of an export: runs of one field of one series, each with its times and values as they stand there.

An export says a field of a series in long blocks, and most texts of a home never change: a run is a head, its times as
64-bit integers, and its values, one a line, or only one for all.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from operations.imports.reading import SECOND

PART = 6 * 3600 * SECOND
# Stands for a line break inside a text, so that values can be told apart.
BREAK = b"\x00"
# Number of the `series field=`, how many times, how many values, bytes of the values.
HEAD = struct.Struct("<IIII")


@dataclass(frozen=True, slots=True)
class FieldRun:
    """Values of a field in the order of the file. `times` is packed; one value stands for all."""

    number: int
    times: bytes
    values: list[bytes]

    @property
    def count(self) -> int:
        return len(self.times) // 8


class Parts:
    """Runs on their way to the part files of their time."""

    def __init__(self) -> None:
        self.size = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self._runs: dict[int, list[bytes]] = {}

    def add(self, number: int, times: list[int], values: Sequence[bytes], *, same: bool) -> None:
        """A run in order of time; `same`: all values are the first."""
        self.first_ns = times[0] if self.first_ns is None else min(self.first_ns, times[0])
        self.last_ns = times[-1] if self.last_ns is None else max(self.last_ns, times[-1])
        start, end = 0, len(times)
        while start < end:
            part = times[start] // PART
            stop = end if times[-1] < (part + 1) * PART else bisect_left(times, (part + 1) * PART, start)
            packed = array("q", times[start:stop] if (start, stop) != (0, end) else times).tobytes()
            chosen = values[start : start + 1] if same else values[start:stop]
            text = b"\n".join(chosen)
            self._runs.setdefault(part, []).append(
                HEAD.pack(number, stop - start, len(chosen), len(text)) + packed + text
            )
            self.size += HEAD.size + len(packed) + len(text)
            start = stop

    def take(self) -> list[tuple[int, list[bytes]]]:
        """What there is, and nothing is left."""
        runs, self._runs, self.size = list(self._runs.items()), {}, 0
        return runs


def read_part(path: Path) -> Iterator[FieldRun]:
    """The runs of a part file."""
    content = path.read_bytes()
    at = 0
    while at < len(content):
        number, count, values, size = HEAD.unpack_from(content, at)
        times_at = at + HEAD.size
        text_at = times_at + 8 * count
        at = text_at + size
        found = content[text_at:at].split(b"\n")
        assert len(found) == values
        yield FieldRun(number, content[times_at:text_at], found)


def times_of(packed: bytes) -> list[int]:
    found = array("q")
    found.frombytes(packed)
    return found.tolist()
