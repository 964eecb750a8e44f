"""A history's readings make the same events however many are taken at once."""

from __future__ import annotations

import random
from typing import Any

from event_schema import Event, InvalidEvent
from operations.imports.history import History
from operations.imports.reading import Reading, Run
from tests.operations.imports.conftest import ZONE
from tests.operations.imports.homes import HOUR, SECOND

METER = {"state_class": "total_increasing", "unit_of_measurement": "kWh", "device_class": "energy"}
PLAIN = {"unit_of_measurement": "°C", "device_class": "temperature"}
# A tag cannot be a list: readings with these make no event.
WRONG = {"device_class": ["x"]}
WEATHER = ({"temperature": 1.0, "temperature_unit": "°C"}, {"temperature": 2.0, "temperature_unit": "°C"})


def readings(seed: int) -> list[Reading]:
    rng = random.Random(seed)
    found, time_ns = [], 1_790_000_000 * SECOND
    for _ in range(600):
        time_ns += rng.randrange(1, HOUR // 2)
        entity = rng.choice(["sensor.meter", "sensor.plain", "weather.home"])
        state = rng.choice(["1.5", "2.5", "0.1", "on", "unknown", "", "sunny"])
        attributes: Any = rng.choice([METER, PLAIN, WRONG]) if entity != "weather.home" else rng.choice(WEATHER)
        changed = rng.choice([None, time_ns, time_ns - SECOND, time_ns - 3 * HOUR])
        found.append(Reading(time_ns, entity, state, attributes, changed, "s"))
    return found


def one_by_one(given: list[Reading]) -> tuple[list[Event], list[tuple[str, int, str]]]:
    history, events, refused = History(zone=ZONE, weather_entity="weather.home"), [], []
    for reading in given:
        try:
            events.append(history.event(reading))
        except InvalidEvent as error:
            refused.append((reading.entity_id, reading.time_ns, error.field))
    return events, refused


def in_runs(given: list[Reading], size: int) -> tuple[list[Event], list[tuple[str, int, str]]]:
    history = History(zone=ZONE, weather_entity="weather.home")
    events: list[Event] = []
    refused: list[tuple[str, int, str]] = []

    def refuse(entity: str, time_ns: int, error: InvalidEvent) -> None:
        refused.append((entity, time_ns, error.field))

    for start in range(0, len(given), size):
        by_entity: dict[str, list[Reading]] = {}
        for reading in given[start : start + size]:
            by_entity.setdefault(reading.entity_id, []).append(reading)
        for made in history.events([Run.of(together) for together in by_entity.values()], refuse):
            events += made
        history, before = History(zone=ZONE, weather_entity="weather.home"), history
        history.restore(before.state())
    return events, refused


def test_runs_make_the_events_that_single_readings_make() -> None:
    for seed in range(3):
        given = readings(seed)
        events, refused = one_by_one(given)
        assert refused
        assert len(events) + len(refused) == len(given)
        assert {event.weather_temp for event in events} == {None, 1.0, 2.0}
        assert any(event.energy_consumption for event in events)
        for size in (1, 7, 100, 600):
            made, not_made = in_runs(given, size)
            assert sorted(made, key=lambda one: one.time_ns) == events
            assert sorted(not_made, key=lambda one: one[1]) == refused
