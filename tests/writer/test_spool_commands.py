"""`hearthflux spool` and `hearthflux dead-letters`, on a spool as a writer leaves it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from operations.cli import main
from tests.writer.conftest import Home
from writer.spool import Chunk, Spool


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


def test_replay_then_drain_delivers_and_removes(
    home: Home, spool: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUXDB_URL", home.server.url)
    monkeypatch.setenv("INFLUXDB_TOKEN", home.server.token)
    monkeypatch.setenv("INFLUXDB_ORG", home.server.org)
    monkeypatch.setenv("INFLUXDB_BUCKET", home.bucket)
    assert "1 events" in run(capsys, "dead-letters", "replay", "--spool", str(spool))[1]
    code, text = run(capsys, "spool", "drain", "--spool", str(spool), "--json")
    assert (code, json.loads(text)) == (0, {"delivered": 4, "dead_lettered": 0, "pending": 0})
    assert home.values() == ["dead", "s0", "s1", "s2"]
    assert json.loads(run(capsys, "spool", "status", "--spool", str(spool), "--json")[1])["dead_letters"] == 0


def test_a_spool_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "spool", "status", "--spool", str(tmp_path / "none.sqlite"))
    assert code == 1
    assert "There is no spool at" in text
