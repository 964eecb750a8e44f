"""The unit file and the Dockerfile of `hearthflux follow`: their command lines are accepted, their files are there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer.main

from operations.follow.settings import FollowSettings
from operations.follow_command import follow
from tools.find import ROOT

UNIT = ROOT / "deploy" / "hearthflux-follow.service"
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")


YES_OR_NO = r"yes|no"
SECONDS = r"\d+"
NAME = r"[a-z_][a-z0-9_-]*"
UNITS_NAMED = r"[\w-]+\.(target|service)( [\w-]+\.(target|service))*"
SETTINGS = {
    "Unit": {"Description": r"\S.*", "Wants": UNITS_NAMED, "After": UNITS_NAMED},
    "Service": {
        "User": NAME,
        "Group": NAME,
        "StateDirectory": NAME,
        "EnvironmentFile": r"/\S+",
        "Environment": r"[A-Z_]+=\S+( [A-Z_]+=\S+)*",
        "ExecStart": r"/\S+( \S+)*",
        "Restart": r"no|on-success|on-failure|on-abnormal|on-watchdog|on-abort|always",
        "RestartSec": SECONDS,
        "TimeoutStopSec": SECONDS,
        "NoNewPrivileges": YES_OR_NO,
        "ProtectSystem": r"yes|no|full|strict",
        "ProtectHome": r"yes|no|read-only|tmpfs",
        "PrivateTmp": YES_OR_NO,
        "PrivateDevices": YES_OR_NO,
        "ProtectKernelTunables": YES_OR_NO,
        "ProtectControlGroups": YES_OR_NO,
        "RestrictAddressFamilies": r"AF_[A-Z0-9]+( AF_[A-Z0-9]+)*",
        "MemoryMax": r"\d+[KMG]?",
    },
    "Install": {"WantedBy": UNITS_NAMED},
}


def accepted(arguments: list[str]) -> dict[str, object]:
    """The options of `hearthflux follow` as the command line reads them."""
    assert arguments.pop(0) == "follow"
    app = typer.Typer()
    app.command()(follow)
    return typer.main.get_command(app).make_context("follow", arguments).params


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def test_the_unit_runs_a_command_line_that_is_accepted() -> None:
    command = re.search(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    assert command is not None
    program, *arguments = shlex.split(command[1])
    assert program.endswith("/bin/hearthflux")
    assert accepted(arguments)["config"] == Path("/etc/hearthflux/follow.toml")
    with pytest.raises(Exception, match="No such option"):
        accepted(["follow", "--no-such-option"])


def test_every_setting_of_the_unit_is_one_of_systemd(tmp_path: Path) -> None:
    """Of systemd's manual: what the unit uses, in which section, and what its values look like."""
    found = re.findall(r"^\[(\w+)\]\n((?:(?!\[).*\n)*)", UNIT.read_text(), re.MULTILINE)
    assert [section for section, _ in found] == list(SETTINGS)
    for section, text in found:
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        for line in lines:
            name, separator, value = line.partition("=")
            assert separator
            assert re.fullmatch(SETTINGS[section][name], value), line
    # systemd's own opinion beside it, where it is installed; test_end_to_end runs the unit.
    if (program := shutil.which("systemd-analyze")) is not None:
        path = tmp_path / UNIT.name
        path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
        told = subprocess.run([program, "verify", str(path)], capture_output=True, text=True)
        assert [line for line in (told.stdout + told.stderr).splitlines() if UNIT.stem in line] == []


def test_the_image_has_all_that_the_wheel_is_built_of() -> None:
    copied = {name for line in instructions("COPY") for name in line.split()[:-1] if not name.startswith("-")}
    assert all((ROOT / name).exists() for name in copied if name != "/wheels")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]
    assert {"pyproject.toml", project["project"]["readme"]} <= copied
    assert {*wheel["targets"]["wheel"]["packages"], wheel["hooks"]["custom"]["path"]} <= copied


def test_the_image_runs_a_command_line_that_is_accepted() -> None:
    (entry,), (command,) = instructions("ENTRYPOINT"), instructions("CMD")
    assert entry == '["hearthflux"]'
    options = accepted(re.findall(r'"([^"]*)"', command))
    assert (options["host"], options["port"]) == ("0.0.0.0", int(instructions("EXPOSE")[0]))
    (check,) = re.findall(r"HEALTHCHECK .*CMD python -c \"(.*)\"", DOCKERFILE)
    compile(check, "healthcheck", "exec")
    assert f":{options['port']}/health" in check


def test_the_example_of_what_to_follow_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_ASSISTANT_URL", "http://homeassistant.local:8123")
    monkeypatch.setenv("HOME_ASSISTANT_TOKEN", "a-token")
    settings = FollowSettings.from_env(ROOT / "deploy" / "follow.toml", tmp_path / "follow.json")
    assert settings.position == tmp_path / "follow.json"
