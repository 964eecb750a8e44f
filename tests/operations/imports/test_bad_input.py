"""What goes wrong on the way is a sentence each, and the import goes on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from influxdb_connection import ServerProblem
from operations.errors import UserError
from operations.imports.influxdb1_export import InfluxDB1Export
from operations.imports.intake import IN_THE_FUTURE
from operations.imports.layout import Layout
from operations.imports.mapping import Mapping1x, MeasurementRule, read_mapping
from operations.imports.position import Position
from operations.imports.reading import SourceError
from operations.imports.recorder import Recorder
from operations.imports.recorder_database import with_password, without_password
from operations.influxd import LocalInfluxd
from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, HOUR, SECOND, State, a_home, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.test_influxdb1 import database, expected, live
from tests.operations.imports.test_recorder import sqlite_file

__all__ = ["database"]
NOW = time.time_ns() // SECOND * SECOND


@pytest.fixture
def kept_for_ever(new_home: NewHome) -> NewHome:
    new_home.make_buckets(None, None, None)
    return new_home


def test_a_wrong_token(kept_for_ever: NewHome, influxdb1: InfluxDB1, database: str) -> None:
    influxdb1.write(database, lines(a_home(NOW - DAY, NOW, step=3 * HOUR)))
    with pytest.raises(ServerProblem, match="does not know this token: INFLUXDB_TOKEN is wrong or revoked"):
        kept_for_ever.bring(live(influxdb1, database), token="no-such-token")


def test_a_wrong_user_and_a_wrong_database(kept_for_ever: NewHome, tmp_path: Path) -> None:
    server = InfluxDB1(tmp_path / "locked", auth=True).start()
    try:
        server.query("CREATE USER admin WITH PASSWORD 'right' WITH ALL PRIVILEGES")
        server.query("CREATE DATABASE homeassistant", "admin", "right")
        for user, password, name, sentence in (
            ("", "", "homeassistant", "refuses user '': .*; give --username, and the password in INFLUXDB1_PASSWORD"),
            ("admin", "wrong", "homeassistant", "refuses user 'admin': authorization failed"),
            ("admin", "right", "other", "has no database 'other'"),
        ):
            with pytest.raises(SourceError, match=sentence) as caught:
                kept_for_ever.bring(live(server, name, username=user, password=password))
            assert "wrong" not in str(caught.value)
        empty = kept_for_ever.bring(live(server, "homeassistant", username="admin", password="right"))
        assert empty.text().endswith("nothing in it.")
    finally:
        server.stop()
    with pytest.raises(SourceError, match="No InfluxDB answers at"):
        kept_for_ever.bring(live(server, "homeassistant"))


def test_a_database_that_is_not_home_assistants(kept_for_ever: NewHome, influxdb1: InfluxDB1, database: str) -> None:
    influxdb1.write(database, [f"cpu,host=a usage=1 {NOW}", f"mem,host=a free=2 {NOW}"])
    with pytest.raises(
        SourceError, match=r"is not Home Assistant's: none of its 2 measurements .cpu, mem. has the tags"
    ):
        kept_for_ever.bring(live(influxdb1, database))
    export = influxdb1.export(database, kept_for_ever.folder / "export")
    with pytest.raises(SourceError, match=r"is not Home Assistant's: none of its \d series|holds nothing of database"):
        kept_for_ever.bring(lambda: InfluxDB1Export(export, Layout(Mapping1x()), kept_for_ever.folder / "parts"))


def test_a_layout_of_ones_own_by_a_mapping_file(kept_for_ever: NewHome, influxdb1: InfluxDB1, database: str) -> None:
    mapping = kept_for_ever.folder / "mapping.toml"
    mapping.write_text(
        """
[[measurement]]
match = "env*"
entity_id = "sensor.{room}_temperature"
state = ["temp", "t"]
unit_of_measurement = "°C"
device_class = "temperature"
friendly_name = "{room}"

