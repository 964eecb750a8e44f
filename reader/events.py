"""Raw events of one entity to the rows of windows that are not summed up yet.

The same rules by which the tasks compute stored rows, in plain Python (docs/summaries.md, "The value over time" and
"What a meter rose by"): a row made here equals the one that will be stored once the window is over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from event_schema import HOLD_DAYS, METER_DEVICE_CLASSES, METER_RESET_SHARE, NUMBER_DOMAINS
from event_schema.calendar import Span, day_of
from reader.rows import Summed, one_per_window

BILLION = 1_000_000_000
Class = tuple[str, str]


def nanoseconds(text: str) -> int:
    """The server's RFC 3339 time in nanoseconds since 1970; a Python datetime would cut it to microseconds."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()) * BILLION + int(fraction.ljust(9, "0"))


def instant(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // BILLION, UTC)


def to_ns(moment: datetime) -> int:
    return int(moment.replace(microsecond=0).timestamp()) * BILLION + moment.microsecond * 1000


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One point: its number (None for a text), whether it has a state, the energy it reports."""

    time_ns: int
    kind: Class  # domain, device class
    number: float | None = None
    has_state: bool = False
    energy: float | None = None

    @property
    def order(self) -> tuple[int, bool, float]:
        """At one instant: those without a number, then the numbers by size."""
        return self.time_ns, self.number is not None, self.number or 0.0

    @property
    def counts(self) -> bool:
        """Whether it says something about the state at all."""
        return self.has_state or self.number is not None


@dataclass(frozen=True, slots=True)
class Carried:
    """What is known just before a window: the entity's last event, and of each class the last one with a number."""

    standing: RawEvent | None = None
    readings: Mapping[Class, RawEvent] = field(default_factory=dict)

    def after(self, events: Sequence[RawEvent]) -> Carried:
        """The same after events, which are in order."""
        standing, readings = self.standing, dict(self.readings)
        for event in events:
            if event.counts:
                standing = event
            if event.number is not None:
                readings[event.kind] = event
        return Carried(standing, readings)


@dataclass(slots=True)
class _Row:
    """The row of one class in one window, as it grows."""

    numbers: list[float] = field(default_factory=list)
    energies: list[float] = field(default_factory=list)
    rises: list[float] = field(default_factory=list)
    states: int = 0
    counts: bool = False
    holds: bool = False


def _within_hold(event: RawEvent, window_day: date, zone: ZoneInfo) -> bool:
    return (window_day - day_of(instant(event.time_ns), zone)).days <= HOLD_DAYS


def _held(carried: Carried, events: Sequence[RawEvent], window: Span, zone: ZoneInfo) -> dict[Class, list[list[float]]]:
    """By class: the products of value and seconds, the seconds, the seconds at 1."""
    held: dict[Class, list[list[float]]] = {}
    standing = carried.standing
    if standing is not None and not _within_hold(standing, day_of(window.start, zone), zone):
        standing = None
    since = to_ns(window.start)
    for event in (*(one for one in events if one.counts), RawEvent(to_ns(window.stop), ("", ""))):
        if standing is not None and standing.number is not None and event.time_ns > since:
            seconds = (event.time_ns - since) / BILLION
            products, covered, on = held.setdefault(standing.kind, [[], [], []])
            products.append(standing.number * seconds)
            covered.append(seconds)
            if standing.number == 1:
                on.append(seconds)
        standing, since = event, event.time_ns
    return held


def _rise(reading: float, before: float) -> float:
    return reading if reading < METER_RESET_SHARE * before else reading - before


def _window(carried: Carried, events: Sequence[RawEvent], window: Span, zone: ZoneInfo) -> Iterable[Summed]:
    """The rows of one window, one per class that has events in it."""
    rows: dict[Class, _Row] = {}
    day = day_of(window.start, zone)
    readings = {kind: event for kind, event in carried.readings.items() if _within_hold(event, day, zone)}
    last = None
    for event in events:
        row = rows.setdefault(event.kind, _Row())
        row.counts = row.counts or event.counts
        row.states += event.has_state
        if event.energy is not None:
            row.energies.append(event.energy)
        if event.counts:
            last = event
        if event.number is not None:
            row.numbers.append(event.number)
            if event.kind in readings:
                row.rises.append(_rise(event.number, readings[event.kind].number or 0.0))
            readings[event.kind] = event
    if last is not None and last.number is not None:
        rows[last.kind].holds = True
    held = _held(carried, events, window, zone)
    for kind, row in rows.items():
        yield Summed(*kind, _values(kind, row, *held.get(kind, [[], [], []])))


def _values(kind: Class, row: _Row, products: list[float], covered: list[float], on: list[float]) -> dict[str, float]:
    domain, device_class = kind
    values: dict[str, float] = {}
    if row.states:
        values["event_count"] = row.states
    if row.energies:
        values["total_energy"] = math.fsum(row.energies)
    if row.numbers:
        total, count = math.fsum(row.numbers), len(row.numbers)
        values |= {"sum_value": total, "value_count": count, "avg_value": total / count}
        values |= {"min_value": min(row.numbers), "max_value": max(row.numbers)}
        values |= {"first_value": row.numbers[0], "last_value": row.numbers[-1]}
        if device_class in METER_DEVICE_CLASSES:
            values["increase"] = math.fsum(row.rises)
    if row.counts:
        seconds, area = math.fsum(covered), math.fsum(products)
        values |= {"value_seconds": area, "covered_seconds": seconds, "last_holds": 1.0 if row.holds else 0.0}
        if seconds:
            values["time_weighted_avg"] = area / seconds
        if domain not in NUMBER_DOMAINS:
            values["on_seconds"] = math.fsum(on)
    return values


def sum_up(
    events: Sequence[RawEvent], windows: Sequence[Span], carried: Carried, zone: ZoneInfo
) -> dict[datetime, Summed]:
    """The rows of neighbouring windows. `events` are all that lie in them, in any order; `carried` is what was known
    just before the first. A window without events has no row."""
    ordered = sorted(events, key=lambda event: event.order)
    found: list[tuple[datetime, Summed]] = []
    position = 0
    for window in windows:
        end, stop = position, to_ns(window.stop)
        while end < len(ordered) and ordered[end].time_ns < stop:
            end += 1
        inside = ordered[position:end]
        if inside:
            found += ((window.start, row) for row in _window(carried, inside, window, zone))
            carried = carried.after(inside)
        position = end
    return one_per_window(found)
