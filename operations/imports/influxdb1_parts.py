"""The part files of an export: which line goes into which, and runs of equal values as one line."""

from __future__ import annotations

from typing import IO

from operations.imports.reading import SECOND

PART = 6 * 3600 * SECOND
BLOCK = 1024 * 1024
# Stands for a line break inside a text, so that a part file has one run a line.
BREAK = b"\x00"


class Parts:
    """Runs of equal values of one field, as lines of the part files: number, times with commas, value."""

    def __init__(self) -> None:
        self.size = 0
        self.first_ns = self.last_ns = 0
        self._runs: dict[int, list[bytes]] = {}
        self._number = -1
        self._value = b""
        self._times: list[bytes] = []
        self._start = self._stop = 0

    def add(self, number: int, value: bytes, time_text: bytes) -> None:
        time_ns = int(time_text)
        if number == self._number and value == self._value and self._start <= time_ns < self._stop:
            self._times.append(time_text)
            return
        self._end_run()
        part = time_ns // PART
        self._number, self._value, self._times = number, value, [time_text]
        self._start, self._stop = part * PART, (part + 1) * PART

    def _end_run(self) -> None:
        if not self._times:
            return
        text = b"%d %b %b\n" % (self._number, b",".join(self._times), self._value.replace(b"\n", BREAK))
        self._runs.setdefault(self._start // PART, []).append(text)
        self.size += len(text)
        first, last = int(self._times[0]), int(self._times[-1])
        self.first_ns = min(self.first_ns or first, first, last)
        self.last_ns = max(self.last_ns, first, last)
        self._times = []

    def take(self) -> list[tuple[int, list[bytes]]]:
        """What there is, and nothing is left."""
        self._end_run()
        runs, self._runs, self.size = list(self._runs.items()), {}, 0
        return runs


def prefix_of(line: bytes) -> bytes:
    """`series field=` of a line; empty where it is none."""
    split = line.find(b'="')
    while split > 0 and line[split - 1 : split] == b"\\":
        split = line.find(b'="', split + 1)
    if split < 0:
        split = line[: line.rfind(b" ")].rfind(b"=")
    return line[: split + 1]


def is_whole(line: bytes, length: int, at: int) -> bool:
    """Whether a line whose value begins at `length` with a quote ends after that text, at the space `at`."""
    if at - 1 <= length or line[at - 1 : at] != b'"' or not line[at + 1 :].lstrip(b"-").isdigit():
        return False
    text = line[length + 1 : at - 1]
    # An odd number of backslashes before the last quote: it is part of the text.
    return (len(text) - len(text.rstrip(b"\\"))) % 2 == 0


def skip(reader: IO[bytes], count: int) -> None:
    """Read so many bytes and forget them."""
    while count > 0:
        block = reader.read(min(count, BLOCK))
        if not block:
            return
        count -= len(block)
