"""`hearthflux server`: it outlives the command, and each thing that can go wrong has its sentence."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path

from operations.influxd import LocalInfluxd, free_port
from operations.server_program import HOST
from tests.operations.conftest import Run


def assert_one_sentence(text: str) -> None:
    assert text.strip()
    assert "Traceback" not in text


def test_start_status_stop(hearthflux: Run, home: Path) -> None:
    port = str(free_port())
    started = hearthflux("server", "start", "--port", port, "--json")
    assert started.returncode == 0, started.stderr
    told = json.loads(started.stdout)
    assert told["answering"]
    assert told["url"] == f"http://{HOST}:{port}"
    token = Path(told["token_file"])
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert token.read_text().strip() not in started.stdout + started.stderr

    assert "runs already" in hearthflux("server", "start").stdout
    other = hearthflux("server", "start", "--port", str(free_port()))
    assert other.returncode == 1
    assert "already" in other.stderr
    assert hearthflux("server", "status").returncode == 0

    assert "stopped" in hearthflux("server", "stop").stdout
    gone = hearthflux("server", "status")
    assert gone.returncode == 1
    assert "does not run" in gone.stdout
    assert "did not run" in hearthflux("server", "stop").stdout


def test_a_crashed_server_is_told_from_a_stopped_one_and_starts_again(hearthflux: Run, home: Path) -> None:
    told = json.loads(hearthflux("server", "start", "--port", str(free_port()), "--json").stdout)
    os.kill(told["pid"], signal.SIGKILL)
    while LocalInfluxd(home / "influxdb").pid is not None:
        pass
    status = hearthflux("server", "status")
    assert status.returncode == 1
    assert "stale" in status.stdout
    again = json.loads(hearthflux("server", "start", "--json").stdout)
    assert again["answering"]
    assert again["url"] == told["url"]


def test_a_taken_port_is_named(hearthflux: Run) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        answer = hearthflux("server", "start", "--port", str(port))
    assert answer.returncode == 1
    assert f"Port {port}" in answer.stderr
    assert_one_sentence(answer.stderr)


def test_a_server_that_dies_at_its_start_shows_the_end_of_its_log(hearthflux: Run, home: Path) -> None:
    data = home / "influxdb" / "data"
    data.mkdir(parents=True)
    (data / "influxd.bolt").write_bytes(b"this is no bolt file" * 1000)
    answer = hearthflux("server", "start", "--port", str(free_port()))
    assert answer.returncode == 1
    assert "influxd.log" in answer.stderr
    assert "bolt" in answer.stderr
    assert_one_sentence(answer.stderr)


def test_a_server_that_gives_no_answer_is_told_from_one_that_is_gone(hearthflux: Run, home: Path) -> None:
    hearthflux("server", "start", "--port", str(free_port()))
    server = LocalInfluxd(home / "influxdb")
    server.pause()
    try:
        status = hearthflux("server", "status")
    finally:
        server.resume()
    assert status.returncode == 1
    assert "gives no answer" in status.stdout
