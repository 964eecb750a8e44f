"""From Home Assistant's recorder, of each generation of its schema: every state once, statistics marked and apart."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from operations.imports.reading import SourceError
from operations.imports.recorder import Recorder
from tests.operations.imports.conftest import NewHome
from tests.operations.imports.databases import SERVERS
from tests.operations.imports.homes import DAY, HOUR, SECOND, State, a_home
from tests.operations.imports.recorder_files import RecorderFile, Statistic
from tests.operations.imports.test_influxdb1 import expected

NOW = time.time_ns() // SECOND * SECOND
# One on each side of every change of the tables: statistics (16, 18), attributes apart (25), seconds (31, of statistics
# 34), entity ids apart (38); and the newest.
VERSIONS = (9, 17, 18, 24, 25, 30, 31, 33, 34, 37, 38, 43, 53)


def with_texts(states: list[State]) -> list[State]:
    """What InfluxDB 1.x never got: unavailable."""
    lost = [
        State(one.time_ns + 1_000_000, one.entity_id, "unavailable", one.attributes)
        for one in states[::7]
        if one.entity_id != "sensor.meter"
    ]
    return sorted(states + lost, key=lambda one: one.time_ns)


def sqlite_file(path: Path, version: int, states: list[State], statistics: list[Statistic] | None = None) -> Path:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    made = RecorderFile(connection.execute, version)
    made.add_states(states)
    made.add_statistics(statistics or [])
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_every_state_of_every_schema(new_home: NewHome, version: int) -> None:
    new_home.make_buckets(None, None, None)
    states = with_texts(a_home(NOW - 6 * DAY, NOW, step=4 * HOUR, seed=version))
    path = sqlite_file(new_home.folder / "home-assistant_v2.db", version, states)
    before = path.read_bytes()
    report = new_home.bring(lambda: Recorder(str(path)), summaries=False)
    assert (report.written, report.already_there) == (len(states), 0)
    wanted = expected(states)
    stored = new_home.stored()
    assert stored.keys() == wanted.keys()
    for key, points in stored.items():
        assert points == [wanted[key]], key
    assert path.read_bytes() == before


def hours_of(entity_id: str, start_ns: int, count: int, **values: Any) -> list[Statistic]:
    unit = values.pop("unit", "°C")
    if "total" in values:
        return [
            Statistic(start_ns + n * HOUR, entity_id, unit, state=float(n), total=n * values["total"])
            for n in range(count)
        ]
    return [
        Statistic(start_ns + n * HOUR, entity_id, unit, mean=10.0 + n % 5, low=5.0 + n % 3, high=20.0 + n % 7)
        for n in range(count)
    ]


@pytest.mark.parametrize("version", [17, 18, 33, 34, 53])
def test_statistics_of_the_time_before_are_apart_and_marked(new_home: NewHome, version: int) -> None:
    new_home.make_buckets(None, None, None)
    begin = (NOW - 12 * DAY) // HOUR * HOUR
    states = a_home(NOW - 2 * DAY, NOW, step=3600 * SECOND)
    count = 11 * 24
    statistics = [
        *hours_of("sensor.kitchen_temperature", begin, count),
        *hours_of("sensor.meter", begin, count, unit="kWh", total=0.5),
        *hours_of("sensor.meter_in_other_unit", begin, 2),
        *hours_of("tibber:energy", begin, 3, unit="kWh", total=1.0),
    ]
    statistics = [
        Statistic(one.time_ns, one.entity_id, one.unit, one.mean, one.low, one.high, one.state, one.total, "tibber")
        if ":" in one.entity_id
        else one
        for one in statistics
    ]
    statistics.sort(key=lambda one: one.time_ns)
    path = sqlite_file(new_home.folder / "home-assistant_v2.db", version, states, statistics)
    report = new_home.bring(lambda: Recorder(str(path)), summaries=False)
    first = {one.entity_id: one.time_ns for one in reversed(states)}
    hourly = new_home.stored("hourly", "hourly_statistics")
    wanted = {
        (one.entity_id, one.time_ns // 1000): one
        for one in statistics
        if "." in one.entity_id and ":" not in one.entity_id and one.time_ns + HOUR <= first.get(one.entity_id, NOW)
    }
    # The first hour of a meter has no sum before it; its state alone is known.
    assert hourly.keys() == wanted.keys()
    for key, (row,) in hourly.items():
        one = wanted[key]
        if one.mean is not None:
            assert (row["time_weighted_avg"], row["min_value"], row["max_value"]) == (one.mean, one.low, one.high)
            assert (row["covered_seconds"], row["value_seconds"]) == (3600.0, one.mean * 3600)
            assert "event_count" not in row
            assert "avg_value" not in row
        else:
            assert row["last_value"] == one.state
            assert row.get("increase", 0.0) == (0.5 if one.time_ns > begin else 0.0)
            assert row.get("total_energy") == row.get("increase")
    assert hourly["sensor.kitchen_temperature", begin // 1000][0]["device_class"] == "temperature"
    daily = new_home.stored("daily", "daily_statistics")
    meter_days = [row for (entity, _), (row,) in sorted(daily.items()) if entity == "sensor.meter"]
    assert all(row["increase"] in (11.5, 12.0, 12.5) or row is meter_days[0] for row in meter_days)
    whole = [row for (entity, _), (row,) in daily.items() if entity == "sensor.kitchen_temperature"]
    assert sum(row["covered_seconds"] for row in whole) <= count * 3600
    for row in whole:
        assert math.isclose(row["time_weighted_avg"], row["value_seconds"] / row["covered_seconds"])
    assert report.statistics == {"hourly": len(hourly), "daily": len(daily)}
    assert ("statistic tibber:energy", "a statistic that is no entity's") in report.statistics_skipped
    # Nothing of it stands among the rows of events, and nothing of them was touched.
    assert not new_home.stored("hourly")
    assert not new_home.stored("daily")
    again = new_home.bring(lambda: Recorder(str(path)), summaries=False)
    assert again.statistics == report.statistics
    assert new_home.stored("hourly", "hourly_statistics") == hourly


def test_a_migration_that_is_not_done_yet(new_home: NewHome) -> None:
    """Home Assistant moves attributes and entity ids in the background: rows of the old and of the new kind beside each
    other; and what has no time yet is named."""
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 2 * DAY, NOW, step=2 * HOUR)
    first = min(one.time_ns for one in states if one.entity_id == "sensor.kitchen_temperature")
    statistics = hours_of("sensor.kitchen_temperature", (NOW - 3 * DAY) // HOUR * HOUR, 60)
    path = sqlite_file(new_home.folder / "db", 38, states, statistics)
    connection = sqlite3.connect(path)
    old = "(SELECT count(*) / 2 FROM states)"
    connection.execute(
        "UPDATE states SET entity_id = (SELECT entity_id FROM states_meta m WHERE m.metadata_id = states.metadata_id),"
        " attributes = (SELECT shared_attrs FROM state_attributes a WHERE a.attributes_id = states.attributes_id),"
        f" metadata_id = NULL, attributes_id = NULL WHERE state_id <= {old}"
    )
    connection.execute("INSERT INTO states (state, entity_id, last_updated) VALUES ('1', 'sensor.x', '2020-01-01')")
    connection.commit()
    connection.close()
    report = new_home.bring(lambda: Recorder(str(path)), summaries=False)
    wanted = expected(states)
    stored = new_home.stored()
    assert stored.keys() == wanted.keys()
    assert all(points == [wanted[key]] for key, points in stored.items())
    assert report.left_out["1 states"].startswith("without a time: Home Assistant's migration")
    # The first states are among those of the old kind.
    hours = [at * 1000 for _, at in new_home.stored("hourly", "hourly_statistics")]
    assert max(hours) + HOUR <= first


def test_statistics_come_over_where_all_states_are_purged(new_home: NewHome) -> None:
    new_home.make_buckets(None, None, None)
    statistics = hours_of("sensor.kitchen_temperature", (NOW - 9 * DAY) // HOUR * HOUR, 48)
    path = sqlite_file(new_home.folder / "home-assistant_v2.db", 53, [], statistics)
    report = new_home.bring(lambda: Recorder(str(path)))
    assert len(new_home.stored("hourly", "hourly_statistics")) == report.statistics["hourly"] == 48
    assert "nothing in it" not in report.text()


@pytest.mark.parametrize("version", [8, 54, 1000])
def test_an_unknown_schema_is_refused_with_its_number(new_home: NewHome, version: int) -> None:
    path = sqlite_file(new_home.folder / "db", 43, [])
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE schema_changes SET schema_version = {version}")
    connection.close()
    new_home.make_buckets(None, None, None)
    with pytest.raises(SourceError, match=f"has the recorder schema {version}, which is not known here: 9 to 53 are"):
        new_home.bring(lambda: Recorder(str(path)))


def test_what_is_no_recorder_is_a_sentence(new_home: NewHome) -> None:
    new_home.make_buckets(None, None, None)
    other = new_home.folder / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    text = new_home.folder / "text.db"
    text.write_text("hello " * 5000)
    cut = sqlite_file(new_home.folder / "cut.db", 43, a_home(NOW - DAY, NOW))
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) // 3])
    for path, sentence in (
        (other, "is not Home Assistant's recorder: it has no tables states and schema_changes .its tables: songs"),
        (text, "cannot be read .file is not a database.: it is damaged"),
        (new_home.folder / "none.db", "There is no file .*none.db: name Home Assistant's home-assistant_v2.db"),
        (cut, "malformed.: it is damaged, or a copy made while Home Assistant wrote"),
    ):
        with pytest.raises(SourceError, match=sentence):
            new_home.bring(partial(Recorder, str(path)))


def test_a_recorder_that_is_being_written(new_home: NewHome) -> None:
    """States come in while they are read; what was there at the beginning arrives, the rest with the next run."""
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 3 * DAY, NOW - DAY, step=600 * SECOND)
    path = sqlite_file(new_home.folder / "home-assistant_v2.db", 43, states)
    stop = threading.Event()
    written: list[int] = []

    def write_on() -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        number = 0
        while not stop.is_set():
            number += 1
            at = NOW - DAY + number * SECOND
            connection.execute(
                "INSERT INTO states (state, last_updated_ts, metadata_id) VALUES (?, ?, 1)", (str(number), at / SECOND)
            )
            written.append(at)
            time.sleep(0.002)
        connection.close()

    thread = threading.Thread(target=write_on)
    thread.start()
    try:
        first = new_home.bring(lambda: Recorder(str(path)), summaries=False)
    finally:
        stop.set()
        thread.join()
    assert first.written >= len(states)
    second = new_home.bring(lambda: Recorder(str(path)), summaries=False)
    assert second.written == len(states) + len(written)
    assert len(new_home.stored()) == len(states) + len(written)


@pytest.mark.parametrize("name", list(SERVERS))
def test_mariadb_and_postgresql_by_address(new_home: NewHome, name: str) -> None:
    new_home.make_buckets(None, None, None)
    server = SERVERS[name](new_home.folder)
    try:
        for version in (16, 43):
            states = with_texts(a_home(NOW - 3 * DAY, NOW, step=HOUR, seed=version))
            made = RecorderFile(server.execute, version, dialect=server.dialect, mark=server.mark)
            made.add_states(states)
            begin = (NOW - (version + 9) * DAY) // HOUR * HOUR
            made.add_statistics(hours_of("sensor.kitchen_temperature", begin, 48))
            home = NewHome(new_home.server, new_home.prefix, new_home.folder / str(version))
            report = home.bring(partial(Recorder, server.address), summaries=False)
            assert report.written == len(states)
            assert report.statistics["hourly"] == 48
            wanted = expected(states)
            stored = home.stored()
            assert stored.keys() >= wanted.keys()
            for key, event in wanted.items():
                assert stored[key] == [event], key
            tables = ["states", "statistics", "schema_changes", "state_attributes", "states_meta", "statistics_meta"]
            for table in tables:
                server.execute(f"DROP TABLE IF EXISTS {table}")
    finally:
        server.stop()
    with pytest.raises(SourceError, match=r"the recorder \w+://\w+@127.0.0.1:\d+/\w+ cannot be read: "):
        new_home.bring(partial(Recorder, server.address))


async def test_statistics_are_wanted_for_the_time_before_the_first_state_under_any_name(tmp_path: Path) -> None:
    begin = (NOW - 9 * DAY) // HOUR * HOUR
    states = [State(begin + n * DAY, name, "21", {}) for n, name in enumerate(("sensor.new", "sensor.old"))]
    for order in (states, states[::-1]):
        path = sqlite_file(tmp_path / f"{order[0].entity_id}.db", 53, order)
        async with Recorder(str(path), rename={"sensor.old": "sensor.new"}) as source:
            await source.span()
            assert await source.first_states() == {"sensor.new": begin}
