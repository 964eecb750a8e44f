"""A fleet on the real server: homes in stacks, in parallel; what fails does not stop the rest."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from event_schema import SCHEMA_VERSION
from influxdb_connection import Connection, ConnectionSettings
from operations import pulumi_lock
from operations.fleet.file import WrongFleet, read
from operations.influxd import LocalInfluxd, ServerError
from operations.pulumi_runner import PulumiError, Stack
from operations.schema.record import read_version
from tests.operations.conftest import Run
from tools.find import ROOT

Fleet = Callable[[dict[str, Any]], Path]
DAY = 86400


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Writes the stacks into a file of a fleet."""

    def write(stacks: dict[str, Any]) -> Path:
        path = tmp_path / "fleet.yaml"
        # JSON is YAML too.
        path.write_text(json.dumps({"stacks": stacks}))
        return path

    return write


@pytest.fixture
def server(influxd: LocalInfluxd) -> dict[str, str]:
    return {"INFLUXDB_URL": influxd.url, "INFLUXDB_TOKEN": influxd.token}


def bucket_names(influxd: LocalInfluxd, org: str) -> set[str]:
    found = influxd.api("GET", f"/api/v2/buckets?org={org}&limit=100")["buckets"]
    return {bucket["name"] for bucket in found}


async def recorded_version(influxd: LocalInfluxd, org: str, home: str) -> int | None:
    """The version of the contract that `up` wrote down for a home."""
    async with Connection(ConnectionSettings(url=influxd.url, token=influxd.token, org=org)) as connection:
        found = await read_version(connection, f"{home}_events", where=f"{home}_operations")
        return found.version if found else None


def test_a_home_that_fails_stops_neither_its_stack_nor_the_others(
    hearthflux: Run, influxd: LocalInfluxd, server: dict[str, str], fleet: Fleet, unique: str
) -> None:
    north, south = f"north-{unique}", f"south-{unique}"
    path = str(fleet({north: {"homes": ["anna"]}, south: {"homes": ["carl"]}}))
    made = hearthflux("fleet", "up", "--file", path, "--json", **server)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["ok"] is True
    assert asyncio.run(recorded_version(influxd, north, "anna")) == SCHEMA_VERSION

    # Dora's bucket is somebody else's already; carl's would lose data. Emma and fred have nothing to do with that.
    org = influxd.api("GET", f"/api/v2/orgs?org={north}")["orgs"][0]["id"]
    influxd.api("POST", "/api/v2/buckets", {"orgID": org, "name": "dora_events", "retentionRules": []})
    [events] = influxd.api("GET", f"/api/v2/buckets?org={south}&name=carl_events")["buckets"]
    influxd.write(events["id"], "m f=1", org=events["orgID"], age_seconds=60 * DAY)
    shorter = {"name": "carl", "retentionDays": {"raw": 30}}
    fleet({north: {"homes": ["anna", "dora", "emma"]}, south: {"homes": [shorter, "fred"]}})
    answer = hearthflux("fleet", "up", "--file", path, "--json", "--jobs", "2", **server)
    assert answer.returncode == 1
    told = {one["stack"]: one for one in json.loads(answer.stdout)["stacks"]}
    assert set(told[north]["failed"]) == {"dora"}
    assert set(told[south]["failed"]) == {"carl"}
    assert "exists already" in told[north]["failed"]["dora"]
    assert "would be shortened from 365 d to 30 d" in told[south]["failed"]["carl"]
    assert "dora failed: " in answer.stderr
    assert {"emma_events", "emma_events_daily"} <= bucket_names(influxd, north)
    assert {"fred_events", "fred_events_daily"} <= bucket_names(influxd, south)
    assert "Traceback" not in answer.stderr

    # The mistakes mended, it goes on from there; after that there is nothing to do.
    fleet({north: {"homes": ["anna", "emma"]}, south: {"homes": ["carl", "fred", "gail"]}})
    status = hearthflux("fleet", "status", "--file", path, "--json")
    shown = {one["stack"]: one["to_do"] for one in json.loads(status.stdout)["stacks"]}
    assert shown[south] == "make gail"
    preview = json.loads(hearthflux("fleet", "preview", "--file", path, "--json", "-s", south, **server).stdout)
    assert preview["stacks"][0]["changes"]["create"] > 0
    # What the bucket's rightful owner has is not touched by taking dora out again.
    assert "dora_events" in bucket_names(influxd, north)
    env = hearthflux("env", "--stack", north, "--home", "emma", "--json")
    assert json.loads(env.stdout)["INFLUXDB_BUCKET"] == "emma_events"
    assert json.loads(env.stdout)["HOME_BUCKET_PREFIX"] == "emma_"


def test_interrupted_it_ends_in_good_order_and_goes_on_from_there(
    hearthflux: Run, home: Path, influxd: LocalInfluxd, server: dict[str, str], fleet: Fleet, unique: str
) -> None:
    path = str(fleet({f"{name}-{unique}": {"homes": [f"{name}1", f"{name}2"]} for name in ("a", "b")}))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("INFLUXDB_", "PULUMI_"))}
    running = subprocess.Popen(
        [sys.executable, "-m", "operations.cli", "fleet", "up", "--file", path, "--jobs", "2"],
        cwd=ROOT,
        env={**inherited, "HEARTHFLUX_LOCAL": str(home), **server},
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
    )

    def begun() -> bool:
        try:
            return bool(influxd.api("GET", f"/api/v2/orgs?org=a-{unique}")["orgs"])
        except ServerError:
            return False

    while not begun() and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert running.returncode == 130, errors
    assert "interrupted: what was begun has been ended in good order" in errors
    again = hearthflux("fleet", "up", "--file", path, "--json", **server)
    assert again.returncode == 0, again.stderr
    counts = [one["changes"] for one in json.loads(again.stdout)["stacks"]]
    assert len({sum(one.values()) for one in counts}) == 1, "both stacks are whole"


