"""The server from Docker's image: with an engine for real, without one up to the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from operations.influxd import LocalInfluxd
from operations.server_program import Image
from tools import find
from writer import BatchWriter, Event, WriterSettings

STAND_IN = Path(__file__).with_name("docker_stand_in.sh")


def engine_answers() -> bool:
    return (
        shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True).returncode == 0
    )


needs_docker = pytest.mark.skipif(not engine_answers(), reason="needs a Docker engine, and none answers here")


def life(server: LocalInfluxd) -> None:
    """Started, set up, hung, killed and started again: the data stay."""
    server.start()
    made = server.api("POST", "/api/v2/buckets", {"name": "kept", "orgID": server.org_id, "retentionRules": []})
    server.write(made["id"], "probe f=1")
    server.pause()
    # Each of its threads has to come to a halt first.
    deadline = time.monotonic() + 120
    while server.is_ready(timeout=0.3):
        assert time.monotonic() < deadline, "a paused server still answers"
    server.resume()
    assert server.is_ready(timeout=120)
    assert server.kill()
    assert server.pid is None
    assert not server.is_ready(timeout=0.3)
    server.start()
    found = server.api("GET", "/api/v2/buckets?name=kept")
    assert [bucket["id"] for bucket in found["buckets"]] == [made["id"]]
    assert server.stop()
    assert not server.is_ready(timeout=0.3)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").symlink_to(STAND_IN)
    monkeypatch.setenv("STAND_IN_INFLUXD", str(find.influxd()))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    yield folder
    for left in folder.glob("*.pid"):
        subprocess.run(["kill", "-KILL", left.read_text().strip()], capture_output=True)


def test_the_image_is_run_stopped_paused_and_killed_by_docker(stand_in: Path, tmp_path: Path) -> None:
    life(LocalInfluxd(tmp_path / "influxdb", program=Image()))


def test_a_container_that_a_crash_left_behind_is_cleared_away(stand_in: Path, tmp_path: Path) -> None:
    first = LocalInfluxd(tmp_path / "influxdb", program=Image()).start()
    # The docker command is gone with its terminal, the container still runs and holds port and folder.
    (first.folder / "influxd.json").unlink()
    again = LocalInfluxd(tmp_path / "influxdb", program=Image())
    try:
        again.start()
        assert again.is_ready()
        assert first.pid is None
    finally:
        again.kill()


@needs_docker
def test_the_official_image_serves_as_the_local_server(tmp_path: Path) -> None:
    life(LocalInfluxd(tmp_path / "influxdb", program=Image()))


@needs_docker
async def test_the_writer_on_the_official_image(tmp_path: Path) -> None:
    # testcontainers' own module for InfluxDB wants the client of InfluxDB 1.x installed beside.
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy

    container = (
        DockerContainer(find.DOCKER_IMAGE)
        .with_env("DOCKER_INFLUXDB_INIT_MODE", "setup")
        .with_env("DOCKER_INFLUXDB_INIT_USERNAME", "tests")
        .with_env("DOCKER_INFLUXDB_INIT_PASSWORD", "for-tests-only")
        .with_env("DOCKER_INFLUXDB_INIT_ADMIN_TOKEN", "for-tests-only")
        .with_env("DOCKER_INFLUXDB_INIT_ORG", "home")
        .with_env("DOCKER_INFLUXDB_INIT_BUCKET", "events")
        .with_exposed_ports(8086)
        .waiting_for(HttpWaitStrategy(8086, "/health").for_status_code(200))
    )
    with container:
        settings = WriterSettings(
            url=f"http://{container.get_container_host_ip()}:{container.get_exposed_port(8086)}",
            token="for-tests-only",
            org="home",
            spool_path=tmp_path / "spool.sqlite",
        )
        async with BatchWriter(settings) as writer:
            await writer.write(Event(time_ns=1_760_000_000_000_000_000, entity_id="sensor.a", state_value="1"))
            report = await writer.flush()
        assert (report.delivered, report.pending) == (1, 0)
