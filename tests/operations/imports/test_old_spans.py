"""What is older than raw events are kept becomes rows; killed at random and run again, nothing is missing or twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from operations.imports.borders import TOO_OLD
from tests.operations.imports.conftest import ZONE, NewHome
from tests.operations.imports.homes import DAY, HOUR, SECOND, State, a_home, events, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.test_influxdb1 import database, expected, live
from tests.operations.imports.test_summarise import same, summed_up

__all__ = ["database"]
NOW = time.time_ns() // SECOND * SECOND


def check(home: NewHome, states: list[State], report: dict[str, Any]) -> None:
    """Raw events from the border on, rows of everything before it, each once and right."""
    border = int(datetime.fromisoformat(report["raw_from"]).timestamp()) * SECOND
    wanted = {key: event for key, event in expected(states).items() if key[1] * 1000 >= border}
    stored = home.stored()
    assert stored.keys() == wanted.keys()
    for key, points in stored.items():
        assert points == [wanted[key]], key
    rows = summed_up(events(states, zone=ZONE), border)
    for tier, kept in (("hourly", 20 * DAY), ("daily", 40 * DAY)):
        oldest = NOW - kept
        mine = {
            (key[1], key[3] // 1000): row.fields
            for key, row in rows.items()
            if key[0] == tier and oldest + HOUR <= key[3] < border
        }
        there = {key: points for key, points in home.stored(tier).items() if oldest + HOUR <= key[1] * 1000 < border}
        assert there.keys() == mine.keys()
        for key, points in there.items():
            (point,) = points
            fields = {name: value for name, value in point.items() if not isinstance(value, str) and name != "time"}
            assert same(fields, mine[key]), (tier, key)


@pytest.fixture
def old_home(new_home: NewHome, influxdb1: InfluxDB1, database: str) -> list[State]:
    new_home.make_buckets(timedelta(days=5), timedelta(days=20), timedelta(days=40))
    states = a_home(NOW - 60 * DAY, NOW, step=3600 * SECOND)
    influxdb1.write(database, lines(states))
    return states


def test_old_spans_become_rows(new_home: NewHome, influxdb1: InfluxDB1, database: str, old_home: list[State]) -> None:
    dry = new_home.bring(live(influxdb1, database), dry_run=True)
    assert not new_home.stored()
    report = new_home.bring(live(influxdb1, database), summaries=False)
    check(new_home, old_home, report.as_json())
    assert report.written + report.summed_up == report.readings.count
    too_old = sum(one.count for (_, reason), one in report.skipped.items() if reason == TOO_OLD)
    assert report.readings.count + too_old == len(old_home)
    said = {name: value for name, value in report.as_json().items() if name not in ("dry_run", "seconds")}
    assert said == {name: value for name, value in dry.as_json().items() if name not in ("dry_run", "seconds")}
    # Once more from the beginning: everything is there already.
    again = NewHome(new_home.server, new_home.prefix, new_home.folder / "again")
    other = again.bring(live(influxdb1, database), summaries=False)
    assert (other.written, other.already_there) == (0, report.written)
    assert other.rows == {"hourly": 0, "daily": 0}
    check(new_home, old_home, report.as_json())


def test_killed_at_random_it_goes_on(
    new_home: NewHome, influxdb1: InfluxDB1, database: str, old_home: list[State], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "operations.cli", "import", "influxdb1", "--url", influxdb1.url]
    command += ["--database", database, "--home", new_home.prefix, "--no-summaries", "--json", "--rate", "1500"]
    environment = {
        **os.environ,
        "INFLUXDB_URL": new_home.server.url,
        "INFLUXDB_TOKEN": new_home.server.token,
        "INFLUXDB_ORG": new_home.server.org,
        "HOME_TIME_ZONE": "Europe/Amsterdam",
        "HEARTHFLUX_LOCAL": str(tmp_path / "local"),
    }
    rng = random.Random(11)
    killed = 0
    while True:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        try:
            out, err = process.communicate(timeout=rng.uniform(0.8, 2.0) if killed < 3 else 60)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
    assert process.returncode == 0, err.decode()
    assert killed >= 2
    report = json.loads(out)
    assert report["finished"]
    check(new_home, old_home, report)
    assert (
        report["readings"] == sum(1 for one in old_home if one.time_ns >= NOW - 40 * DAY)
        or abs(report["readings"] - sum(1 for one in old_home if one.time_ns >= NOW - 40 * DAY)) < 5
    )
    assert datetime.now(UTC) - datetime.fromisoformat(report["to"]) < timedelta(days=2)
