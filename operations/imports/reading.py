"""What every source gives: readings by entity, and a count of what could not be made one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise, repeat
from typing import Any, NamedTuple, Protocol

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
# Readings that are taken at once.
WANTED = 20_000


class Reading(NamedTuple):
    """One state of an entity. `attributes` is the same object as long as they are the same, which saves work.

    `changed_ns`: since when the state is what it is; None: since it first differed from the one before.
    `series` is where the source keeps it, for the report.
    """

    time_ns: int
    entity_id: str
    state: str
    attributes: Mapping[str, Any]
    changed_ns: int | None
    series: str


@dataclass(slots=True)
class Run:
    """Readings of one entity from one series in order of time, column by column: a history repeats everything else.

    The columns are what they are in `Reading`; `changed_ns` None: None for each.
    """

    entity_id: str
    series: str
    times: list[int]
    states: list[str]
    attributes: Sequence[Mapping[str, Any]]
    changed_ns: Sequence[int | None] | None = None

    def __len__(self) -> int:
        return len(self.times)

    def between(self, start_ns: int, stop_ns: int) -> Run:
        """The readings of [start_ns, stop_ns)."""
        first, end = bisect_left(self.times, start_ns), bisect_left(self.times, stop_ns)
        if first == 0 and end == len(self.times):
            return self
        return Run(
            self.entity_id,
            self.series,
            self.times[first:end],
            self.states[first:end],
            self.attributes[first:end],
            None if self.changed_ns is None else self.changed_ns[first:end],
        )

    def chosen(self, which: Sequence[bool]) -> Run:
        """The readings for which it is true."""

        def column(values: Sequence[Any]) -> list[Any]:
            return list(compress(values, which))

        changed = None if self.changed_ns is None else column(self.changed_ns)
        return Run(
            self.entity_id, self.series, column(self.times), column(self.states), column(self.attributes), changed
        )

    @classmethod
    def of(cls, readings: Sequence[Reading]) -> Run:
        """Readings of one entity, in order of time."""
        times, entities, states, attributes, changed, series = zip(*readings, strict=True)
        return cls(entities[0], series[0], list(times), list(states), list(attributes), list(changed))


def by_entity(runs: Sequence[Run]) -> list[Run]:
    """One run for each entity, whatever series its readings came from; those of one instant in the order given."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        if run.times:
            found.setdefault(run.entity_id, []).append(run)
    return [together[0] if len(together) == 1 else _merged(together) for together in found.values()]


def _merged(runs: list[Run]) -> Run:
    if all(earlier.times[-1] < later.times[0] for earlier, later in pairwise(runs)):
        return _joined(runs)
    rows: list[tuple[int, str, Mapping[str, Any], int | None]] = []
    for run in runs:
        rows += zip(run.times, run.states, run.attributes, run.changed_ns or repeat(None), strict=False)
    rows.sort(key=lambda row: row[0])
    times, states, attributes, changed = zip(*rows, strict=True)
    return Run(runs[0].entity_id, runs[0].series, list(times), list(states), list(attributes), list(changed))


def _joined(runs: list[Run]) -> Run:
    """One after the other."""
    changed = None
    if any(run.changed_ns is not None for run in runs):
        changed = [at for run in runs for at in run.changed_ns or [None] * len(run)]
    return Run(
        runs[0].entity_id,
        runs[0].series,
        [at for run in runs for at in run.times],
        [state for run in runs for state in run.states],
        [attributes for run in runs for attributes in run.attributes],
        changed,
    )


@dataclass(slots=True)
class Count:
    """How many, and when the first and the last was; times in nanoseconds, 0 where a thing has none."""

    count: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def add(self, time_ns: int, count: int = 1) -> None:
        if time_ns:
            self.first_ns = min(self.first_ns or time_ns, time_ns)
            self.last_ns = max(self.last_ns, time_ns)
        self.count += count

    def merge(self, other: Count) -> None:
        if other.first_ns:
            self.first_ns = min(self.first_ns or other.first_ns, other.first_ns)
        self.last_ns = max(self.last_ns, other.last_ns)
        self.count += other.count


