"""A set of ids that are mostly neighbours."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class IdRanges:
    """Disjoint ranges in order, neighbours joined."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def add(self, first: int, last: int) -> None:
        if last < first:
            return
        start, end = bisect_left(self._lasts, first - 1), bisect_right(self._firsts, last + 1)
        if start < end:
            first, last = min(first, self._firsts[start]), max(last, self._lasts[end - 1])
        self._firsts[start:end], self._lasts[start:end] = [first], [last]

    def covers(self, first: int, last: int) -> bool:
        """Whether all of these are in it."""
        place = bisect_right(self._firsts, first) - 1
        return last < first or (place >= 0 and last <= self._lasts[place])

    @property
    def last(self) -> int:
        """The highest id in it; 0 where it is empty."""
        return self._lasts[-1] if self._lasts else 0

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._firsts, self._lasts, strict=True))
