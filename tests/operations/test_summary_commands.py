"""`hearthflux backfill` and `hearthflux repair` as a user runs them: processes, signals, one line of JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from event_schema import Event
from operations.influxd import LocalInfluxd
from tests.flux_tasks.lab import Lab
from tests.operations.conftest import Run
from tests.reference import Home, differences, ns
from tools.find import ROOT

DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=5)
FROM, TO = f"{DAY:%Y-%m-%d}", f"{DAY + timedelta(days=3):%Y-%m-%d}"
EVENTS = [
    Event(
        time_ns=ns(DAY + timedelta(hours=5 * number)),
        entity_id="light.hall",
        state_value="on" if number % 2 else "off",
        normalized_value=float(number % 2),
    )
    for number in range(14)
]


@pytest.fixture
def lab(influxd: LocalInfluxd, unique: str) -> Iterator[Lab]:
    made = Lab(influxd, f"commands_{unique}")
    made.write(EVENTS)
    yield made
    made.close()


def variables(lab: Lab) -> dict[str, str]:
    return {
        "INFLUXDB_URL": lab.influxd.url,
        "INFLUXDB_TOKEN": lab.influxd.token,
        "INFLUXDB_ORG": lab.influxd.org,
        "HOME_BUCKET_PREFIX": lab.tiers.raw.bucket.removesuffix("events"),
    }


def test_stopped_by_ctrl_c_it_says_how_to_go_on(lab: Lab, hearthflux: Run) -> None:
    command = [sys.executable, "-m", "operations.cli", "backfill", "--from", FROM, "--to", TO, "--pause", "30"]
    begun = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **variables(lab)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = Home(EVENTS).daily().keys()
    while not lab.stored("daily") and time.monotonic() < begun + 60:
        time.sleep(0.1)
    # It rests for half a minute after the first day.
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in told
    reached = re.search(r"backfill interrupted: all before (\S+) is done, go on with --from (\S+)", told)
    assert reached is not None, told
    assert reached[1] == reached[2] == f"{DAY + timedelta(days=1):%Y-%m-%d}T00:00:00Z"
    assert {key[3] for key in lab.stored("daily")} == {min(key[3] for key in first)}

    answer = hearthflux("backfill", "--from", reached[2], "--to", TO, "--json", **variables(lab))
    assert answer.returncode == 0
    (line,) = answer.stdout.splitlines()
    said = json.loads(line)
    assert (said["due"], said["computed"], said["wrong"], said["ok"]) == (50, 50, 0, True)
    assert said["reached"] == f"{TO}T00:00:00+00:00"
    assert "backfill: windows" in answer.stderr
    assert "50/50" in answer.stderr
    assert differences(Home(EVENTS).hourly(), lab.stored("hourly")) == []
    assert differences(Home(EVENTS).daily(), lab.stored("daily")) == []


def test_repair_finds_all_by_itself_and_then_nothing(lab: Lab, hearthflux: Run) -> None:
    answer = hearthflux("repair", **variables(lab))
    assert answer.returncode == 0
    assert re.search(r"repair: \d+ of \d+ due windows computed \(14 hourly, 3 daily rows\)", answer.stdout), (
        answer.stdout
    )
    assert differences(Home(EVENTS).hourly(), lab.stored("hourly")) == []
    said = json.loads(hearthflux("repair", "--from", FROM, "--json", **variables(lab)).stdout)
    assert (said["computed"], said["rows"], said["ok"]) == (0, {"hourly": 0, "daily": 0}, True)


def test_a_pause_rests_after_each_day(lab: Lab, hearthflux: Run) -> None:
    begun = time.monotonic()
    assert hearthflux("repair", "--to", TO, "--pause", "2", **variables(lab)).returncode == 0
    assert time.monotonic() - begun >= 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("backfill", "--from", TO, "--to", FROM), f"--from {TO} is not before --to {FROM}: the span is empty"),
        (("backfill", "--from", "yesterday", "--to", TO), "--from 'yesterday' is not a time: give a day such as"),
    ],
)
def test_a_span_that_is_none(lab: Lab, hearthflux: Run, arguments: tuple[str, ...], sentence: str) -> None:
    answer = hearthflux(*arguments, **variables(lab))
    assert answer.returncode == 2
    assert sentence in " ".join(answer.stderr.split())