class Skipped(dict[tuple[str, str], Count]):
    """What was left out and why: (what, reason) -> count. Nothing is left out without standing here."""

    def add(self, what: str, reason: str, time_ns: int = 0, count: int = 1) -> None:
        found = self.get((what, reason))
        if found is None:
            found = self[what, reason] = Count()
        found.add(time_ns, count)

    def merge(self, other: Skipped) -> None:
        for key, count in other.items():
            self.setdefault(key, Count()).merge(count)

    @property
    def total(self) -> int:
        return sum(one.count for one in self.values())

    def as_list(self) -> list[Any]:
        return [[*key, one.count, one.first_ns, one.last_ns] for key, one in self.items()]

    @classmethod
    def from_list(cls, kept: list[Any]) -> Skipped:
        return cls({(what, reason): Count(*count) for what, reason, *count in kept})


@dataclass(slots=True)
class Slice:
    """All readings of [start_ns, stop_ns); `skipped`: states that make none; `incomplete`: what some of them lack."""

    start_ns: int
    stop_ns: int
    runs: list[Run] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)
    incomplete: Skipped = field(default_factory=Skipped)

    @property
    def count(self) -> int:
        return sum(map(len, self.runs))


@dataclass(slots=True)
class Window:
    """More readings than are taken at once, and what was skipped: what, why, and when each was. `size` counts both."""

    size: int = 0
    _runs: list[Run] = field(default_factory=list)
    _skipped: list[tuple[str, str, Sequence[int]]] = field(default_factory=list)

    def add(self, run: Run) -> None:
        self.size += len(run)
        self._runs.append(run)

    def skip(self, what: str, why: str, times: Sequence[int]) -> None:
        self.size += len(times)
        if times:
            self._skipped.append((what, why, times))

    def slices(self, start_ns: int, stop_ns: int) -> Iterator[Slice]:
        """[start_ns, stop_ns) of it in spans of equal length, so that none holds much more than is wanted."""
        pieces = max(1, -(-self.size // WANTED))
        bounds = [start_ns + (stop_ns - start_ns) * number // pieces for number in range(pieces + 1)]
        for start, stop in pairwise(bounds):
            found = Slice(start, stop, [one for run in self._runs if len(one := run.between(start, stop))])
            for what, why, times in self._skipped:
                for time_ns in times[bisect_left(times, start) : bisect_left(times, stop)]:
                    found.skipped.add(what, why, time_ns)
            yield found


class SourceError(Exception):
    """The source can't be read: one sentence that says what is wrong and what would be right."""


class Source(Protocol):
    """Where a history comes from. Used as an async context manager; raises SourceError."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def identity(self) -> str:
        """The same for the same history, so that an import finds its position again."""

    async def span(self) -> tuple[int, int] | None:
        """(first, last) time in it; None where it holds nothing."""

    def slices(self, start_ns: int, stop_ns: int) -> AsyncGenerator[Slice, None]:
        """Everything in [start_ns, stop_ns) in slices that follow each other without a gap."""

    def left_out(self) -> dict[str, str]:
        """What is never read, and why."""


@dataclass(slots=True)
class Pace:
    """How wide the next slice is, so that it holds about `wanted` readings whatever the density.

    It begins narrow: what a slice that is too wide has read is read again.
    """

    width_ns: int = 600 * SECOND
    wanted: int = WANTED
    narrowest_ns: int = 60 * SECOND
    widest_ns: int = 64 * DAY

    @property
    def most(self) -> int:
        """A slice with more readings is given up and read in parts."""
        return 2 * self.wanted

    def next(self, start_ns: int, stop_ns: int) -> int:
        return min(start_ns + self.width_ns, stop_ns)

    def too_many(self) -> bool:
        """Narrower, if it can be; False where the slice has to be taken as it is."""
        if self.width_ns <= self.narrowest_ns:
            return False
        self.width_ns = max(self.width_ns // 4, self.narrowest_ns)
        return True

    def saw(self, count: int) -> None:
        if count < self.wanted // 2:
            self.width_ns = min(self.width_ns * (2 if count > self.wanted // 8 else 4), self.widest_ns)
        elif count > 2 * self.wanted:
            self.width_ns = max(self.width_ns // 2, self.narrowest_ns)