def test_a_server_that_does_not_answer_is_told_once_a_stack(hearthflux: Run, fleet: Fleet) -> None:
    path = fleet({"north-x": {"homes": ["anna", "ben"]}})
    server = {"INFLUXDB_URL": "http://127.0.0.1:9", "INFLUXDB_TOKEN": "t"}
    answer = hearthflux("fleet", "preview", "--file", str(path), "--json", **server)
    assert answer.returncode == 1
    [stack] = json.loads(answer.stdout)["stacks"]
    assert "No answer from InfluxDB at http://127.0.0.1:9" in stack["error"]
    assert stack["failed"] == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "it lists no stacks: give a table `stacks`"),
        ("stacks: [a]", "it lists no stacks"),
        ("stacks: {a: {homes: [x]}\nb", r"fleet.yaml, line \d: expected"),
        ("stacks: {A: {homes: [x]}}", "stack A: lower-case letters"),
        ("stacks: {dev: {homes: [x]}}", "stack dev: stacks/Pulumi.dev.yaml is an environment of that name already"),
        ("stacks: {a: {}}", "stack a: it has no homes"),
        ("stacks: {a: [x]}", r"stack a is \['x'\]: give a table with config, token, homes"),
        ("stacks: {a: {home: [x]}}", "stack a has 'home': it may have config, token, homes"),
        ("stacks: {a: {homes: [x], config: {'influxdb:token': t}}}", "name the environment variable that holds it"),
        ("stacks: {a: {homes: [x], config: {'influxdb:url': nowhere}}}", "its server 'nowhere' is no address"),
        ("stacks: {a: {homes: [x, x]}}", "stack a: hearthflux:homes gives the name 'x' to two homes"),
        ("stacks: {a: {homes: [{name: x, timeZone: Mars}]}}", "stack a: .*timeZone is 'Mars': give an IANA name"),
        ("stacks: {a: {homes: [{name: x, prefix: ''}]}}", "home x has an empty prefix"),
        ("stacks: {a: {homes: [x, x_2]}}", "the prefix of home x begins that of x_2, .*: name it x-2"),
        ("stacks: {a: {homes: [x]}, b: {homes: [x]}}", "stack b: home x is in stack a too"),
        (
            "config: {'hearthflux:organization': o}\nstacks: {a: {homes: [x]}, b: {homes: [y]}}",
            "stack b: the organization 'o' on http://s is stack a's",
        ),
        ("config: {'hearthflux:homes': [x]}\nstacks: {a: {homes: [x]}}", "config has 'hearthflux:homes': it may have"),
        (
            "stacks: {a: {homes: [{name: x, retentionDays: {raw: 1}, shardGroupDays: {raw: 1}}]}}",
            "stack a: home x: bucket x_events keeps 1 d",
        ),
    ],
)
def test_a_mistake_in_the_file_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    with pytest.raises(WrongFleet, match=sentence):
        read(path, {"INFLUXDB_URL": "http://s"})


def test_all_mistakes_are_told_at_once_and_nothing_is_begun(hearthflux: Run, fleet: Fleet) -> None:
    path = fleet({"a": {"homes": [{"name": "x", "timeZone": "Mars"}]}, "b": {}})
    answer = hearthflux("fleet", "up", "--file", str(path), INFLUXDB_URL="http://s")
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 2
    told = hearthflux("fleet", "up", "--file", str(fleet({"a": {"homes": ["x"]}}))).stderr
    assert "stack a: its server is not known: set influxdb:url" in told
    assert "INFLUXDB_TOKEN is not set: it has to hold the operator token" in told
    assert "There is no file nowhere.yaml" in hearthflux("fleet", "status", "--file", "nowhere.yaml").stderr


def lock(stack: Stack, pid: int, host: str) -> Path:
    """A lock as a pulumi leaves it that was killed."""
    state = Path(stack.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
    path = state / ".pulumi" / "locks" / "organization" / "hearthflux" / stack.name / "left.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = {"pid": pid, "username": "me", "hostname": host, "timestamp": "2026-11-24T06:12:06Z"}
    path.write_text(json.dumps(owner))
    return path


def test_the_lock_of_a_process_that_is_gone_is_no_hindrance_and_any_other_is_a_sentence(dev_stack: Stack) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = lock(dev_stack, ended.pid, os.uname().nodename)
    assert dev_stack.up().changed == 0
    assert not left.exists()
    left = lock(dev_stack, 1, "elsewhere")
    try:
        with pytest.raises(PulumiError, match="'dev' is being changed by me@elsewhere, process 1, since 2026"):
            dev_stack.up()
    finally:
        left.unlink()


def test_a_holder_on_this_machine_is_waited_for() -> None:
    working = subprocess.Popen(["sleep", "0.5"])
    here = pulumi_lock.Owner("me", os.uname().nodename, working.pid, "")
    assert not pulumi_lock.have_ended([here], seconds=0.0)
    working.wait()
    assert pulumi_lock.have_ended([here], seconds=0.0)
