"""A real Home Assistant, a network that is cut, everybody killed: every state is in the database, once."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.imports.recorder import Recorder
from operations.influxd import LocalInfluxd, free_port
from tests.operations.follow.home import Home, Network
from tests.operations.follow.systemd import service
from tests.operations.imports.conftest import NewHome
from tools.find import ROOT

ENTITIES = ("sensor.test_power", "sensor.test_meter", "light.test_lamp", "sensor.other_left_out")
CONFIG = """
weather = "weather.demo_weather_south"
[include]
globs = ["*.test_*", "light.*"]
[exclude]
entities = ["light.bed_light"]
"""


class Following:
    """The `hearthflux follow` process of a test."""

    def __init__(self, home: NewHome, url: str, **token: str) -> None:
        self.folder = home.folder
        (self.folder / "follow.toml").write_text(CONFIG)
        self.port = free_port()
        self._environment = {
            **os.environ,
            "HOME_ASSISTANT_URL": url,
            **token,
            "INFLUXDB_URL": home.server.url,
            "INFLUXDB_TOKEN": home.server.token,
            "INFLUXDB_ORG": home.server.org,
            "INFLUXDB_BUCKET": home.tiers.raw.bucket,
            "INFLUXDB_SPOOL_PATH": str(self.folder / "spool.sqlite"),
            "INFLUXDB_BATCH_TIMEOUT": "0.2",
            "HOME_TIME_ZONE": "Europe/Amsterdam",
            "LOG_LEVEL": "INFO",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["--config", str(self.folder / "follow.toml"), "--position", str(self.folder / "follow.json")]
        with (self.folder / "follow.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "operations.cli", "follow", *arguments, "--port", str(self.port)],
                stdout=log,
                stderr=log,
                env=self._environment,
                stdin=subprocess.DEVNULL,
            )

    def ends(self) -> int:
        """By itself; its exit code."""
        assert self._process is not None
        return self._process.wait(60)

    def stop(self, how: int = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait()
        self._process = None
        return code

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_for(self, what: Callable[[dict[str, Any]], bool], seconds: float = 300.0) -> dict[str, Any]:
        end = time.monotonic() + seconds
        found: dict[str, Any] = {}
        while time.monotonic() < end:
            status, text = self.get("/health")
            if status:
                found = json.loads(text)
                if what(found):
                    return found
            time.sleep(0.1)
        raise AssertionError((found, (self.folder / "follow.log").read_text()[-3000:]))

    def is_following(self) -> dict[str, Any]:
        return self.wait_for(lambda health: health["state"] == "following" and not health["reasons"])


class Living:
    """A thread in which the home lives: states change all the time, while Home Assistant is there."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._stop = threading.Event()
        self.sent = 0
        # The last state of each entity that was set.
        self.last: dict[str, str] = {}
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def _live(self) -> None:
        rng = random.Random(3)
        meter = 0.0
        while not self._stop.is_set():
            try:
                self.sent += 1
                power = {"device_class": "power", "unit_of_measurement": "W", "friendly_name": "Power"}
                self._set("sensor.test_power", str(self.sent), **power)
                if self.sent % 3 == 0:
                    meter += round(rng.random(), 3)
                    self._set(
                        "sensor.test_meter",
                        f"{meter:.3f}",
                        device_class="energy",
                        state_class="total_increasing",
                        unit_of_measurement="kWh",
                    )
                if self.sent % 5 == 0:
                    # Attributes alone change here: an event all the same.
                    self._set("light.test_lamp", "on", brightness=self.sent % 255, friendly_name="Lamp")
                if self.sent % 7 == 0:
                    self._set("sensor.other_left_out", str(self.sent))
            except (OSError, ValueError, http.client.HTTPException):
                time.sleep(0.2)
            time.sleep(0.03)

    def _set(self, entity: str, state: str, **attributes: Any) -> None:
        self._home.set_state(entity, state, **attributes)
        self.last[entity] = state

    def goes_on(self, states: int) -> None:
        """Until that many more states were set, or tried to be set."""
        until = self.sent + states
        while self.sent < until and self._thread.is_alive():
            time.sleep(0.05)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home(tmp_path_factory.mktemp("home") / "config")
    try:
        yield made.start()
    finally:
        made.stop(signal.SIGKILL)


