"""An import that is killed with SIGKILL, again and again and at its worst moments: the same command goes on, and every
state is there once, every row is right, and the report of all runs together adds up."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, HOUR, SECOND, State, a_home, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.recorder_files import Statistic
from tests.operations.imports.test_influxdb1 import database
from tests.operations.imports.test_old_spans import check_old_spans
from tests.operations.imports.test_recorder import sqlite_file

__all__ = ["database"]
NOW = time.time_ns() // SECOND * SECOND
RATE = 1500
Moment = Callable[[Path], bool]


def after(seconds: float) -> Moment:
    until: list[float] = []

    def reached(_: Path) -> bool:
        until.append(time.monotonic() + seconds)
        return time.monotonic() >= until[0]

    return reached


def once_there(pattern: str) -> Moment:
    """A file of the import's folder appears."""
    return lambda local: any(local.glob(f"import/*/{pattern}"))


def kept_again(local: Path) -> Callable[[Path], bool]:
    """The position is written once more."""
    before = [path.stat().st_mtime_ns for path in local.glob("import/*/position.json")]
    return lambda local: [path.stat().st_mtime_ns for path in local.glob("import/*/position.json")] != before


class Import:
    """The command of one import into one home."""

    def __init__(self, home: NewHome, *arguments: str) -> None:
        self.local = home.folder / "local"
        self._command = [sys.executable, "-m", "operations.cli", "import", *arguments, "--home", home.prefix]
        self._command += ["--no-summaries", "--json", "--rate", str(RATE)]
        self._environment = {
            **os.environ,
            "INFLUXDB_URL": home.server.url,
            "INFLUXDB_TOKEN": home.server.token,
            "INFLUXDB_ORG": home.server.org,
            "HOME_TIME_ZONE": "Europe/Amsterdam",
            "HEARTHFLUX_LOCAL": str(self.local),
        }

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )

    def killed(self, moment: Moment) -> bool:
        """Start it and kill it at that moment; False if it had ended before."""
        process = self._start()
        while process.poll() is None and not moment(self.local):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def to_the_end(self) -> dict[str, Any]:
        process = self._start()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        found: dict[str, Any] = json.loads(out)
        return found


def check_report(report: dict[str, Any], states: list[State]) -> None:
    """What was read is what there is, and all of it has its place."""
    events = report["events"]
    assert report["finished"]
    assert report["read"] == len(states)
    assert report["read"] == sum(events[part] for part in ("written", "already_there", "summed_up", "skipped"))


@pytest.mark.parametrize("way", ["live", "export"])
def test_an_import_from_influxdb1(new_home: NewHome, influxdb1: InfluxDB1, database: str, way: str) -> None:
    new_home.make_buckets(timedelta(days=5), timedelta(days=20), timedelta(days=40))
    states = a_home(NOW - 60 * DAY, NOW, step=HOUR)
    influxdb1.write(database, lines(states))
    rng = random.Random(11)
    if way == "live":
        work = Import(new_home, "influxdb1", "--url", influxdb1.url, "--database", database)
        moments = [once_there("position.json"), after(rng.uniform(1.0, 2.0)), once_there("raw.sqlite")]
    else:
        export = influxdb1.export(database, new_home.folder / "export")
        work = Import(new_home, "influxdb1", "--file", str(export))
        moments = [once_there("*.part"), once_there("hourly.sqlite"), after(rng.uniform(1.0, 2.0))]
    killed = [work.killed(moment) for moment in moments]
    killed.append(work.killed(kept_again(work.local)))
    assert sum(killed) >= 3
    report = work.to_the_end()
    check_report(report, states)
    check_old_spans(new_home, states, report)


def test_an_import_from_the_recorder(new_home: NewHome) -> None:
    """States, and long-term statistics of the time before them."""
    new_home.make_buckets(timedelta(days=5), timedelta(days=20), timedelta(days=40))
    states = a_home(NOW - 15 * DAY, NOW, step=900 * SECOND)
    begin, entity = (NOW - 38 * DAY) // HOUR * HOUR, "sensor.kitchen_temperature"
    statistics = [Statistic(begin + n * HOUR, entity, "°C", 10.0, 5.0, 15.0) for n in range(23 * 24)]
    path = sqlite_file(new_home.folder / "home-assistant_v2.db", 43, states, statistics)
    work = Import(new_home, "recorder", str(path))

    def in_the_statistics(local: Path) -> bool:
        (position,) = local.glob("import/*/position.json")
        return json.loads(position.read_text())["statistics"] is not None

    moments = [
        once_there("hourly.sqlite"),
        after(random.Random(12).uniform(1.0, 2.0)),
        once_there("daily-daily_statistics.sqlite"),
    ]
    killed = [work.killed(moment) for moment in moments]
    killed.append(work.killed(in_the_statistics))
    assert sum(killed) >= 3
    report = work.to_the_end()
    check_report(report, states)
    check_old_spans(new_home, states, report)
    first = min(one.time_ns for one in states if one.entity_id == entity)
    for tier, oldest, width in (("hourly", NOW - 20 * DAY, HOUR), ("daily", NOW - 40 * DAY, DAY)):
        stored = new_home.stored(tier, f"{tier}_statistics")
        assert all(len(points) == 1 for points in stored.values())
        times = sorted(at * 1000 for _, at in stored)
        assert abs(times[0] - max(begin, oldest)) <= width
        assert first - 2 * width < times[-1] <= first - width
        assert len(times) == round((times[-1] - times[0]) / width) + 1
    parts = ("written", "already_there", "too_old")
    hours = sum(report["statistics"][part]["hourly"] for part in parts)
    assert report["statistics"]["read"] == len(statistics)
    assert hours + sum(one["count"] for one in report["statistics"]["skipped"]) - 1 == len(statistics)
