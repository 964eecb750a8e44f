"""A fleet of growing size on a fresh server each: `hearthflux fleet up` and a preview without changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.provider_contenders import PeakMemory
from operations.influxd import LocalInfluxd
from tools import find

HOMES_A_STACK = 20


def write_fleet(path: Path, homes: int) -> None:
    """So many homes in stacks of twenty."""
    names = [f"home-{number}" for number in range(homes)]
    stacks = {
        f"fleet-{first // HOMES_A_STACK}": {"homes": names[first : first + HOMES_A_STACK]}
        for first in range(0, homes, HOMES_A_STACK)
    }
    path.write_text(json.dumps({"stacks": stacks}))


def fleet(operation: str, path: Path, folder: Path, server: LocalInfluxd, jobs: int) -> tuple[float, int]:
    """Seconds, and the resources that it was about."""
    started = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-m", "operations.cli", "fleet", operation, "--file", path, "--json", "--jobs", str(jobs)],
        cwd=find.ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
            "HEARTHFLUX_LOCAL": str(folder),
            "INFLUXDB_URL": server.url,
            "INFLUXDB_TOKEN": server.token,
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if answer.returncode != 0:
        sys.exit(f"hearthflux fleet {operation} failed:\n{answer.stderr[-3000:]}")
    told = json.loads(answer.stdout)
    return time.perf_counter() - started, sum(sum(stack["changes"].values()) for stack in told["stacks"])


def measure(sizes: list[int], folder: Path, jobs: int) -> dict[str, float]:
    """Figures by size: seconds of `up` and of a preview without changes, peak memory of all processes in MB."""
    figures: dict[str, float] = {}
    for homes in sizes:
        place = folder / f"fleet-{homes}"
        place.mkdir()
        path = place / "fleet.yaml"
        write_fleet(path, homes)
        server = LocalInfluxd(place / "influxd").start()
        try:
            with PeakMemory() as memory:
                figures[f"fleet_{homes}_up"], resources = fleet("up", path, place / "local", server, jobs)
            figures[f"fleet_{homes}_noop"], _ = fleet("preview", path, place / "local", server, jobs)
        finally:
            server.kill()
        figures[f"fleet_{homes}_resources"] = resources
        figures[f"fleet_{homes}_memory_mb"] = round(memory.all / 1e6)
    return figures
