"""From readings to events: what Home Assistant's message says, and what each entity said before.

`Event.from_home_assistant` decides what becomes of attributes, units, places and weather. It is asked once for each
set of attributes of an entity; the parts that change with every reading are filled in here by the same functions.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import repeat
from operator import eq, floordiv, is_, sub
from typing import Any, NamedTuple, cast

from event_schema import (
    HOME_ASSISTANT_EVENTS,
    EnergyMeters,
    Event,
    Field,
    InvalidEvent,
    Placement,
    normalized,
    time_of_day,
)
from event_schema.conversion import KWH_PER_UNIT
from event_schema.event import variants
from operations.imports.reading import SECOND, Reading, Run, Skipped
from writer.encoder import range_error
from writer.line_protocol import tag_text

# Every time zone's offset is a whole number of these.
QUARTER_HOUR = 900 * SECOND
REMEMBERED_STATES = 20_000
REMEMBERED_TEMPLATES = 10_000
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
WEATHER_FIELDS = tuple(one for one in HOME_ASSISTANT_EVENTS.fields if one.name in Weather._fields)
# Tags that come from what people write. An event without one is better than none.
PEOPLES_TAGS = ("device_class", "area", "device_name", "integration")

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


class Numbers(dict[str, float | None]):
    """States as numbers, remembered: a home says the same again and again."""

    def __missing__(self, state: str) -> float | None:
        if len(self) >= REMEMBERED_STATES:
            self.clear()
        number = self[state] = normalized(state)
        return number


class Template(NamedTuple):
    """What attributes make of an entity's events; `kwh` of one of its meter's units, None where it is no meter."""

    attributes: Mapping[str, Any]
    event: Event
    kwh: float | None


@dataclass(slots=True)
class Known:
    """What is known of an entity."""

    state: str | None = None
    changed_ns: int | None = None
    time_ns: int = 0


def since_when(run: Run, before: Sequence[str | None], known: int | None) -> list[int]:
    """Since when each state is what it is; `before`: the states before them, of which the first began at `known`."""
    since = known
    if run.changed_ns is not None and None not in run.changed_ns:
        return cast("list[int]", list(run.changed_ns))
    if run.changed_ns is None and not any(map(eq, run.states, before)):
        return run.times
    return [
        since := given if given is not None else time_ns if state != last or since is None else since
        for time_ns, state, last, given in zip(
            run.times, run.states, before, run.changed_ns or repeat(None), strict=False
        )
    ]


def seconds_between(first: int | None, later: Sequence[int]) -> list[int | None]:
    """Whole seconds from `first` and each time to the next; None where there is none or the clock went back."""
    spans = list(map(sub, later, [later[0] if first is None else first, *later[:-1]]))
    if min(spans) < 0:
        found = [None if span < 0 else span // SECOND for span in spans]
    else:
        found = list(map(floordiv, spans, repeat(SECOND)))
    return found if first is not None else [None, *found[1:]]


def weather_columns(times: Sequence[int], weather: Sequence[tuple[int, Weather]]) -> Sequence[Any]:
    """For each of its fields the value at all times, or a list of those at each."""
    since = [from_ns for from_ns, _ in weather]
    first, last = bisect_right(since, times[0]) - 1, bisect_right(since, times[-1]) - 1
    if first == last:
        return weather[first][1]
    return [list(column) for column in zip(*(weather[bisect_right(since, at) - 1][1] for at in times), strict=True)]


def out_of_range(field: Field, value: float) -> InvalidEvent | None:
    low, high = field.minimum, field.maximum
    if (low is None or value >= low) and (high is None or value <= high):
        return None
    return range_error(field, value)


class History:
    """Makes the events of a home, reading by reading in order of time.

    `registry`: entity -> Placement; `attributes`: those to keep, by domain or entity (default: the schema's);
    `weather_entity`: whose state and attributes are the weather of every event. `state()` and `restore()` carry what
    is known over to another process. `incomplete`: what events lack because it could not be stored, and how often it
    was said.
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
        self.incomplete = Skipped()
        self._known: dict[str, Known] = {}
        self._meters = EnergyMeters()
        self._numbers = Numbers()
        # By entity and its attributes' identity, which holds as long as the template holds them.
        self._templates: dict[tuple[str, int], Template] = {}
        self._quarters: dict[int, str] = {}

    def use_registry(self, registry: Mapping[str, Placement | Mapping[str, Any]]) -> None:
        """Take areas, devices and integrations from this registry from now on."""
        self._registry = registry
        self._templates.clear()

    def event(self, reading: Reading) -> Event:
        """The event of the entity's next reading. Raises InvalidEvent naming the field, the value and the rule."""
        if reading.entity_id == self._weather_entity:
            self._weather = self._weather_of(reading.time_ns, reading.state, reading.attributes)

        def refuse(_entity: str, _time: int, error: InvalidEvent) -> None:
            raise error

        return self._events(Run.of([reading]), [(reading.time_ns, self._weather)], refuse)[0]

    def alone(self, reading: Reading) -> Event:
        """The event of a reading whose place among the others nobody knows: without the state before it, how long that
        lasted and what a meter rose by. Nothing is learnt from it. Raises as `event`."""
        known, kwh = self._known.pop(reading.entity_id, None), self._meters.readings.pop(reading.entity_id, None)
        weather = self._weather
        try:
            return self.event(reading)
        finally:
            self._weather = weather
            self._known.pop(reading.entity_id, None)
            self._meters.readings.pop(reading.entity_id, None)
            if known is not None:
                self._known[reading.entity_id] = known
            if kwh is not None:
                self._meters.readings[reading.entity_id] = kwh

    def events(self, runs: Sequence[Run], refuse: Refuse) -> Iterator[list[Event]]:
        """The events of each entity's next readings; at most one run of an entity. `refuse(entity, time_ns, error)` is
        told of readings that make none. Take all of them before the next call."""
        weather = [(-sys.maxsize, self._weather)]
        for run in runs:
            if run.entity_id == self._weather_entity:
                for time_ns, state, attributes in zip(run.times, run.states, run.attributes, strict=True):
                    weather.append((time_ns, self._weather_of(time_ns, state, attributes)))
        self._weather = weather[-1][1]
        return (self._events(run, weather, refuse) for run in runs)

    def _events(self, run: Run, weather: Sequence[tuple[int, Weather]], refuse: Refuse) -> list[Event]:
        """Column by column. `weather` from when on, in order of time."""
        known = self._known.get(run.entity_id)
        if known is None:
            known = self._known[run.entity_id] = Known()
        run, templates = self._with_templates(run, refuse)
        if not run.times:
            return []
        states = run.states
        before = [known.state, *states[:-1]]
        changed = since_when(run, before, known.changed_ns)
        numbers = list(map(self._numbers.__getitem__, states))
        events = made(
            len(states),
            templates[0].event if len(templates) == 1 else [one.event for one in templates],
            run.times,
            self._times_of_day(run.times),
            states if all(states) else [state or None for state in states],
            before,
            numbers,
            seconds_between(known.changed_ns, changed),
            self._energy(run.entity_id, numbers, templates),
            *weather_columns(run.times, weather),
        )
        known.state, known.changed_ns, known.time_ns = states[-1], changed[-1], run.times[-1]
        return events

    def _with_templates(self, run: Run, refuse: Refuse) -> tuple[Run, list[Template]]:
        """The readings whose attributes make events, and the template of each; one where it is the same for all."""
        same = all(map(is_, run.attributes, repeat(run.attributes[0])))
        found: list[Template | None] = []
        before: Any = None
        for time_ns, attributes in zip(run.times, run.attributes[:1] if same else run.attributes, strict=False):
            if attributes is not before:
                try:
                    template, why = self._template(run.entity_id, time_ns, attributes), None
                except InvalidEvent as error:
                    template, why = None, error
                before = attributes
            if why is not None:
                for at in run.times if same else (time_ns,):
                    refuse(run.entity_id, at, why)
            found.append(template)
        whole = [one for one in found if one is not None]
        if len(whole) < len(found):
            run = run.chosen([one is not None for one in found] * (len(run) if same else 1))
        return run, whole

    def _template(self, entity_id: str, time_ns: int, given: Mapping[str, Any]) -> Template:
        """Raises InvalidEvent."""
        template = self._templates.get((entity_id, id(given)))
        if template is None:
            event = self._storable(entity_id, time_ns, given)
            metered = given.get("state_class") == METER_CLASS
            kwh = KWH_PER_UNIT.get(str(given.get("unit_of_measurement"))) if metered else None
            if len(self._templates) >= REMEMBERED_TEMPLATES:
                self._templates.clear()
            template = self._templates[entity_id, id(given)] = Template(given, event, kwh)
        return template

    def _storable(self, entity_id: str, time_ns: int, given: Mapping[str, Any]) -> Event:
        """An event with these attributes, without the tags that could not be stored. Raises InvalidEvent."""
        tag_text("entity_id", entity_id)
        event = Event.from_home_assistant(
            {"entity_id": entity_id, "state": "unknown", "attributes": given, "timestamp": time_ns},
            registry=self._registry,
            zone=self._zone,
            attributes=self._attributes,
        )
        for name in PEOPLES_TAGS:
            try:
                tag_text(name, getattr(event, name) or "")
            except InvalidEvent as error:
                self.incomplete.add(entity_id, f"{name}: {error.rule}; its events are without it", time_ns)
                setattr(event, name, None)
        return event

    def _energy(
        self, entity_id: str, numbers: Sequence[float | None], templates: Sequence[Template]
    ) -> list[float | None] | None:
        if all(template.kwh is None for template in templates):
            return None
        increase = self._meters.increase
        units = [template.kwh for template in templates]
        return [
            None if number is None or kwh is None else increase(entity_id, number * kwh)
            for number, kwh in zip(numbers, units if len(units) > 1 else repeat(units[0]), strict=False)
        ]

    def _times_of_day(self, times: Sequence[int]) -> list[str]:
        found: list[str] = []
        while (start := len(found)) < len(times):
            quarter = times[start] // QUARTER_HOUR
            stop = bisect_left(times, (quarter + 1) * QUARTER_HOUR, start)
            found += [self._part_of_day(quarter)] * (stop - start)
        return found

    def _part_of_day(self, quarter: int) -> str:
        found = self._quarters.get(quarter)
        if found is None:
            if len(self._quarters) >= REMEMBERED_STATES:
                self._quarters.clear()
            found = self._quarters[quarter] = time_of_day(quarter * QUARTER_HOUR, self._zone)
        return found

    def last_time_ns(self, entity_id: str) -> int:
        """When the entity's last event was; 0 before its first."""
        known = self._known.get(entity_id)
        return 0 if known is None else known.time_ns

    def set_back(self, time_ns: int) -> None:
        """The clock stands at this time again: no entity's last event is taken to be later."""
        for known in self._known.values():
            known.time_ns = min(known.time_ns, time_ns)

    @property
    def entities(self) -> list[str]:
        return list(self._known)

    def rename(self, old: str, new: str) -> None:
        """The entity has another id from now on: what is known of it goes along."""
        known = self._known.pop(old, None)
        if known is not None:
            self._known[new] = known
        if old in self._meters.readings:
            self._meters.readings[new] = self._meters.readings.pop(old)

    def _weather_of(self, time_ns: int, state: str, given: Mapping[str, Any]) -> Weather:
        """What a weather entity says. What the schema cannot store (a strange unit, 120 %) events are without."""
        entity = str(self._weather_entity)
        said = {name: given[name] for name in WEATHER_ATTRIBUTES if given.get(name) is not None}
        if state not in ("unavailable", "unknown", ""):
            said["condition"] = state
        try:
            event = Event.from_home_assistant(
                {"entity_id": entity, "state": "", "timestamp": 0}, zone=self._zone, weather=said
            )
            if event.weather_condition is not None:
                tag_text("weather_condition", event.weather_condition)
        except InvalidEvent as error:
            self.incomplete.add(entity, f"{error.field}: {error.rule}; no weather until its next state", time_ns)
            return NO_WEATHER
        found = {name: getattr(event, name) for name in Weather._fields}
        for field in WEATHER_FIELDS:
            value = found[field.name]
            wrong = None if value is None else out_of_range(field, value)
            if wrong is not None:
                self.incomplete.add(entity, f"{wrong.field}: {wrong.rule}; events are without it", time_ns)
                found[field.name] = None
        return Weather(**found)

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
