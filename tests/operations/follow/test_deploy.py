"""The unit file and the Dockerfile of `hearthflux follow`: their command lines are accepted, their files are there."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer.main

from operations.follow.settings import FollowSettings
from operations.follow_command import follow
from tests.operations.unit_files import complaints_of_systemd, settings, strange_settings
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


def test_every_setting_of_the_unit_is_one_of_systemd(tmp_path: Path) -> None:
    """`test_end_to_end` runs it."""
    assert {section for section, *_ in settings(UNIT)} == {"Unit", "Service", "Install"}
    assert strange_settings(UNIT) == []
    assert complaints_of_systemd([UNIT], tmp_path) == []


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