@pytest.fixture
def influx_home(influxd: LocalInfluxd, tmp_path: Path, unique: str) -> NewHome:
    made = NewHome(influxd, f"f{unique}_", tmp_path)
    made.make_buckets(None, None, None)
    return made


def followed(house: Home, began: int) -> list[tuple[str, int, str]]:
    """What the recorder has since then of the entities that are followed."""
    return [
        one
        for one in house.recorded()
        if one[1] >= began and (".test_" in one[0] or (one[0].startswith("light.") and one[0] != "light.bed_light"))
    ]


def states(found: list[tuple[str, int, str]]) -> set[tuple[str, str]]:
    return {(entity, state) for entity, _, state in found}


def missing(house: Home, began: int, influx_home: NewHome) -> list[tuple[str, int, str]]:
    stored = influx_home.stored()
    return [one for one in followed(house, began) if one[:2] not in stored]


def test_every_state_is_there_once_whatever_breaks(house: Home, influx_home: NewHome) -> None:
    network = Network(house.port)
    following = Following(influx_home, f"http://127.0.0.1:{network.port}", HOME_ASSISTANT_TOKEN=house.token)
    following.start()
    following.is_following()
    began = time.time_ns() // 1000
    living = Living(house)
    try:
        living.goes_on(50)
        network.cut()
        following.wait_for(lambda health: health["state"] == "connecting")
        living.goes_on(50)
        network.mend()
        following.is_following()
        living.goes_on(30)
        following.stop(signal.SIGKILL)
        living.goes_on(50)
        following.start()
        following.is_following()
        living.goes_on(30)
        house.stop(signal.SIGKILL)
        living.goes_on(3)
        house.start()
        living.goes_on(30)
        following.is_following()
        # Home Assistant and follow away at once, one before the other.
        following.stop(signal.SIGKILL)
        living.goes_on(30)
        house.stop(signal.SIGTERM)
        house.start()
        living.goes_on(50)
        following.start()
        following.is_following()
        living.goes_on(30)
        living.stop()
        del living.last["sensor.other_left_out"]
        until = time.monotonic() + 300
        while living.last.items() - states(followed(house, began)) or missing(house, began, influx_home):
            assert time.monotonic() < until, missing(house, began, influx_home)[:10]
            time.sleep(0.5)
        health = following.wait_for(lambda health: health["pending"] == 0)
        assert health["events"]["live"] > 0
        assert health["events"]["from_history"] > 0
        status, metrics = following.get("/metrics")
        assert status == 200
        assert "hearthflux_follow_following 1.0" in metrics
        assert "hearthflux_writer_events_delivered" in metrics
        assert house.token not in (influx_home.folder / "follow.log").read_text()
        assert following.stop() == 0
    finally:
        living.stop()
        network.close()
    recorded = followed(house, began)
    assert len(recorded) > 200
    assert Counter(entity for entity, _, _ in recorded).keys() >= {"sensor.test_power", "sensor.test_meter"}
    stored = influx_home.stored()
    assert missing(house, began, influx_home) == []
    twice = [key for key, points in stored.items() if len(points) != 1]
    assert not twice, (len(twice), [stored[key] for key in twice[:3]])
    for entity, at, state in recorded:
        assert stored[entity, at][0]["state_value"] == state
    assert not any(entity == "sensor.other_left_out" for entity, _ in stored)
    # The recorder of this Home Assistant, imported now, has nothing new for what was followed.
    report = influx_home.bring(
        lambda: Recorder(str(house.database), include=("sensor.test_*", "light.test_*")), summaries=False
    )
    assert (report.written, report.already_there) == (0, sum(1 for one in recorded if ".test_" in one[0]))


def test_a_token_file_that_goes_away_and_comes_back_with_another_token(house: Home, influx_home: NewHome) -> None:
    network = Network(house.port)
    path = influx_home.folder / "token"
    path.write_text(house.token)
    url = f"http://127.0.0.1:{network.port}"
    following = Following(influx_home, url, HOME_ASSISTANT_TOKEN_FILE=str(path))

    def says(part: str) -> None:
        network.cut()
        following.wait_for(lambda health: health["state"] == "connecting")
        network.mend()
        found = following.wait_for(lambda health: any(part in reason for reason in health["reasons"]))
        assert found["status"] == "unhealthy"

    following.start()
    try:
        following.is_following()
        path.unlink()
        says(f"HOME_ASSISTANT_TOKEN_FILE {path} cannot be read: No such file or directory")
        path.write_text("")
        says(f"HOME_ASSISTANT_TOKEN_FILE {path} is empty")
        path.write_text("revoked")
        says("refuses the token")
        command = house.command(house.token, "auth/long_lived_access_token", client_name="rotated", lifespan=10)
        path.write_text(asyncio.run(command))
        following.is_following()
        assert "revoked" not in (influx_home.folder / "follow.log").read_text()
    finally:
        following.stop(signal.SIGKILL)
        network.close()
    path.unlink()
    following.start()
    assert following.ends() == 1
    assert "cannot be read" in (influx_home.folder / "follow.log").read_text().splitlines()[-1]


