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


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Every setting is one that systemd knows, each in its section."""
    sections = dict(re.findall(r"^\[(\w+)\]\n((?:(?!\[).*\n)*)", UNIT.read_text(), re.MULTILINE))
    assert sections.keys() == {"Unit", "Service", "Install"}
    program = shutil.which("systemd-analyze")
    if program is None:
        return
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
