"""Every layout that Home Assistant's integration can be told to write: its own code makes the points, a real InfluxDB
1.x keeps them, and what arrives is what the same states are live."""

from __future__ import annotations

import time
from typing import Any

import pytest

from operations.imports.influxdb1_export import InfluxDB1Export
from operations.imports.layout import Layout
from operations.imports.mapping import Mapping1x
from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, HOUR, SECOND, State, a_home
from tests.operations.imports.influxdb1 import InfluxDB1, line
from tests.operations.imports.integration import points
from tests.operations.imports.test_influxdb1 import database, expected, live
from tools.home_assistant import FOLDER

__all__ = ["database"]
NOW = time.time_ns() // SECOND * SECOND
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "the unit, else the entity": {},
    "the unit, else a default": {"default_measurement": "state"},
    "domain and device class": {"measurement_attr": "domain__device_class"},
    "the entity": {"measurement_attr": "entity_id"},
    "one for all": {"override_measurement": "home"},
    "tags and exceptions": {
        "default_measurement": "state",
        "tags": {"source": "HA"},
        "tags_attributes": ["friendly_name", "device_class", "brightness", "is_volume_muted"],
        "ignore_attributes": ["battery_level"],
        "component_config": {"sensor.kitchen_temperature": {"override_measurement": "kitchen"}},
        "component_config_glob": {"binary_sensor.*": {"override_measurement": "doors"}},
        "component_config_domain": {"climate": {"ignore_attributes": ["hvac_modes"]}},
    },
}


def odd_states() -> list[State]:
    """What the integration turns into something else."""
    at = NOW - DAY
    named = {"friendly_name": "Room 21 5"}  # also a field friendly_name with 215
    return [
        State(at, "light.strip", "on", {"rgb_color": [255, 80, 0], "brightness": 3, "friendly_name": "Strip"}),
        State(at + HOUR, "light.strip", "off", {"rgb_color": None, "brightness": None, "friendly_name": "Strip"}),
        State(at, "sensor.count", "3", named),
        State(at + HOUR, "sensor.count", "4", {**named, "value": 18}),
        State(at, "sensor.101", "5", {"friendly_name": "101", "unit_of_measurement": "steps"}),
        State(at, "media_player.tv", "playing", {"volume_level": 0.4, "is_volume_muted": True, "friendly_name": "TV"}),
        State(at, "lock.door", "locked", {"friendly_name": "Lock"}),
        State(at, "sensor.text", "3 rooms", {"friendly_name": "Text", "value": "7"}),
        State(at, "sensor.clock", "2026-11-24", {"device_class": "date", "friendly_name": "Clock"}),
    ]


STATES = sorted([*a_home(NOW - 2 * DAY, NOW, step=4 * HOUR), *odd_states()], key=lambda one: one.time_ns)


@pytest.fixture(scope="module")
def written() -> dict[str, list[str]]:
    """The lines of each configuration."""
    made = points(FOLDER / "bin" / "python", list(CONFIGURATIONS.values()), STATES)
    return {name: [line(*one) for one in found] for name, found in zip(CONFIGURATIONS, made, strict=True)}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_arrives_is_what_it_is_live(
    new_home: NewHome, influxdb1: InfluxDB1, database: str, written: dict[str, list[str]], name: str
) -> None:
    influxdb1.write(database, written[name])
    export = influxdb1.export(database, new_home.folder / "exported")
    wanted = expected(STATES)
    for way, make in (
        ("live", live(influxdb1, database)),
        ("export", lambda: InfluxDB1Export(export, Layout(Mapping1x()), new_home.folder / "parts")),
    ):
        home = NewHome(new_home.server, f"{new_home.prefix}{way}_", new_home.folder / way)
        home.make_buckets(None, None, None)
        report = home.bring(make, summaries=False)
        assert report.written == report.read == len(STATES)
        stored = home.stored()
        assert stored.keys() == wanted.keys()
        for key, found in stored.items():
            assert found == [wanted[key]], (way, key)


def test_a_number_in_the_field_state_is_an_attribute_of_that_name(
    new_home: NewHome, influxdb1: InfluxDB1, database: str
) -> None:
    states = [State(NOW - n * HOUR, "sensor.count", str(n), {"state": 17, "value": 18}) for n in range(3)]
    (made,) = points(FOLDER / "bin" / "python", [{}], states)
    assert {frozenset(fields) for _, _, fields, _ in made} == {frozenset({"value", "state", "value_"})}
    influxdb1.write(database, [line(*one) for one in made])
    new_home.make_buckets(None, None, None)
    new_home.bring(live(influxdb1, database), summaries=False)
    assert {key: found["state_value"] for key, (found,) in new_home.stored().items()} == {
        (one.entity_id, one.time_ns // 1000): one.state for one in states
    }
