from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operations.influxd import LocalInfluxd
from tools.find import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A `.local` of its own; whatever server was started in it is ended."""
    folder = tmp_path / "local"
    yield folder
    LocalInfluxd(folder / "influxdb").kill()


@pytest.fixture
def hearthflux(home: Path) -> Run:
    """Runs the command as a user does, in a process of its own."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("INFLUXDB_", "PULUMI_", "LOG_"))}
        return subprocess.run(
            [sys.executable, "-m", "operations.cli", *arguments],
            cwd=ROOT,
            env={**inherited, "HEARTHFLUX_LOCAL": str(home), "COLUMNS": "160", **variables},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    return run
