"""The units of docs/operating.md: systemd takes them, and their commands are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import operations
from operations.cli import COMMANDS

UNITS = sorted((Path(operations.__file__).parent / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_service_runs_a_command_that_there_is_and_has_its_timer(path: Path) -> None:
    text = path.read_text()
    command = re.search(r"^ExecStart=\S+/hearthflux (\S+)", text, re.M)
    assert command is not None
    assert command[1] in COMMANDS
    assert path.with_suffix(".timer") in UNITS
    # The secrets come from a file, never from the unit, which everybody may read.
    assert "EnvironmentFile=/etc/hearthflux/" in text
    assert "TOKEN" not in re.sub(r"^#.*$", "", text, flags=re.M)


def test_systemd_takes_them(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        for path in UNITS:
            assert re.match(r"(?:#.*\n)*\[Unit\]\n", path.read_text())
        return
    for path in UNITS:
        # The programs and the user are those of an installation.
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(), flags=re.M)
        (tmp_path / path.name).write_text(re.sub(r"^User=.*\n", "", text, flags=re.M))
    told = subprocess.run(
        [program, "verify", *(str(tmp_path / path.name) for path in UNITS)], capture_output=True, text=True
    )
    ours = [line for line in (told.stdout + told.stderr).splitlines() if str(tmp_path) in line or "hearthflux-" in line]
    assert [line for line in ours if "Unknown" in line or "Failed to parse" in line or "bad unit" in line] == []
