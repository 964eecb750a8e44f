"""From a real InfluxDB 1.x and from its own export: every state is there, once, as the schema makes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from event_schema import HOME_ASSISTANT_EVENTS, Event
from operations.imports.influxdb1_export import InfluxDB1Export
from operations.imports.influxdb1_server import InfluxDB1Server, Server1x
from operations.imports.layout import Layout
from operations.imports.mapping import Mapping1x
from operations.imports.reading import Pace
from tests.operations.imports.conftest import ZONE, NewHome
from tests.operations.imports.homes import DAY, State, a_home, events, lines
from tests.operations.imports.influxdb1 import InfluxDB1

NOW = time.time_ns() // 10**9 * 10**9
NAMES = HOME_ASSISTANT_EVENTS.tag_names + HOME_ASSISTANT_EVENTS.field_names


def expected(states: list[State]) -> dict[tuple[str, int], dict[str, Any]]:
    made = events(states, zone=ZONE)
    return {(one.entity_id, one.time_ns // 1000): plain(one) for one in made}


def plain(event: Event) -> dict[str, Any]:
    found = {name: getattr(event, name) for name in NAMES if getattr(event, name) not in (None, "")}
    attributes = {f"attribute_{name}": value for name, value in (event.attributes or {}).items()}
    return {"time": event.time_ns // 1000, **found, **attributes}


@pytest.fixture
def database(influxdb1: InfluxDB1, unique: str) -> str:
    influxdb1.query(f'CREATE DATABASE "{unique}"')
    return unique


def live(server: InfluxDB1, database: str, **changes: Any) -> Callable[[], InfluxDB1Server]:
    mapping = changes.pop("mapping", Mapping1x())
    return lambda: InfluxDB1Server(
        Server1x(url=server.url, database=database, **changes), Layout(mapping), pace=Pace(wanted=500)
    )


def exported(server: InfluxDB1, database: str, home: NewHome, *, compress: bool) -> Callable[[], InfluxDB1Export]:
    path = server.export(database, home.folder / "export", compress=compress)
    return lambda: InfluxDB1Export(path, Layout(Mapping1x()), home.folder / "import" / "parts")


@pytest.mark.parametrize("way", ["live", "plain", "gzip"])
def test_every_state_arrives_once(new_home: NewHome, influxdb1: InfluxDB1, database: str, way: str) -> None:
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 40 * DAY, NOW, step=3600 * 10**9)
    influxdb1.write(database, lines(states))
    make: Any = live(influxdb1, database)
    if way != "live":
        make = exported(influxdb1, database, new_home, compress=way == "gzip")
    report = new_home.bring(make, summaries=False)
    assert (report.finished, report.written, report.already_there) == (True, len(states), 0)
    wanted = expected(states)
    stored = new_home.stored()
    assert stored.keys() == wanted.keys()
    for key, points in stored.items():
        assert points == [wanted[key]], key
    assert report.entities["sensor.kitchen_temperature"].series == ["°C"]
    assert any("battery_level" in what for what in report.left_out)


def test_an_export_that_was_made_again_brings_what_is_new(
    new_home: NewHome, influxdb1: InfluxDB1, database: str
) -> None:
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 3 * DAY, NOW, step=3600 * 10**9)
    half = len(states) // 2
    influxdb1.write(database, lines(states[:half]))
    first = new_home.bring(exported(influxdb1, database, new_home, compress=False), summaries=False)
    assert first.written == half
    influxdb1.write(database, lines(states[half:]))
    second = new_home.bring(exported(influxdb1, database, new_home, compress=False), summaries=False)
    assert second.written == len(states)
    assert new_home.stored().keys() == expected(states).keys()
