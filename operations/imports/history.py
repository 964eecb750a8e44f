"""From readings to events: what Home Assistant's message says, and what each entity said before.

`Event.from_home_assistant` decides what becomes of attributes, units, places and weather. It is asked once for each
set of attributes of an entity; the parts that change with every reading are filled in here by the same functions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import repeat
from typing import Any, NamedTuple

from event_schema import EnergyMeters, Event, InvalidEvent, Placement, normalized, time_of_day
from event_schema.conversion import KWH_PER_UNIT
from event_schema.event import variants
from operations.imports.reading import SECOND, Reading, Run

# Every time zone's offset is a whole number of these.
QUARTER_HOUR = 900 * SECOND
REMEMBERED_STATES = 20_000
METER_CLASS = "total_increasing"
WEATHER_ATTRIBUTES = ("temperature", "humidity", "pressure", "temperature_unit", "pressure_unit")

Refuse = Callable[[str, int, InvalidEvent], None]


class Weather(NamedTuple):
    """The weather as events have it."""

    weather_condition: str | None = None
    weather_temp: float | None = None
    weather_humidity: float | None = None
    weather_pressure: float | None = None


NO_WEATHER = Weather()
NO_CHANGE = (sys.maxsize, NO_WEATHER)

made = variants(
    "time_ns",
    "time_of_day",
    "state_value",
    "previous_state",
    "normalized_value",
    "duration_seconds",
    "energy_consumption",
    *Weather._fields,
)


@dataclass(slots=True)
class Known:
    """What is known of an entity. `attributes` are those that `template` was made from."""

    state: str | None = None
    changed_ns: int | None = None
    time_ns: int = 0
    attributes: Mapping[str, Any] | None = None
    template: Event | None = None
    kwh: float | None = None


class History:
    """Makes the events of a home, reading by reading in order of time.

    `registry`: entity -> Placement; `attributes`: those to keep, by domain or entity (default: the schema's);
    `weather_entity`: whose state and attributes are the weather of every event. `state()` and `restore()` carry what
    is known over to another process.
    """

    def __init__(
        self,
        *,
        zone: tzinfo,
        registry: Mapping[str, Placement | Mapping[str, Any]] | None = None,
        attributes: Mapping[str, tuple[str, ...]] | None = None,
        weather_entity: str | None = None,
    ) -> None:
        self._zone = zone
        self._registry = registry or {}
        self._attributes = attributes
        self._weather_entity = weather_entity
        self._weather = NO_WEATHER
        self._known: dict[str, Known] = {}
        self._meters = EnergyMeters()
        self._numbers: dict[str, float | None] = {}
        self._quarter_from = self._quarter_to = 0
        self._time_of_day = ""

    def use_registry(self, registry: Mapping[str, Placement | Mapping[str, Any]]) -> None:
        """Take areas, devices and integrations from this registry from now on."""
        self._registry = registry
        for known in self._known.values():
            known.attributes = None

    def event(self, reading: Reading) -> Event:
        """The event of the entity's next reading. Raises InvalidEvent naming the field, the value and the rule."""
        if reading.entity_id == self._weather_entity:
            self._weather = self._weather_of(reading.state, reading.attributes)

        def refuse(_entity: str, _time: int, error: InvalidEvent) -> None:
            raise error

        return self._events(Run.of([reading]), [(reading.time_ns, self._weather)], refuse)[0]

    def events(self, runs: Sequence[Run], refuse: Refuse) -> list[list[Event]]:
        """The events of each entity's next readings; at most one run of an entity. `refuse(entity, time_ns, error)` is
        told of readings that make none."""
        weather = [(-sys.maxsize, self._weather)]
        for run in runs:
            if run.entity_id == self._weather_entity:
                for time_ns, state, attributes in zip(run.times, run.states, run.attributes, strict=True):
                    weather.append((time_ns, self._weather_of(state, attributes)))
        self._weather = weather[-1][1]
        return [self._events(run, weather, refuse) for run in runs]

    def _events(self, run: Run, weather: Sequence[tuple[int, Weather]], refuse: Refuse) -> list[Event]:
        """`weather` from when on, in order of time."""
        entity_id = run.entity_id
        known = self._known.get(entity_id)
        if known is None:
            known = self._known[entity_id] = Known()
        numbers, increase = self._numbers, self._meters.increase
        changes = iter(weather[1:])
        now, (change_ns, after) = weather[0][1], next(changes, NO_CHANGE)
        before, since = known.state, known.changed_ns
        template = known.template
        events: list[Event] = []
        for time_ns, state, attributes, changed_ns in zip(
            run.times, run.states, run.attributes, run.changed_ns or repeat(None), strict=False
        ):
            if known.attributes is not attributes:
                try:
                    self._prepare(known, entity_id, time_ns, attributes)
                except InvalidEvent as error:
                    refuse(entity_id, time_ns, error)
                    continue
                template = known.template
            while time_ns >= change_ns:
                now, (change_ns, after) = after, next(changes, NO_CHANGE)
            if changed_ns is None:
                changed_ns = time_ns if state != before or since is None else since
            duration = None if since is None or changed_ns < since else (changed_ns - since) // SECOND
            if not self._quarter_from <= time_ns < self._quarter_to:
                self._see_time(time_ns)
            try:
                number = numbers[state]
            except KeyError:
                if len(numbers) >= REMEMBERED_STATES:
                    numbers.clear()
                number = numbers[state] = normalized(state)
            energy = None
            if known.kwh is not None and number is not None:
                energy = increase(entity_id, number * known.kwh)
            events.append(
                made(template, time_ns, self._time_of_day, state or None, before, number, duration, energy, *now)
            )
            before, since = state, changed_ns
            known.time_ns = time_ns
        known.state, known.changed_ns = before, since
        return events

    def _see_time(self, time_ns: int) -> None:
        self._quarter_from = time_ns - time_ns % QUARTER_HOUR
        self._quarter_to = self._quarter_from + QUARTER_HOUR
        self._time_of_day = time_of_day(time_ns, self._zone)

    def last_time_ns(self, entity_id: str) -> int:
        """When the entity's last event was; 0 before its first."""
        known = self._known.get(entity_id)
        return 0 if known is None else known.time_ns

    @property
    def entities(self) -> list[str]:
        return list(self._known)

    def rename(self, old: str, new: str) -> None:
        """The entity has another id from now on: what is known of it goes along."""
        known = self._known.pop(old, None)
        if known is not None:
            known.attributes = None
            self._known[new] = known
        if old in self._meters.readings:
            self._meters.readings[new] = self._meters.readings.pop(old)

    def _prepare(self, known: Known, entity_id: str, time_ns: int, given: Mapping[str, Any]) -> None:
        known.template = Event.from_home_assistant(
            {"entity_id": entity_id, "state": "unknown", "attributes": given, "timestamp": time_ns},
            registry=self._registry,
            zone=self._zone,
            attributes=self._attributes,
        )
        known.attributes = given
        metered = given.get("state_class") == METER_CLASS
        known.kwh = KWH_PER_UNIT.get(str(given.get("unit_of_measurement"))) if metered else None

    def _weather_of(self, state: str, given: Mapping[str, Any]) -> Weather:
        """What a weather entity says. What the schema cannot store (a strange unit) leaves the events without it."""
        said = {name: given[name] for name in WEATHER_ATTRIBUTES if given.get(name) is not None}
        if state not in ("unavailable", "unknown", ""):
            said["condition"] = state
        message = {"entity_id": "weather.home", "state": "", "timestamp": 0}
        try:
            event = Event.from_home_assistant(message, zone=self._zone, weather=said)
        except InvalidEvent:
            return NO_WEATHER
        return Weather(*(getattr(event, name) for name in Weather._fields))

    def state(self) -> dict[str, Any]:
        """What is known, as JSON takes it."""
        return {
            "entities": {
                entity: [known.state, known.changed_ns, known.time_ns] for entity, known in self._known.items()
            },
            "meters": dict(self._meters.readings),
            "weather": list(self._weather),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what another History knew."""
        self._known = {
            entity: Known(state=said, changed_ns=changed, time_ns=time_ns)
            for entity, (said, changed, time_ns) in state["entities"].items()
        }
        self._meters = EnergyMeters(dict(state["meters"]))
        self._weather = Weather(*state["weather"])
