"""Nothing is skipped without being in the report, and a dry run says the same as the import that follows it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from operations.imports.borders import TOO_OLD
from operations.imports.history import History
from operations.imports.influxdb1_export import InfluxDB1Export
from operations.imports.influxdb1_server import InfluxDB1Server, Server1x
from operations.imports.intake import IN_THE_FUTURE, TWIN
from operations.imports.layout import (
    IGNORED,
    NO_ENTITY,
    NO_STATE,
    NO_STATES,
    NOT_KEPT,
    NOT_WANTED,
    TAG_NOT_KEPT,
    Layout,
)
from operations.imports.mapping import Mapping1x, MeasurementRule
from operations.imports.recorder import EXTERNAL, NAMELESS, NOT_JSON, REMOVED, TIMELESS, Recorder
from operations.imports.report import Report
from operations.imports.statistics import EMPTY, FIRST_DAY, HAS_STATES, OTHER_UNIT
from tests.operations.imports.conftest import ZONE, NewHome
from tests.operations.imports.homes import DAY, HOUR, SECOND, State, a_home, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.recorder_files import Statistic
from tests.operations.imports.test_influxdb1 import database
from tests.operations.imports.test_recorder import sqlite_file

__all__ = ["database"]
NOW = time.time_ns() // SECOND * SECOND
WITHOUT_TIME = ("dry_run", "seconds")
# Of long-term statistics: reasons that stand for whole days beside the hours.
DAYS = (FIRST_DAY,)


def in_dry_run_and_import(home: NewHome, make: Callable[[], Any], **options: Any) -> Report:
    """The import's report, after a dry run that said the same and wrote nothing."""
    before = home.stored()
    dry = home.bring(make, dry_run=True, history=weather_history(), **options)
    assert home.stored() == before
    done = home.bring(make, summaries=False, history=weather_history(), **options)
    said, did = dry.as_json(), done.as_json()
    for name in WITHOUT_TIME:
        del said[name], did[name]
    assert said == did
    assert done.read == done.written + done.already_there + done.summed_up + done.skipped.total
    return done


def weather_history() -> History:
    return History(zone=ZONE, weather_entity="weather.home")


def counts(report: Report) -> dict[tuple[str, str], int]:
    return {key: one.count for key, one in report.skipped.items()}


