"""From readings to events: what Home Assistant's message says, and what each entity said before.

`Event.from_home_assistant` decides what becomes of attributes, units, places and weather. It is asked once for each
set of attributes of an entity; the parts that change with every reading are filled in here by the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from event_schema import EnergyMeters, Event, InvalidEvent, Placement, normalized, time_of_day
from event_schema.conversion import KWH_PER_UNIT
from operations.imports.reading import SECOND, Reading

# Every time zone's offset is a whole number of these.
QUARTER_HOUR = 900 * SECOND
REMEMBERED_STATES = 20_000
METER_CLASS = "total_increasing"


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
        self._weather: dict[str, Any] = {}
        self._known: dict[str, Known] = {}
        self._meters = EnergyMeters()
        self._numbers: dict[str, float | None] = {}
        self._quarter = -1
        self._time_of_day = ""
        self._weather_fields: tuple[Any, ...] = (None, None, None, None)

    def use_registry(self, registry: Mapping[str, Placement | Mapping[str, Any]]) -> None:
        """Take areas, devices and integrations from this registry from now on."""
        self._registry = registry
        for known in self._known.values():
            known.attributes = None

    def event(self, reading: Reading) -> Event:
        """The event of the entity's next reading. Raises InvalidEvent naming the field, the value and the rule."""
        time_ns, entity_id, state, attributes, changed_ns, _ = reading
        known = self._known.get(entity_id)
        if known is None:
            known = self._known[entity_id] = Known()
        if known.attributes is not attributes:
            self._prepare(known, reading)
        template = known.template
        assert template is not None
        before = known.state
        if changed_ns is None:
            changed_ns = time_ns if state != before or known.changed_ns is None else known.changed_ns
        duration = None if known.changed_ns is None else (changed_ns - known.changed_ns) // SECOND
        quarter = time_ns // QUARTER_HOUR
        if quarter != self._quarter:
            self._quarter, self._time_of_day = quarter, time_of_day(time_ns, self._zone)
        if entity_id == self._weather_entity:
            self._see_weather(reading)
        try:
            number = self._numbers[state]
        except KeyError:
            if len(self._numbers) >= REMEMBERED_STATES:
                self._numbers.clear()
            number = self._numbers[state] = normalized(state)
        energy = None
        if known.kwh is not None and number is not None:
            energy = self._meters.increase(entity_id, number * known.kwh)
        known.state, known.changed_ns, known.time_ns = state, changed_ns, time_ns
        temp, humidity, pressure, condition = self._weather_fields
        return Event(
            time_ns=time_ns,
            entity_id=entity_id,
            domain=template.domain,
            device_class=template.device_class,
            area=template.area,
            device_name=template.device_name,
            integration=template.integration,
            weather_condition=condition,
            time_of_day=self._time_of_day,
            state_value=state or None,
            previous_state=before,
            normalized_value=number,
            duration_seconds=duration if duration is not None and duration >= 0 else None,
            energy_consumption=energy,
            weather_temp=temp,
            weather_humidity=humidity,
            weather_pressure=pressure,
            unit_of_measurement=template.unit_of_measurement,
            attributes=template.attributes,
        )

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

    def _prepare(self, known: Known, reading: Reading) -> None:
        given = reading.attributes
        known.template = Event.from_home_assistant(
            {"entity_id": reading.entity_id, "state": "unknown", "attributes": given, "timestamp": reading.time_ns},
            registry=self._registry,
            zone=self._zone,
            attributes=self._attributes,
        )
        known.attributes = given
        metered = given.get("state_class") == METER_CLASS
        known.kwh = KWH_PER_UNIT.get(str(given.get("unit_of_measurement"))) if metered else None

    def _see_weather(self, reading: Reading) -> None:
        given = reading.attributes
        weather = {
            name: given[name]
            for name in ("temperature", "humidity", "pressure", "temperature_unit", "pressure_unit")
            if given.get(name) is not None
        }
        if reading.state not in ("unavailable", "unknown", ""):
            weather["condition"] = reading.state
        self._set_weather(weather)

    def _set_weather(self, weather: dict[str, Any]) -> None:
        """What the schema cannot store of a weather (a strange unit) leaves the events without it."""
        try:
            made = Event.from_home_assistant(
                {"entity_id": "weather.home", "state": "", "timestamp": 0}, zone=self._zone, weather=weather
            )
        except InvalidEvent:
            weather = {}
            self._weather_fields = (None, None, None, None)
        else:
            self._weather_fields = (
                made.weather_temp,
                made.weather_humidity,
                made.weather_pressure,
                made.weather_condition,
            )
        self._weather = weather

    def state(self) -> dict[str, Any]:
        """What is known, as JSON takes it."""
        return {
            "entities": {
                entity: [known.state, known.changed_ns, known.time_ns] for entity, known in self._known.items()
            },
            "meters": dict(self._meters.readings),
            "weather": self._weather,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what another History knew."""
        self._known = {
            entity: Known(state=said, changed_ns=changed, time_ns=time_ns)
            for entity, (said, changed, time_ns) in state["entities"].items()
        }
        self._meters = EnergyMeters(dict(state["meters"]))
        self._set_weather(dict(state["weather"]))
