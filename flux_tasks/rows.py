"""Summary rows from raw events in plain Python, by the rules of docs/summaries.md: what backfill and repair compute.

The scheduled tasks compute the same in Flux (templates/macros); tests/reference.py is a third computation that both are
compared with.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from event_schema import METER_DEVICE_CLASSES, METER_RESET_SHARE, NUMBER_DOMAINS

NS_PER_SECOND = 1_000_000_000

Row = dict[str, float]


class Key(NamedTuple):
    """A row's place: its tags ("" for one that is not there) and its window's start in nanoseconds."""

    entity_id: str
    domain: str
    device_class: str
    start: int


class Said(NamedTuple):
    """A state of an entity; they sort as they count: at one instant texts (`number` 0), then numbers by size."""

    at: int
    is_number: bool
    number: float
    domain: str
    device_class: str


class Window(NamedTuple):
    """Start and stop in nanoseconds."""

    start: int
    stop: int


@dataclass(slots=True)
class RawEvents:
    """What windows are computed from: the states of each entity, those before the windows that may hold in them
    included, and the energies."""

    said: dict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))
    energy: list[tuple[int, str, str, str, float]] = field(default_factory=list)  # at, entity, domain, class, kWh
    # Events with a state, by instant, entity, domain and class.
    states: dict[tuple[int, str, str, str], int] = field(default_factory=lambda: defaultdict(int))


def rows_of(events: RawEvents, windows: Sequence[Window]) -> dict[Key, Row]:
    """The rows of windows that follow one another without sharing time.

    States from before a window hold in it: only those that may are to be in `events`.
    """
    rows: dict[Key, Row] = defaultdict(dict)
    starts = [window.start for window in windows]

    def window_at(at: int) -> Window | None:
        place = bisect_right(starts, at) - 1
        return windows[place] if place >= 0 and at < windows[place].stop else None

    for (at, entity, domain, device_class), count in events.states.items():
        if (window := window_at(at)) is not None:
            row = rows[Key(entity, domain, device_class, window.start)]
            row["event_count"] = row.get("event_count", 0) + count
    used: dict[Key, list[float]] = defaultdict(list)
    for at, entity, domain, device_class, kwh in events.energy:
        if (window := window_at(at)) is not None:
            used[Key(entity, domain, device_class, window.start)].append(kwh)
    for key, energies in used.items():
        rows[key]["total_energy"] = math.fsum(energies)
    for entity, said in events.said.items():
        said.sort()
        times = [one.at for one in said]
        for window in windows:
            first, end = bisect_left(times, window.start), bisect_left(times, window.stop)
            if first < end:
                _numbers(rows, entity, said[first:end], window)
                _over_time(rows, entity, said, first, end, window)
    return dict(rows)


def carried_of(events: RawEvents, windows: Sequence[Window]) -> dict[Key, Row]:
    """What values held at the start of windows that have no row of their class, as the entity spoke in it under another
    one only: what the tasks keep beside the hours for the days made of them."""
    rows: dict[Key, Row] = {}
    for entity, said in events.said.items():
        said.sort()
        times = [one.at for one in said]
        for window in windows:
            first, end = bisect_left(times, window.start), bisect_left(times, window.stop)
            if not 0 < first < end or times[first] == window.start:
                continue
            before = said[first - 1]
            of = (before.domain, before.device_class)
            if before.is_number and of not in _by_class(said[first:end]):
                held = (times[first] - window.start) / NS_PER_SECOND
                row: Row = {"value_seconds": before.number * held, "covered_seconds": held}
                if of[0] not in NUMBER_DOMAINS:
                    row["on_seconds"] = held if before.number == 1 else 0.0
                rows[Key(entity, *of, window.start)] = row
    return rows


def _by_class(said: Iterable[Said]) -> Mapping[tuple[str, str], list[Said]]:
    found: dict[tuple[str, str], list[Said]] = defaultdict(list)
    for one in said:
        found[one.domain, one.device_class].append(one)
    return found


def _numbers(rows: dict[Key, Row], entity: str, inside: Sequence[Said], window: Window) -> None:
    for (domain, device_class), several in _by_class(inside).items():
        numbers = [one.number for one in several if one.is_number]
        if numbers:
            total = math.fsum(numbers)
            rows[Key(entity, domain, device_class, window.start)] |= {
                "sum_value": total,
                "value_count": len(numbers),
                "avg_value": total / len(numbers),
                "min_value": min(numbers),
                "max_value": max(numbers),
                "first_value": numbers[0],
                "last_value": numbers[-1],
            }


def _over_time(rows: dict[Key, Row], entity: str, said: Sequence[Said], first: int, end: int, window: Window) -> None:
    """`said[first:end]` is what the entity said in the window; what is before it holds at the window's start."""
    inside = said[first:end]
    several = said[max(first - 1, 0) : end]
    area: dict[tuple[str, str], list[float]] = defaultdict(list)
    known: dict[tuple[str, str], int] = defaultdict(int)
    on: dict[tuple[str, str], int] = defaultdict(int)
    for place, one in enumerate(several):
        until = several[place + 1].at if place + 1 < len(several) else window.stop
        begin = max(one.at, window.start)
        if not one.is_number or until <= begin:
            continue
        of = (one.domain, one.device_class)
        area[of].append(one.number * ((until - begin) / NS_PER_SECOND))
        known[of] += until - begin
        on[of] += until - begin if one.number == 1 else 0
    last = inside[-1]
    for of, numbers in _by_class(inside).items():
        row = rows[Key(entity, *of, window.start)]
        row["value_seconds"] = math.fsum(area[of])
        row["covered_seconds"] = known[of] / NS_PER_SECOND
        if known[of]:
            row["time_weighted_avg"] = row["value_seconds"] / row["covered_seconds"]
        if of[0] not in NUMBER_DOMAINS:
            row["on_seconds"] = on[of] / NS_PER_SECOND
        row["last_holds"] = 1.0 if last.is_number and of == (last.domain, last.device_class) else 0.0
        if of[1] in METER_DEVICE_CLASSES and any(one.is_number for one in numbers):
            readings = [one for one in said[:end] if one.is_number and of == (one.domain, one.device_class)]
            row["increase"] = _increase(readings, window)


def _increase(numbers: Sequence[Said], window: Window) -> float:
    """The sum of what a meter rose by from reading to reading, counted from zero after a new start of the meter."""
    changes = []
    for place, one in enumerate(numbers):
        if place and one.at >= window.start:
            change = one.number - numbers[place - 1].number
            # As the Flux script does, which knows the change and not the reading before.
            new_start = one.number < METER_RESET_SHARE * (one.number - change)
            changes.append(one.number if new_start else change)
    return math.fsum(changes)
