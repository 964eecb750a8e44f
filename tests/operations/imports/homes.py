"""A home's states, made up but life-like, as the tests of every import use them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from event_schema import EnergyMeters, Event
from operations.imports.layout import number_text
from tests.operations.imports.influxdb1 import point

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class State:
    """One state as Home Assistant has it."""

    time_ns: int
    entity_id: str
    state: str
    attributes: dict[str, Any]

    @property
    def measurement(self) -> str:
        return self.attributes.get("unit_of_measurement") or self.entity_id


def a_home(start_ns: int, stop_ns: int, *, step: int = 600 * SECOND, seed: int = 1) -> list[State]:
    """A thermometer, a thermostat, a lamp, a door, a meter that starts anew, a text with odd characters."""
    rng = random.Random(seed)
    states: list[State] = []
    meter = 100.0
    lamp = "off"
    for time_ns in range(start_ns, stop_ns, step):

        def add(entity_id: str, state: str, begin: int = time_ns, /, **attributes: Any) -> None:
            kept = {name: value for name, value in attributes.items() if value != ""}
            states.append(State(begin + rng.randrange(step // 2) // 1000 * 1000, entity_id, state, kept))

        add(
            "sensor.kitchen_temperature",
            number_text(round(rng.uniform(15, 25), 1)),
            device_class="temperature",
            state_class="measurement",
            unit_of_measurement="°C",
            friendly_name='Kitchen, "big" one',
            battery_level=87.0,
        )
        if rng.random() < 0.3:
            lamp = "on" if lamp == "off" else "off"
            add("light.lamp", lamp, friendly_name="Lamp", brightness=128.0 if lamp == "on" else "")
        if rng.random() < 0.2:
            meter = 0.0 if rng.random() < 0.05 else meter + round(rng.random(), 3)
            add(
                "sensor.meter",
                number_text(round(meter, 3)),
                device_class="energy",
                state_class="total_increasing",
                unit_of_measurement="kWh",
                friendly_name="Meter",
            )
        if rng.random() < 0.1:
            add("binary_sensor.door", rng.choice(["on", "off"]), device_class="door", friendly_name="Door")
            add("sensor.note", rng.choice(["a b", 'say "hi"', "back\\slash", "two\nlines"]), friendly_name="Note")
            add(
                "climate.hall",
                rng.choice(["heat", "off"]),
                friendly_name="Hall",
                current_temperature=round(rng.uniform(15, 22), 1),
                temperature=20.0,
                hvac_action="heating",
            )
    states.sort(key=lambda one: one.time_ns)
    return states


def lines(states: list[State], **tags: str) -> list[str]:
    """What Home Assistant writes of them into InfluxDB 1.x, measurement by unit."""
    return [point(one.measurement, one.entity_id, one.state, one.attributes, one.time_ns, **tags) for one in states]


def events(states: list[State], **options: Any) -> list[Event]:
    """The events of these states by the schema's own conversion, one message after the other."""
    meters = EnergyMeters()
    made = []
    last: dict[str, dict[str, Any]] = {}
    for one in states:
        old = last.get(one.entity_id)
        changed = one.time_ns if old is None or old["state"] != one.state else old["last_changed"]
        new = {
            "entity_id": one.entity_id,
            "state": one.state,
            "attributes": one.attributes,
            "last_updated": one.time_ns,
            "last_changed": changed,
        }
        message = {"new_state": new, "old_state": old}
        made.append(Event.from_home_assistant(message, meters=meters, **options))
        last[one.entity_id] = new
    return made
