"""Lines of an export cut into columns, many at once: those of one field of one series follow each other.

A line is plain if it has a time of our days, not before that of the line above it, and a value that is there and whole
on this line. All others want a closer look.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from operations.imports.line_protocol import LATEST_NS, whole_text

# Stands for a line break inside a text, so that values can be told apart.
BREAK = b"\x00"
# A space and the nanoseconds of every time from 2001 to 2286.
STAMP = 20

# (block of whole lines, what they begin with, where) -> (where they end, their times as packed 64-bit integers, their
# values: one where it is the same for all).
Cut = Callable[[bytes, bytes, int], tuple[int, bytes, list[bytes]]]


def cut_in_python(block: bytes, prefix: bytes, at: int) -> tuple[int, bytes, list[bytes]]:
    """The plain lines at `at` that begin with `prefix`; there may be none."""
    length, last = len(prefix), -1
    times: list[int] = []
    values: list[bytes] = []
    while block.startswith(prefix, at):
        end = block.index(b"\n", at)
        value, stamp = block[at + length : end - STAMP], block[max(end - STAMP, at + length) : end]
        if len(stamp) < STAMP or not stamp.startswith(b" ") or not stamp[1:].isdigit():
            break
        if not last <= (time_ns := int(stamp)) <= LATEST_NS or not is_plain(value):
            break
        times.append(time_ns)
        values.append(value)
        at, last = end + 1, time_ns
    return at, array("q", times).tobytes(), values[:1] if len(set(values)) == 1 else values


def is_plain(value: bytes) -> bool:
    """Whether a value is there, and whole where it is a text."""
    if value.startswith(b'"') and not whole_text(value):
        return False
    return value != b"" and BREAK not in value


try:
    from operations.imports import _lines
except ImportError:  # not built: see hatch_build.py
    cut: Cut = cut_in_python
else:
    cut = _lines.cut
