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


class Times:
    """Times in order, packed, and where the parts begin in them: (part, first place, end)."""

    def __init__(self, packed: bytes) -> None:
        times = array("q", packed)
        self.packed, self.first_ns, self.last_ns = packed, times[0], times[-1]
        self.parts: list[tuple[int, int, int]] = []
        start, end = 0, len(times)
        while start < end:
            part = times[start] // PART
            stop = end if self.last_ns < (part + 1) * PART else bisect_left(times, (part + 1) * PART, start)
            self.parts.append((part, start, stop))
            start = stop

    @classmethod
    def of(cls, time_ns: int) -> Times:
        return cls(array("q", [time_ns]).tobytes())

    def __len__(self) -> int:
        return len(self.packed) // 8


class Parts:
    """Runs on their way to the part files of their time."""

    def __init__(self) -> None:
        self.size = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self._runs: dict[int, list[bytes]] = {}

    def add(self, number: int, times: Times, values: Sequence[bytes]) -> None:
        """A run; one value stands for all."""
        self.first_ns = times.first_ns if self.first_ns is None else min(self.first_ns, times.first_ns)
        self.last_ns = times.last_ns if self.last_ns is None else max(self.last_ns, times.last_ns)
        for part, start, stop in times.parts:
            chosen = values if len(values) == 1 else values[start:stop]
            text = b"\n".join(chosen)
            head = HEAD.pack(number, stop - start, len(chosen), len(text))
            self._runs.setdefault(part, []).extend((head, times.packed[8 * start : 8 * stop], text))
            self.size += len(head) + 8 * (stop - start) + len(text)

    def take(self) -> list[tuple[int, list[bytes]]]:
        """What there is, piece by piece, and nothing is left."""
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