def test_the_unit_is_started_killed_and_stopped(house: Home, influx_home: NewHome) -> None:
    """deploy/hearthflux-follow.service as the page installs it, on a port of its own and sooner started again."""
    watch = Following(influx_home, house.url)
    (influx_home.folder / "follow.log").touch()
    said = (ROOT / "deploy" / "hearthflux-follow.service").read_text()
    unit = influx_home.folder / "hearthflux-follow.service"
    unit.write_text(
        re.sub(r"^(ExecStart=.*)", rf"\1 --port {watch.port}", said, flags=re.M).replace(
            "RestartSec=10", "RestartSec=1"
        )
    )
    environment = {
        "HOME_ASSISTANT_URL": house.url,
        "HOME_ASSISTANT_TOKEN": house.token,
        "HOME_TIME_ZONE": "Europe/Amsterdam",
        "INFLUXDB_URL": influx_home.server.url,
        "INFLUXDB_TOKEN": influx_home.server.token,
        "INFLUXDB_ORG": influx_home.server.org,
        "INFLUXDB_BUCKET": influx_home.tiers.raw.bucket,
    }
    lines = "".join(f"{name}={value}\n" for name, value in environment.items())
    folder = influx_home.folder / "service"
    folder.mkdir()
    files = {"hearthflux/follow.env": lines, "hearthflux/follow.toml": CONFIG}
    running = service(folder, unit, "hearthflux", files)

    def until(what: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not what():
            assert time.monotonic() < end, running.log
            time.sleep(0.2)

    try:
        watch.is_following()
        began = time.time_ns() // 1000
        house.set_state("sensor.test_unit", "before")
        until(lambda: not missing(house, began, influx_home))
        running.kill_service()
        house.set_state("sensor.test_unit", "away")
        until(lambda: running.state("NRestarts") == "1")
        watch.is_following()
        house.set_state("sensor.test_unit", "after")
        until(lambda: len(house.recorded("sensor.test_unit")) == 3 and not missing(house, began, influx_home))
        assert running.state("ActiveState") == "active"
        running.stop_service()
        assert (running.state("ActiveState"), running.state("Result")) == ("inactive", "success")
        assert house.token not in running.log
    finally:
        running.end()
    points = [found for (entity, _), found in influx_home.stored().items() if entity == "sensor.test_unit"]
    assert [[one["state_value"] for one in found] for found in sorted(points, key=lambda found: found[0]["time"])] == [
        ["before"],
        ["away"],
        ["after"],
    ]


def test_the_page_word_for_word_and_a_wrong_token(house: Home, tmp_path: Path) -> None:
    script = "\n".join(re.findall(r"^```bash\n(.*?)^```", (ROOT / "docs" / "follow.md").read_text(), re.M | re.S))
    assert "hearthflux follow --check" in script
    environment = {**os.environ, "HEARTHFLUX_LOCAL": str(tmp_path), "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"}

    def run(token: str, more: str = "") -> subprocess.CompletedProcess[str]:
        told = script.replace("http://homeassistant.local:8123", house.url).replace("the-token", token) + more
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", told], env=environment, cwd=tmp_path, capture_output=True, text=True
        )

    done = run(house.token, f"hearthflux follow --write-registry {tmp_path}/places.json\n")
    assert done.returncode == 0, done.stderr
    assert "Home Assistant 2024.3.3: " in done.stdout
    assert "  light.kitchen_lights" in done.stdout
    places = json.loads((tmp_path / "places.json").read_text())
    assert places["light.kitchen_lights"]["integration"] == "demo"
    refused = run("not-a-token")
    assert refused.returncode == 1
    assert "refuses the token" in refused.stderr
    assert "not-a-token" not in refused.stderr
