"""`hearthflux spool` and `hearthflux dead-letters`, on a spool as a writer leaves it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.cli import main
from tests.writer.conftest import Home, until
from writer import BatchWriter, Event, InvalidEvent
from writer.chunk import Chunk
from writer.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "spool.sqlite"
    made = Spool(path)
    made.open()
    now = time.time_ns()
    body = "".join(f'home_assistant_events,entity_id=sensor.a state_value="s{n}" {now + n}\n' for n in range(3))
    dead = f'home_assistant_events,entity_id=sensor.b state_value="dead" {now}'.encode()
    made.commit([Chunk(1, time.time(), 3, body.encode()), Chunk(2, time.time(), 1, dead + b"\n")])
    made.bury(2, 2, [(422, "partial write: field type conflict", dead)])
    made.close()
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out, error = capsys.readouterr()
    return int(ended.value.code or 0), out + error


def test_status_list_show_export(spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "spool", "status", "--spool", str(spool), "--json")
    assert code == 0
    found = json.loads(text)
    assert (found["pending"], found["dead_letters"]) == (3, 1)
    assert "422" in run(capsys, "dead-letters", "list", "--spool", str(spool))[1]
    assert "type conflict" in run(capsys, "dead-letters", "show", "1", "--spool", str(spool))[1]
    assert run(capsys, "dead-letters", "show", "9", "--spool", str(spool))[0] == 1
    target = tmp_path / "letters.jsonl"
    assert run(capsys, "dead-letters", "export", str(target), "--spool", str(spool))[0] == 0
    assert json.loads(target.read_text())["status"] == 422


@pytest.fixture
def environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUXDB_URL", home.server.url)
    monkeypatch.setenv("INFLUXDB_TOKEN", home.server.token)
    monkeypatch.setenv("INFLUXDB_ORG", home.server.org)
    monkeypatch.setenv("INFLUXDB_BUCKET", home.bucket)


@pytest.mark.usefixtures("environment")
def test_replay_delivers_and_removes_once_the_cause_is_mended(
    home: Home, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The cause: what another program wrote, a number where the schema has a text.
    assert run(capsys, "spool", "drain", "--spool", str(spool))[0] == 0
    home.delete_everything()
    home.post(f"home_assistant_events,entity_id=sensor.b state_value=1 {time.time_ns()}")
    code, text = run(capsys, "dead-letters", "replay", "--spool", str(spool))
    assert code == 1
    assert "1 were refused again" in text
    assert "field type conflict" in run(capsys, "dead-letters", "list", "--spool", str(spool))[1]
    home.delete_everything()
    code, text = run(capsys, "dead-letters", "replay", "--spool", str(spool))
    assert (code, text) == (0, "delivered 1, dead lettered 0, pending 0\n")
    assert run(capsys, "dead-letters", "list", "--spool", str(spool)) == (0, "")
    assert home.values() == ["dead"]


@pytest.mark.usefixtures("environment")
def test_replay_into_the_queue_then_drain(home: Home, spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 events" in run(capsys, "dead-letters", "replay", "--queue-only", "--spool", str(spool))[1]
    code, text = run(capsys, "spool", "drain", "--spool", str(spool), "--json")
    assert (code, json.loads(text)) == (0, {"delivered": 4, "dead_lettered": 0, "pending": 0})
    assert home.values() == ["dead", "s0", "s1", "s2"]
    assert json.loads(run(capsys, "spool", "status", "--spool", str(spool), "--json")[1])["dead_letters"] == 0


def test_a_spool_of_an_earlier_version_is_looked_at(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.closing(sqlite3.connect(spool)) as earlier:
        earlier.execute("DROP TABLE noticed")
    assert run(capsys, "dead-letters", "list", "--kind", "warned", "--spool", str(spool)) == (0, "")
    assert json.loads(run(capsys, "spool", "status", "--spool", str(spool), "--json")[1])["findings"] == {}


def test_a_spool_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "spool", "status", "--spool", str(tmp_path / "none.sqlite"))
    assert code == 1
    assert "There is no spool at" in text


@pytest.mark.usefixtures("environment")
async def test_a_spool_is_looked_at_beside_its_running_writer(
    home: Home, make_events: Callable[..., list[Event]], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = home.settings(url="http://127.0.0.1:9")
    path = str(settings.spool_path)
    async with BatchWriter(settings) as writer:
        await writer.write_many(make_events(30))
        with pytest.raises(InvalidEvent):
            await writer.write(Event(time_ns=1, entity_id="sensor.bad", confidence=7.0))
        await until(lambda: '"entity": "sensor.bad"' in run(capsys, "spool", "refused", "--spool", path, "--json")[1])
        code, text = run(capsys, "spool", "status", "--spool", path, "--json")
        assert (code, json.loads(text)["pending"]) == (0, 30)
        assert "sensor.bad  confidence 7.0: outside its range" in run(capsys, "spool", "refused", "--spool", path)[1]
        code, text = await asyncio.to_thread(run, capsys, "spool", "drain", "--spool", path)
        assert code == 1
        assert "in use by process" in text


async def test_what_the_rules_found_is_listed_shown_and_exported_and_never_replayed(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = home.settings(quality={"range": "repair", "duplicate": "repair", "unit": "warn"}, close_timeout=20)
    path, now = str(settings.spool_path), time.time_ns()
    too_high = Event(time_ns=now, entity_id="sensor.high", state_value="a", confidence=7.0)
    odd = Event(time_ns=now, entity_id="sensor.odd", device_class="temperature", unit_of_measurement="W")
    async with BatchWriter(settings) as writer:
        await writer.write_many([too_high, odd, odd])

    def listed(kind: str) -> list[dict[str, str]]:
        text = run(capsys, "dead-letters", "list", "--kind", kind, "--json", "--spool", path)[1]
        return [json.loads(line) for line in text.splitlines()]

    code, text = run(capsys, "spool", "status", "--json", "--spool", path)
    assert (code, json.loads(text)["findings"]) == (0, {"left-out": 1, "repaired": 1, "warned": 2})
    text = run(capsys, "spool", "status", "--spool", path)[1]
    assert "2 warned by the rules of data quality: 'hearthflux dead-letters list --kind warned'" in text
    [repaired], [left_out] = listed("repaired"), listed("left-out")
    assert repaired["event"] == repr(too_high)
    assert repaired["rule"].startswith("confidence 7.0: outside its range")
    assert (left_out["entity"], left_out["event"]) == ("sensor.odd", repr(odd))
    assert [found["entity"] for found in listed("warned")] == ["sensor.odd", "sensor.odd"]
    assert (listed("dead"), listed("refused")) == ([], [])
    number = str(repaired["id"])
    code, text = run(capsys, "dead-letters", "show", number, "--kind", "repaired", "--spool", path)
    assert (code, f"event: {too_high!r}" in text) == (0, True)
    code, text = run(capsys, "dead-letters", "show", number, "--kind", "warned", "--spool", path)
    assert (code, "There is no warned event" in text) == (1, True)
    target = tmp_path / "found.jsonl"
    code, text = run(capsys, "dead-letters", "export", str(target), "--kind", "warned", "--spool", path)
    assert (code, text) == (0, f"2 warned events written to {target}\n")
    assert [json.loads(line)["kind"] for line in target.read_text().splitlines()] == ["warned", "warned"]
    assert run(capsys, "dead-letters", "replay", "--spool", path) == (0, "0 events are in the queue again\n")
    assert len(listed("repaired")) == 1


async def test_what_the_spool_holds_is_readable_by_its_owner_only(
    home: Home, make_events: Callable[..., list[Event]]
) -> None:
    async with BatchWriter(home.settings()) as writer:
        await writer.write_many(make_events(3))
        files = sorted(home.folder.glob("spool.sqlite*"))
        assert [file.name for file in files] == [
            "spool.sqlite",
            "spool.sqlite-shm",
            "spool.sqlite-wal",
            "spool.sqlite.lock",
            "spool.sqlite.reserve",
        ]
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
