"""The units of docs/operating.md: systemd takes them, and their commands are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import operations
from operations.cli import COMMANDS
from tests.operations.unit_files import complaints_of_systemd, settings, strange_settings

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


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_setting_is_one_of_systemd(path: Path) -> None:
    assert list(settings(path))
    assert strange_settings(path) == []


def test_systemd_takes_them(tmp_path: Path) -> None:
    assert complaints_of_systemd(UNITS, tmp_path) == []


def test_what_systemd_would_not_take_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.service"
    wrong.write_text("[Unit]\nDescription=wrong\n[Timer]\nUser=me\n[Service]\nExecStart=hearthflux\nRestart=yes\n")
    assert strange_settings(wrong) == ["[Timer] User=me", "[Service] ExecStart=hearthflux", "[Service] Restart=yes"]
