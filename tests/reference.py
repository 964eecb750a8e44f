"""Every summary computed from the raw events in plain Python: what the database has to agree with.

Written from docs/summaries.md alone: exact fractions, `math.fsum` and `zoneinfo`, nothing of the project's Flux, of its
roll-ups or its calendar.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from event_schema import Event

NS = 1_000_000_000
HOUR_NS = 3600 * NS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOT_ON = {"counter", "input_number", "number", "sensor", "zone"}
METERS = {"data_size", "energy", "gas", "precipitation", "volume", "water"}

Class = tuple[str, str]  # domain, device class
Key = tuple[str, str, str, int]  # entity, domain, device class, window's start in ns
Row = dict[str, float]


@dataclass(frozen=True)
class Said:
    """What an entity said at an instant, in the order in which it counts; `number` None for a text."""

    at: int
    rank: int
    number: float
    domain: str
    device_class: str

    @property
    def of(self) -> Class:
        return self.domain, self.device_class

    @property
    def order(self) -> tuple[int, int, float, str, str]:
        return self.at, self.rank, self.number, self.domain, self.device_class


def ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def midnight(day: date, zone: ZoneInfo) -> int:
    return ns(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


def day_of(at: int, zone: ZoneInfo) -> date:
    return (EPOCH + timedelta(microseconds=at // 1000)).astimezone(zone).date()


def hours(first: int, last: int) -> list[tuple[int, int]]:
    """Whole hours of UTC that hold the instants from `first` to `last`."""
    return [(start, start + HOUR_NS) for start in range(first // HOUR_NS * HOUR_NS, last + 1, HOUR_NS)]


def days(first: int, last: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    found = []
    day = day_of(first, zone)
    while (start := midnight(day, zone)) <= last:
        day += timedelta(days=1)
        found.append((start, midnight(day, zone)))
    return found


def points(events: Iterable[Event]) -> list[Event]:
    """What InfluxDB holds after writing the events in this order: one point per series and instant, field by field."""
    tags = (
        "entity_id",
        "domain",
        "device_class",
        "area",
        "device_name",
        "integration",
        "weather_condition",
        "time_of_day",
    )
    held: dict[tuple[object, ...], Event] = {}
    for event in events:
        key = (event.time_ns, *(getattr(event, tag) or None for tag in tags))
        if key not in held:
            made: dict[str, Any] = {tag: getattr(event, tag) or None for tag in tags}
            held[key] = Event(time_ns=event.time_ns, **made)
        for field in ("state_value", "normalized_value", "energy_consumption"):
            if (value := getattr(event, field)) is not None:
                setattr(held[key], field, value)
    return list(held.values())


def _plain(row: Row, members: Sequence[Event]) -> None:
    numbers = [event.normalized_value for event in members if event.normalized_value is not None]
    energy = [event.energy_consumption for event in members if event.energy_consumption is not None]
    states = sum(event.state_value is not None for event in members)
    if states:
        row["event_count"] = states
    if numbers:
        row |= {"value_count": len(numbers), "min_value": min(numbers), "max_value": max(numbers)}
        row |= {"sum_value": math.fsum(numbers), "avg_value": math.fsum(numbers) / len(numbers)}
    if energy:
        row["total_energy"] = math.fsum(energy)


class Home:
    """The events of a home and the rows they make. `zone` is the home's."""

    def __init__(self, events: Iterable[Event], zone: str = "UTC") -> None:
        self.zone = ZoneInfo(zone)
        self.events = sorted(points(events), key=lambda event: event.time_ns)
        self.event_times = [event.time_ns for event in self.events]
        self.said: dict[str, list[Said]] = defaultdict(list)
        for event in self.events:
            domain, device_class = event.domain or "", event.device_class or ""
            if event.normalized_value is not None:
                one = Said(event.time_ns, 1, event.normalized_value, domain, device_class)
            elif event.state_value is not None:
                one = Said(event.time_ns, 0, 0.0, domain, device_class)
            else:
                continue
            self.said[event.entity_id].append(one)
        for several in self.said.values():
            several.sort(key=lambda one: one.order)
        self.said_times = {entity: [one.at for one in several] for entity, several in self.said.items()}

    @property
    def bounds(self) -> tuple[int, int]:
        return self.event_times[0], self.event_times[-1]

    def hourly(self) -> dict[Key, Row]:
        """Every row of every hour."""
        return self.rows(hours(*self.bounds)) if self.events else {}

    def daily(self) -> dict[Key, Row]:
        """Every row of every day of the home."""
        return self.rows(days(*self.bounds, self.zone)) if self.events else {}

    def rows(self, windows: Iterable[tuple[int, int]]) -> dict[Key, Row]:
        """The rows of these windows."""
        found: dict[Key, Row] = {}
        for start, stop in windows:
            members: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
            for event in self.events[bisect_left(self.event_times, start) : bisect_left(self.event_times, stop)]:
                if not (
                    event.state_value is None and event.normalized_value is None and event.energy_consumption is None
                ):
                    members[event.entity_id, event.domain or "", event.device_class or ""].append(event)
            for (entity, domain, device_class), several in members.items():
                row: Row = {}
                _plain(row, several)
                self._over_time(row, entity, (domain, device_class), start, stop)
                found[entity, domain, device_class, start] = row
        return found

    def _looks_back_to(self, start: int) -> int:
        return midnight(day_of(start, self.zone) - timedelta(days=7), self.zone)

    def _over_time(self, row: Row, entity: str, of: Class, start: int, stop: int) -> None:
        times = self.said_times.get(entity, [])
        oldest, first, end = (bisect_left(times, at) for at in (self._looks_back_to(start), start, stop))
        before, inside = self.said[entity][oldest:first], self.said[entity][first:end]
        said = [*before[-1:], *inside]
        if not any(one.of == of for one in inside):
            return
        area, known, on = Fraction(0), 0, 0
        for place, one in enumerate(said):
            until = said[place + 1].at if place + 1 < len(said) else stop
            if one.rank == 0 or one.of != of or until <= start:
                continue
            held = until - max(one.at, start)
            area += Fraction(one.number) * held
            known += held
            on += held if one.number == 1 else 0
        row["value_seconds"] = float(area / NS)
        row["covered_seconds"] = known / NS
        if known:
            row["time_weighted_avg"] = float(area / known)
        if of[0] not in NOT_ON:
            row["on_seconds"] = on / NS
        numbers = [one for one in inside if one.rank == 1 and one.of == of]
        if numbers:
            row["first_value"], row["last_value"] = numbers[0].number, numbers[-1].number
        row["last_holds"] = 1.0 if inside[-1].rank == 1 and inside[-1].of == of else 0.0
        if of[1] in METERS and numbers:
            row["increase"] = self._increase(
                [one for one in [*before, *inside] if one.rank == 1 and one.of == of], start
            )

    @staticmethod
    def _increase(numbers: list[Said], start: int) -> float:
        changes = []
        for place, one in enumerate(numbers):
            if one.at < start or place == 0:
                continue
            change = one.number - numbers[place - 1].number
            reset = one.number < 0.9 * (one.number - change)
            changes.append(one.number if reset else change)
        return math.fsum(changes)


def differences(expected: Mapping[Key, Row], found: Mapping[Key, Row]) -> list[str]:
    """What is missing, too much or different, as sentences; counts have to be equal, floats within 1e-9 relative."""
    wrong = [f"missing: {key} {expected[key]}" for key in expected.keys() - found.keys()]
    wrong += [f"too much: {key} {found[key]}" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        for name in expected[key].keys() | found[key].keys():
            want, have = expected[key].get(name), found[key].get(name)
            if want is None or have is None or not _same(name, want, have, expected[key]):
                wrong.append(f"{key} {name}: {have} stored, {want} expected")
    return wrong


def _same(name: str, want: float, have: float, row: Row) -> bool:
    if name.endswith("_count"):
        return want == have
    # Where large terms cancel, no float has nine digits left of the small rest: a share of the terms is allowed.
    largest = max((abs(row.get(part, 0.0)) for part in ("min_value", "max_value")), default=0.0)
    terms = {"value_seconds": row.get("covered_seconds", 0.0), "time_weighted_avg": 1.0, "avg_value": 1.0}
    slack = terms.get(name, row.get("value_count", 0.0)) * largest
    return math.isclose(want, have, rel_tol=1e-9, abs_tol=1e-14 * slack)
