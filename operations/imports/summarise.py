"""Hours and days of events summed up in plain Python: the rows that the tasks would make, for spans without raw events.

What each field means stands in docs/summaries.md; tests compare the rows with those of the real tasks. Events come in
order of time; those of one entity at one instant in the order of `ordered`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from operator import attrgetter
from typing import Any

from event_schema import Event, Measurement
from event_schema.calendar import day_of, day_start
from event_schema.home_assistant import (
    DAILY_EVENTS,
    HOLD_DAYS,
    HOURLY_EVENTS,
    METER_DEVICE_CLASSES,
    METER_RESET_SHARE,
    NUMBER_DOMAINS,
)
from operations.imports.reading import SECOND

HOUR = 3600 * SECOND
TIERS = ("hourly", "daily")
MEASUREMENTS: dict[str, Measurement] = {"hourly": HOURLY_EVENTS, "daily": DAILY_EVENTS}
FIELDS = HOURLY_EVENTS.field_names
Class = tuple[str, str]  # domain, device_class
_TAG_NAMES = ("device_class", "area", "device_name", "integration", "weather_condition", "time_of_day")


class Row:
    """One row of a tier, as `BatchWriter` takes points: a time, tags, and fields that are None where it has none."""

    __slots__ = ("attributes", "device_class", "domain", "entity_id", "tier", "time_ns", *FIELDS)

    def __init__(self, tier: str, time_ns: int, entity_id: str, key: Class, fields: Mapping[str, float | int]) -> None:
        self.tier = tier
        self.time_ns = time_ns
        self.entity_id = entity_id
        self.domain, device_class = key
        self.device_class = device_class or None
        self.attributes = None
        for name in FIELDS:
            setattr(self, name, fields.get(name))

    @property
    def fields(self) -> dict[str, float | int]:
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}


@dataclass(slots=True)
class Last:
    """An entity's last event or last number: when, its number, its class, its day in the home's zone."""

    time_ns: int
    number: float | None
    key: Class
    day: int

    def kept(self) -> list[Any]:
        return [self.time_ns, self.number, *self.key, self.day]

    @classmethod
    def from_kept(cls, kept: list[Any]) -> Last:
        return cls(kept[0], kept[1], (kept[2], kept[3]), kept[4])


@dataclass(slots=True)
class Sums:
    """What one class of an entity adds up in a window. Times in nanoseconds."""

    events: int = 0
    states: int = 0
    values: int = 0
    total: float = 0.0
    low: float = 0.0
    high: float = 0.0
    energy: float | None = None
    value_time: float = 0.0
    known_time: int = 0
    on_time: int = 0
    increase: float = 0.0
    first: float = 0.0
    last: float = 0.0

    def hold(self, number: float, span: int) -> None:
        self.value_time += number * span
        self.known_time += span
        if number == 1.0:
            self.on_time += span

    def kept(self) -> list[Any]:
        return [getattr(self, name) for name in Sums.__dataclass_fields__]


@dataclass(slots=True)
class Window:
    """An open window of one entity."""

    start: int
    stop: int
    by_class: dict[Class, Sums] = field(default_factory=dict)

    def sums(self, key: Class) -> Sums:
        found = self.by_class.get(key)
        if found is None:
            found = self.by_class[key] = Sums()
        return found


class Days:
    """Which day of the home a time lies in: number since year 1, start and end in nanoseconds."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._starts: list[int] = []
        self._numbers: list[int] = []

    def at(self, time_ns: int) -> tuple[int, int, int]:
        place = bisect_right(self._starts, time_ns) - 1
        if place < 0 or place + 1 >= len(self._starts) or self._numbers[place] + 1 != self._numbers[place + 1]:
            self._learn(time_ns)
            place = bisect_right(self._starts, time_ns) - 1
        return self._numbers[place], self._starts[place], self._starts[place + 1]

    def _learn(self, time_ns: int) -> None:
        day = day_of(datetime.fromtimestamp(time_ns // SECOND, UTC), self._zone)
        found = dict(zip(self._numbers, self._starts, strict=True))
        for one in (day, day + timedelta(days=1)):
            found[one.toordinal()] = round(day_start(one, self._zone).timestamp()) * SECOND
        self._numbers = sorted(found)
        self._starts = [found[number] for number in self._numbers]


_tags = attrgetter(*_TAG_NAMES)
_time = attrgetter("time_ns")


def without_twins(events: list[Event]) -> list[Event]:
    """Of an entity's events in one series at one instant only the latest, as InfluxDB keeps it."""
    if len(set(map(_time, events))) == len(events):
        return events
    return list({(event.time_ns, _tags(event)): event for event in events}.values())


def ordered(events: Iterable[Event]) -> Iterator[Event]:
    """Events in order of time; those of one entity at one instant: texts first, then numbers by size, and of two in
    the same series only the later."""
    for _, group in groupby(sorted(events, key=_time), key=_time):
        together = list(group)
        if len(together) > 1:
            points = {(one.entity_id, _tags(one)): one for one in together}
            together = sorted(
                points.values(), key=lambda one: (one.normalized_value is not None, one.normalized_value or 0.0)
            )
        yield from together


class Summariser:
    """Events in, rows of whole windows out. `state()` and `restore()` carry open windows to another process."""

    def __init__(self, zone: tzinfo) -> None:
        self._days = Days(zone)
        self._open: dict[str, dict[str, Window]] = {tier: {} for tier in TIERS}
        self._stop: dict[str, int] = dict.fromkeys(TIERS, 0)
        self._last: dict[str, Last] = {}
        # Of meters: each class's last number, as a reading is set against the one before it of its own class.
        self._readings: dict[tuple[str, Class], Last] = {}

    def add(self, event: Event) -> list[Row]:
        """Take the next event; the rows of the windows that ended before it."""
        time_ns, entity = event.time_ns, event.entity_id
        rows = self.close(time_ns) if time_ns >= self._stop["hourly"] or time_ns >= self._stop["daily"] else []
        day, day_from, day_to = self._days.at(time_ns)
        bounds = {"hourly": (time_ns - time_ns % HOUR, time_ns - time_ns % HOUR + HOUR), "daily": (day_from, day_to)}
        key: Class = (event.domain or "", event.device_class or "")
        number = event.normalized_value
        last = self._last.get(entity)
        metered = number is not None and key[1] in METER_DEVICE_CLASSES
        before = self._readings.get((entity, key)) if metered else None
        for tier in TIERS:
            start, stop = bounds[tier]
            window = self._open[tier].get(entity)
            if window is None:
                window = self._open[tier][entity] = Window(start, stop)
                self._stop[tier] = stop
            if last is not None and last.number is not None and self._holds(last, window.start):
                span = time_ns - max(last.time_ns, window.start)
                if span:
                    window.sums(last.key).hold(last.number, span)
            sums = window.sums(key)
            sums.events += 1
            if event.state_value is not None:
                sums.states += 1
            if event.energy_consumption is not None:
                sums.energy = (sums.energy or 0.0) + event.energy_consumption
            if number is not None:
                sums.low = number if not sums.values else min(sums.low, number)
                sums.high = number if not sums.values else max(sums.high, number)
                sums.first = sums.first if sums.values else number
                sums.last = number
                sums.values += 1
                sums.total += number
                if before is not None and self._holds(before, window.start):
                    assert before.number is not None
                    fell = number < METER_RESET_SHARE * before.number
                    sums.increase += number if fell else number - before.number
        self._last[entity] = Last(time_ns, number, key, day)
        if metered:
            self._readings[entity, key] = self._last[entity]
        return rows

    def _holds(self, last: Last, window_start: int) -> bool:
        """Whether an event before or in a window counts for it: in it, or its day at most HOLD_DAYS before."""
        return last.time_ns >= window_start or self._days.at(window_start)[0] - last.day <= HOLD_DAYS

    def close(self, time_ns: int) -> list[Row]:
        """The rows of the windows that end at this time or before it."""
        rows: list[Row] = []
        for tier in TIERS:
            if time_ns >= self._stop[tier] and self._open[tier]:
                for entity, window in self._open[tier].items():
                    rows += self._rows(tier, entity, window)
                self._open[tier].clear()
        return rows

    def _rows(self, tier: str, entity: str, window: Window) -> Iterator[Row]:
        last = self._last[entity]
        if last.number is not None:
            window.sums(last.key).hold(last.number, window.stop - last.time_ns)
        for key, sums in window.by_class.items():
            if sums.events:
                yield Row(tier, window.start, entity, key, self._fields(key, sums, last))

    @staticmethod
    def _fields(key: Class, sums: Sums, last: Last) -> dict[str, float | int]:
        domain, device_class = key
        found: dict[str, float | int] = {}
        if sums.states:
            found["event_count"] = sums.states
        if sums.values:
            found |= {
                "avg_value": sums.total / sums.values,
                "min_value": sums.low,
                "max_value": sums.high,
                "sum_value": sums.total,
                "value_count": sums.values,
                "first_value": sums.first,
                "last_value": sums.last,
            }
            if device_class in METER_DEVICE_CLASSES:
                found["increase"] = sums.increase
        if sums.energy is not None:
            found["total_energy"] = sums.energy
        if sums.states or sums.values:
            found["value_seconds"] = sums.value_time / SECOND
            found["covered_seconds"] = sums.known_time / SECOND
            if sums.known_time:
                found["time_weighted_avg"] = sums.value_time / sums.known_time
            if domain not in NUMBER_DOMAINS:
                found["on_seconds"] = sums.on_time / SECOND
            found["last_holds"] = 1.0 if last.number is not None and last.key == key else 0.0
        return found

    # to another process ---------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Open windows and last events, as JSON takes them."""
        return {
            "stop": dict(self._stop),
            "last": {entity: last.kept() for entity, last in self._last.items()},
            "readings": [[entity, *last.kept()] for (entity, _), last in self._readings.items()],
            "open": {
                tier: {
                    entity: [
                        window.start,
                        window.stop,
                        [[*key, *sums.kept()] for key, sums in window.by_class.items()],
                    ]
                    for entity, window in windows.items()
                }
                for tier, windows in self._open.items()
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what another Summariser had open."""
        self._stop = dict(state["stop"])
        self._last = {entity: Last.from_kept(kept) for entity, kept in state["last"].items()}
        readings = [(entity, Last.from_kept(kept)) for entity, *kept in state["readings"]]
        self._readings = {(entity, last.key): last for entity, last in readings}
        for tier in TIERS:
            self._open[tier] = {
                entity: Window(
                    start,
                    stop,
                    {(domain, device_class): Sums(*sums) for domain, device_class, *sums in classes},
                )
                for entity, (start, stop, classes) in state["open"][tier].items()
            }