def test_every_state_of_a_recorder_has_its_place(new_home: NewHome) -> None:
    new_home.make_buckets(timedelta(days=5), timedelta(days=20), timedelta(days=40))
    usual = a_home(NOW - 30 * DAY, NOW - HOUR, step=6 * HOUR)
    at = NOW - DAY
    there = [State(at + n * SECOND, "sensor.there", str(n), {}) for n in range(3)]
    odd = [
        *there,
        State(at, "sensor.twin", "first", {}),
        State(at, "sensor.twin", "second", {}),
        State(NOW - 8 * DAY, "sensor.twin", "first", {}),
        State(NOW - 8 * DAY, "sensor.twin", "second", {}),
        State(NOW - 50 * DAY, "sensor.old", "1", {}),
        State(NOW + 9 * DAY, "sensor.future", "1", {}),
        State(at, "sensor.removed", "", {}),
        State(at, "sensor.other", "1", {}),
        State(at, "sensor.named", "1", {"friendly_name": "ends with \\"}),
        State(at, "sensor.long", "x" * 1_100_000, {}),
        State(at, "weather.home", "rainy", {"temperature": 8, "humidity": 120, "temperature_unit": "°C"}),
        State(at + 2 * SECOND, "sensor.in_rain", "1", {}),
        State(at + 3 * SECOND, "weather.home", "sunny", {"temperature": 280, "temperature_unit": "K"}),
        State(at + 4 * SECOND, "sensor.in_sun", "1", {}),
    ]
    earlier = sqlite_file(new_home.folder / "earlier.db", 43, there)
    other_position = NewHome(new_home.server, new_home.prefix, new_home.folder / "earlier")
    other_position.bring(lambda: Recorder(str(earlier)), summaries=False)
    path = sqlite_file(new_home.folder / "db", 43, [*usual, *odd])
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO state_attributes VALUES (9000, 0, '{')")
    connection.executemany(
        "INSERT INTO states (state, last_updated_ts, metadata_id, attributes_id) VALUES (?, ?, ?, ?)",
        [("1", at / SECOND, 9000, None), ("1", at / SECOND + 30, 1, 9000), ("1", None, 1, None)],
    )
    connection.commit()
    connection.close()
    report = in_dry_run_and_import(new_home, lambda: Recorder(str(path), exclude=("sensor.other",)))
    assert counts(report) == {
        ("sensor.twin", TWIN): 2,
        ("sensor.old", TOO_OLD): 1,
        ("sensor.future", IN_THE_FUTURE): 1,
        ("sensor.removed", REMOVED): 1,
        ("sensor.other", NOT_WANTED): 1,
        ("sensor.long", "state_value: a text of at most 1,048,576 bytes"): 1,
        ("states", NAMELESS): 1,
    }
    assert report.read == len(usual) + len(odd) + 2
    assert report.already_there == 3
    assert report.left_out["1 states"] == TIMELESS
    assert {what: reason.partition(":")[0] for what, reason in report.incomplete} == {
        "attributes": NOT_JSON,
        "sensor.named": "device_name",
        "weather.home": "weather.temperature_unit",
    }
    assert len(report.incomplete) == 4
    stored = new_home.stored()
    assert [one["state_value"] for one in stored["sensor.twin", at // 1000]] == ["second"]
    assert "device_name" not in stored["sensor.named", at // 1000][0]
    in_rain, in_sun = (
        stored[f"sensor.in_{weather}", (at + n * SECOND) // 1000][0] for weather, n in (("rain", 2), ("sun", 4))
    )
    assert (in_rain["weather_condition"], in_rain["weather_temp"], "weather_humidity" in in_rain) == ("rainy", 8, False)
    assert not [name for name in in_sun if name.startswith("weather_")]
    text = report.text()
    for part in (
        f"8 states of {report.read:,} were skipped",
        f"2 of sensor.twin: {TWIN}",
        "1 of weather.home: weather_humidity: outside its range, 0 to 100 %; events are without it",
        "1 of sensor.named: device_name: a tag cannot end with a backslash; its events are without it",
        "weather.temperature_unit: one of °C",
        f"1 states: {TIMELESS}",
        "hourly ones are older than such rows are kept",
    ):
        assert part in text, text


def test_every_hour_of_long_term_statistics_has_its_place(new_home: NewHome) -> None:
    new_home.make_buckets(None, timedelta(days=20), timedelta(days=40))
    begin = (NOW - 60 * DAY) // HOUR * HOUR
    states = a_home(NOW - 2 * DAY, NOW, step=HOUR)
    kitchen = [
        Statistic(begin + n * HOUR, "sensor.kitchen_temperature", "°C", 10.0, 5.0, 15.0) for n in range(0, 59 * 24, 7)
    ]
    odd = [
        Statistic(begin + 50 * DAY, "sensor.meter", "Wh", state=1.0, total=1.0),
        Statistic(begin + 50 * DAY, "sensor.empty", "°C", float("inf")),
        Statistic(begin + 50 * DAY, "tibber:energy", "kWh", state=1.0, total=1.0, source="tibber"),
        Statistic(begin + 50 * DAY, "sensor.other", "°C", 1.0),
    ]
    path = sqlite_file(new_home.folder / "db", 53, states, [*kitchen, *odd])
    report = in_dry_run_and_import(new_home, lambda: Recorder(str(path), exclude=("sensor.other",)))
    skipped = {key: one.count for key, one in report.statistics_skipped.items()}
    assert skipped.pop(("sensor.kitchen_temperature", HAS_STATES)) > 3
    assert skipped.pop(("sensor.kitchen_temperature", FIRST_DAY), 1) == 1
    assert skipped == {
        ("sensor.meter (Wh, not kWh)", OTHER_UNIT): 1,
        ("sensor.empty", EMPTY): 1,
        ("statistic tibber:energy", EXTERNAL): 1,
        ("statistic sensor.other", NOT_WANTED): 1,
    }
    check_hours(report)
    assert report.statistics_read == len(kitchen) + len(odd)
    assert report.statistics_too_old["hourly"] > report.statistics_too_old["daily"] > 0
    again = NewHome(new_home.server, new_home.prefix, new_home.folder / "again")
    second = in_dry_run_and_import(again, lambda: Recorder(str(path), exclude=("sensor.other",)))
    assert second.statistics == {"hourly": 0, "daily": 0}
    assert second.statistics_already_there == report.statistics
    check_hours(second)
    assert "rows were there already" in second.text()
    assert "skipped of the long-term statistics:\n  1 of sensor.empty" in second.text()


def check_hours(report: Report) -> None:
    hours = sum(one.count for (_, reason), one in report.statistics_skipped.items() if reason not in DAYS)
    parts = (report.statistics, report.statistics_already_there, report.statistics_too_old)
    assert report.statistics_read == hours + sum(one["hourly"] for one in parts)


def test_every_point_of_an_old_database_has_its_place(new_home: NewHome, influxdb1: InfluxDB1, database: str) -> None:
    """From the server and from its export: the same report but for what each cannot read."""
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 2 * DAY, NOW - HOUR, step=6 * HOUR)
    at = NOW - DAY
    influxdb1.query(f'CREATE RETENTION POLICY "short" ON "{database}" DURATION 90d REPLICATION 1')
    influxdb1.write(
        database,
        [
            *lines(states, source="HA"),
            f'state,domain=sensor,entity_id=twin state="first" {at}',
            f'other,domain=sensor,entity_id=twin state="second" {at}',
            f"state,domain=sensor,entity_id=future value=1 {NOW + 9 * DAY}",
            f"state,domain=sensor,entity_id=out value=1 {at}",
            f'state,domain=sensor,entity_id=silent friendly_name_str="S" {at}',
            f"state,host=a value=1 {at}",
            f"ignored,host=a value=1 {at}",
            f"cpu,host=a usage=1,idle=2 {at}",
        ],
    )
    mapping = Mapping1x(rules=(MeasurementRule(match="ignored", ignore=True),))
    wanted = {
        ("sensor.twin", TWIN): 1,
        ("sensor.future", IN_THE_FUTURE): 1,
        ("state,domain=sensor,entity_id=out", NOT_WANTED): 1,
        ("state,domain=sensor,entity_id=silent", NO_STATE): 1,
        ("state,host=a", NO_ENTITY): 1,
        ("ignored,host=a", IGNORED): 1,
    }

    def layout() -> Layout:
        return Layout(mapping, exclude=("sensor.out",))

    server = Server1x(url=influxdb1.url, database=database)
    report = in_dry_run_and_import(new_home, lambda: InfluxDB1Server(server, layout()))
    assert counts(report) == wanted
    assert report.written == len(states) + 1
    assert report.left_out["tag source"] == TAG_NOT_KEPT
    assert report.left_out["cpu: idle, usage"] == NO_STATES
    assert "retention policy short" in report.left_out
    export = influxdb1.export(database, new_home.folder / "export")
    other = NewHome(new_home.server, new_home.prefix, new_home.folder / "other")
    parts = new_home.folder / "parts"
    second = in_dry_run_and_import(other, lambda: InfluxDB1Export(export, layout(), parts))
    assert counts(second) == wanted
    assert (second.written, second.already_there) == (0, report.written)
    assert second.left_out["tag source"] == TAG_NOT_KEPT
    assert second.left_out["field usage (1 values)"] == NOT_KEPT