[[measurement]]
match = "cpu"
ignore = true
"""
    )
    influxdb1.write(
        database,
        [
            f"environment,room=Living\\ Room temp=20.5,hum=40 {NOW}",
            f"environment,room=hall t=19i {NOW + 1000}",
            f"environment hum=3,temp=1 {NOW}",
            f"cpu,host=a usage=1 {NOW}",
        ],
    )
    report = kept_for_ever.bring(live(influxdb1, database, mapping=read_mapping(mapping)), summaries=False)
    stored = kept_for_ever.stored()
    (living,) = stored["sensor.living_room_temperature", NOW // 1000]
    assert (living["state_value"], living["normalized_value"], living["unit_of_measurement"]) == ("20.5", 20.5, "°C")
    assert (living["device_class"], living["device_name"]) == ("temperature", "Living Room")
    assert stored["sensor.hall_temperature", (NOW + 1000) // 1000][0]["state_value"] == "19"
    assert len(stored) == 2
    assert ("environment", "the mapping's entity_id needs the tag room") in report.skipped
    assert any("hum" in what for what in report.left_out)


@pytest.mark.parametrize("compress", [False, True])
def test_a_truncated_export_goes_on_when_it_is_whole(
    kept_for_ever: NewHome, influxdb1: InfluxDB1, database: str, compress: bool
) -> None:
    states = a_home(NOW - 10 * DAY, NOW, step=3600 * SECOND)
    influxdb1.write(database, lines(states))
    path = influxdb1.export(database, kept_for_ever.folder / "export", compress=compress)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])

    def make() -> InfluxDB1Export:
        return InfluxDB1Export(path, Layout(Mapping1x()), kept_for_ever.folder / "parts")

    with pytest.raises(SourceError, match=r"is cut off: .* Copy or export it again and run the same command"):
        kept_for_ever.bring(make)
    assert not kept_for_ever.stored()
    path.write_bytes(whole)
    report = kept_for_ever.bring(make, summaries=False)
    assert report.written == len(states)
    assert kept_for_ever.stored().keys() == expected(states).keys()


def test_a_type_conflict_with_what_is_there(kept_for_ever: NewHome, tmp_path: Path) -> None:
    states = a_home(NOW - 5 * HOUR, NOW, step=1800 * SECOND)
    path = sqlite_file(kept_for_ever.folder / "db", 43, states)
    server, bucket = kept_for_ever.server, kept_for_ever.tiers.raw.bucket
    body = "\n".join(
        f"home_assistant_events,entity_id=sensor.x normalized_value=1i {NOW - hour * HOUR}" for hour in range(8)
    )
    server.write(bucket, body)
    with pytest.raises(UserError, match=r"refused for good .*normalized_value.*integer.*run the same command again"):
        kept_for_ever.bring(lambda: Recorder(str(path)), summaries=False)
    everything = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}
    server.api("POST", f"/api/v2/delete?org={server.org}&bucket={bucket}", everything)
    kept_for_ever.bring(lambda: Recorder(str(path)), summaries=False)
    stored = kept_for_ever.stored()
    wanted = expected(states)
    # What had been delivered before the conflict was mended was deleted with it.
    assert stored.keys() <= wanted.keys()
    assert all(points == [wanted[key]] for key, points in stored.items())
    assert len(stored) >= sum(1 for one in states if one.state.replace(".", "").isdigit())


def test_a_clock_that_was_wrong(kept_for_ever: NewHome, influxdb1: InfluxDB1, database: str) -> None:
    states = a_home(NOW - 2 * DAY, NOW, step=2 * HOUR)
    wrong = [
        State(1_000_000_000, "sensor.kitchen_temperature", "1", states[0].attributes),
        State(NOW + 400 * DAY, "sensor.kitchen_temperature", "2", states[0].attributes),
    ]
    influxdb1.write(database, lines([*states, *wrong]))
    report = kept_for_ever.bring(live(influxdb1, database), summaries=False)
    assert report.written == len(states) + 1  # 1970 is a time like any other where data are kept for ever
    assert report.skipped["sensor.kitchen_temperature", IN_THE_FUTURE].count == 1


def test_an_entity_renamed_halfway(kept_for_ever: NewHome, influxdb1: InfluxDB1, database: str) -> None:
    """Told by the report; with [rename] in the mapping its history, and its meter, go on under the new name."""
    attributes = {
        "device_class": "energy",
        "state_class": "total_increasing",
        "unit_of_measurement": "kWh",
        "friendly_name": "Meter",
    }
    states = [
        State(NOW - (20 - n) * HOUR, "sensor.old" if n < 10 else "sensor.new", str(100 + n), attributes)
        for n in range(20)
    ]
    influxdb1.write(database, lines(states))
    dry = kept_for_ever.bring(live(influxdb1, database), dry_run=True)
    assert dry.as_json()["likely_renames"] == [{"earlier": "sensor.old", "later": "sensor.new"}]
    assert '"sensor.old" = "sensor.new"' in dry.text()
    mapping = Mapping1x(rename={"sensor.old": "sensor.new"})
    kept_for_ever.bring(live(influxdb1, database, mapping=mapping), summaries=False)
    stored = kept_for_ever.stored()
    assert {entity for entity, _ in stored} == {"sensor.new"}
    assert sum(point.get("energy_consumption", 0.0) for (point,) in stored.values()) == 19.0


def test_a_server_that_takes_nothing_ends_the_import_with_its_reason(
    make_influxd: Callable[..., LocalInfluxd], tmp_path: Path, unique: str
) -> None:
    """A token that may read and not write."""
    server = make_influxd().start()
    kept_for_ever = NewHome(server, "", tmp_path / "home")
    kept_for_ever.folder.mkdir()
    kept_for_ever.make_buckets(None, None, None)
    buckets = [server.api("GET", f"/api/v2/buckets?name={tier.bucket}")["buckets"][0] for tier in kept_for_ever.tiers]
    permissions = [{"action": "read", "resource": {"type": "buckets", "id": one["id"]}} for one in buckets]
    made = server.api(
        "POST",
        "/api/v2/authorizations",
        {"orgID": server.org_id, "description": unique, "permissions": permissions},
    )
    states = a_home(NOW - DAY, NOW, step=HOUR)
    path = sqlite_file(kept_for_ever.folder / "db", 43, states)
    with pytest.raises(UserError, match=r"has taken nothing for 1 s: .*403.*Mend that and run the same command again"):
        kept_for_ever.bring(lambda: Recorder(str(path)), token=made["token"], patience=1.0, summaries=False)
    report = kept_for_ever.bring(lambda: Recorder(str(path)), summaries=False)
    assert report.written == len(states)
    assert kept_for_ever.stored().keys() == expected(states).keys()


def test_a_full_disk_here_is_a_sentence_and_the_import_goes_on(
    kept_for_ever: NewHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = a_home(NOW - 4 * DAY, NOW, step=HOUR)
    path = sqlite_file(kept_for_ever.folder / "db", 43, states)
    keep = Position.keep

    def full(self: Position, content: dict[str, Any]) -> None:
        with Path("/dev/full").open("w") as file:
            file.write("x" * 100_000)

    monkeypatch.setattr(Position, "keep", full)
    with pytest.raises(UserError, match=r"The disk of .* is full: make room and run the same command again"):
        kept_for_ever.bring(lambda: Recorder(str(path)), summaries=False)
    monkeypatch.setattr(Position, "keep", keep)
    assert kept_for_ever.bring(lambda: Recorder(str(path)), summaries=False).finished
    assert kept_for_ever.stored().keys() == expected(states).keys()


def test_two_imports_at_once_and_a_damaged_position(tmp_path: Path) -> None:
    first, second = Position(tmp_path / "import"), Position(tmp_path / "import")
    assert first.open() is None
    with pytest.raises(UserError, match="This import runs already in another process"):
        second.open()
    first.keep({"done_to": 1})
    first.close()
    assert second.open() == {"format": 3, "done_to": 1}
    second.close()
    (tmp_path / "import" / "position.json").write_text("{")
    with pytest.raises(UserError, match=r"is damaged: remove .* to begin this import anew"):
        Position(tmp_path / "import").open()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("x = [", "is not TOML"),
        ("units = 1", "units is not known; there are default_measurements, measurement, rename"),
        ("[[measurement]]\nentity_id = 'a.b'", "measurement 1: match is missing"),
        ("[[measurement]]\nmatch = 'a'", "measurement 1: entity_id is missing"),
        ("[[measurement]]\nmatch = 'a'\nentity = 'a.b'", "entity is not known; there are attributes, device_class"),
        ("[[measurement]]\nmatch = 'a'\nentity_id = 'a.b'\nstate = 3", "state 3: the name of a field"),
        ("[measurement]\nmatch = 'a'", "write ..measurement.. with two brackets"),
        ("[rename]\nold = 'new'", 'rename: lines such as "sensor.old" = "sensor.new"'),
    ],
)
def test_a_mapping_file_that_is_wrong(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(content)
    with pytest.raises(UserError, match=sentence):
        read_mapping(path)


def test_a_mapping_that_makes_no_entity() -> None:
    rule = MeasurementRule(match="a", texts={"entity_id": "{room}"})
    assert rule.fill("a", {"room": "Hall"}) == "the mapping makes 'hall' of it, which is no entity id"


def test_a_password_is_never_shown() -> None:
    address = with_password("mysql://ha@db:3306/homeassistant", "p@ss/word")
    assert address == "mysql://ha:p%40ss%2Fword@db:3306/homeassistant"
    assert without_password(address) == "mysql://ha@db:3306/homeassistant"
    assert "p%40ss" not in Recorder(address).identity
