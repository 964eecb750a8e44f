"""`hearthflux demo` stopped by Ctrl-C at several points: run again, it ends right, and once more changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.operations.conftest import Run
from tools.find import ROOT

ROWS = "300"  # two days of the data


def points(home: Path) -> dict[str, list[Callable[[], bool]]]:
    """How far a demo is to come: what has to be seen from outside, one after the other."""
    lock, log = home / "demo" / "lock", home / "demo" / "spool.sqlite-wal"
    return {
        "the server starts": [lock.exists],
        "pulumi changes things": [lock.exists, lambda: any((home / "pulumi").rglob("locks/*/*/*/*.json"))],
        "data go in": [lock.exists, log.exists],
        "data are summed up": [lock.exists, log.exists, lambda: not log.exists()],
    }


def test_interrupted_at_any_point_and_run_again(home: Path, hearthflux: Run) -> None:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("INFLUXDB_", "PULUMI_", "LOG_"))}
    for reached in points(home).values():
        (home / "demo" / "lock").unlink(missing_ok=True)
        demo = subprocess.Popen(
            [sys.executable, "-m", "operations.cli", "demo", "--rows", ROWS],
            cwd=ROOT,
            env={**inherited, "HEARTHFLUX_LOCAL": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            # Ctrl-C reaches every process of the terminal's group: pulumi and the provider hear it too.
            start_new_session=True,
        )
        for seen in reached:
            while not seen() and demo.poll() is None:
                time.sleep(0.01)
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGINT)
        said, _ = demo.communicate()
        assert demo.returncode in (0, 130), said
        assert "Traceback" not in said
    first = hearthflux("demo", "--rows", ROWS)
    assert first.returncode == 0, first.stdout + first.stderr
    text = (home / "demo" / "summary.json").read_text()
    summary = json.loads(text)
    assert summary["accepted"] == summary["delivered"] > 3000
    assert [summary[name] for name in ("dead_lettered", "dropped", "pending", "preview_changes")] == [0, 0, 0, 0]
    second = hearthflux("demo", "--rows", ROWS)
    assert second.returncode == 0, second.stdout + second.stderr
    assert (home / "demo" / "summary.json").read_text() == text
    report = (home / "demo" / "report.html").read_text()
    assert "<svg" in report
    assert "http://" not in report.replace("http://www.w3.org/", "")

    told = hearthflux("report", "--json", "--silence", "20000")
    assert told.returncode == 0, told.stderr
    figures = json.loads(told.stdout)
    assert figures["home"]["flows"]["entities"] == 29
    assert figures["storage"]["total_bytes"] > 100_000
    assert figures["health"]["status"] == "healthy", figures["health"]["reasons"]
    own = home / "own.html"
    assert hearthflux("report", "--output", str(own)).stdout.strip() == str(own)
    assert "What to expect" in own.read_text()
    refused = hearthflux("report", "--output", str(home / "nowhere" / "own.html"))
    assert refused.returncode == 2
    assert "there is no folder" in refused.stderr
