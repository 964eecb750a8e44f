"""The workflows say what is there: pinned actions, few permissions, commands and environments that exist.

Their syntax and expressions are checked by actionlint, as part of `make lint`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from operations.cli import app
from tools.find import ROOT

FILES = sorted((ROOT / ".github").rglob("*.yml"))
WORKFLOWS = [path for path in FILES if path.parent.name == "workflows"]


def steps(path: Path) -> list[dict[str, Any]]:
    parsed = yaml.safe_load(path.read_text())
    jobs = parsed.get("jobs", {"action": parsed.get("runs")})
    return [step for job in jobs.values() for step in job.get("steps", [])]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit_and_keep_no_credentials(path: Path) -> None:
    for step in steps(path):
        action = step.get("uses", "./")
        assert action.startswith("./") or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), action
        if action.startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_a_job_says_more(path: Path) -> None:
    parsed = yaml.safe_load(path.read_text())
    assert parsed["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in parsed["jobs"].items() if "permissions" in job}
    assert more in ({}, {"preview": {"contents": "read", "pull-requests": "write"}})


def test_no_secret_is_put_into_a_script() -> None:
    """An expression in a script is text that whoever opens a pull request may write: values come by environment."""
    scripts = [step["run"] for path in FILES for step in steps(path) if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


def test_the_commands_and_environments_exist() -> None:
    root: Any = typer.main.get_command(app)
    text = "\n".join(path.read_text() for path in FILES)
    used = re.findall(r"hearthflux stack (\w+)((?: --\w+)*)[^\n]*", text)
    assert {name for name, _ in used} == {"preview", "up", "drift"}
    group = root.get_command(None, "stack")
    for line in re.findall(r"hearthflux stack [^\n>]*", text):
        options = {option for one in group.commands[line.split()[2]].params for option in one.opts}
        assert {word for word in line.split() if word.startswith("--")} <= options
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= targets
    declared = {path.name.split(".")[1] for path in (ROOT / "stacks").glob("Pulumi.*.yaml")}
    assert {name.strip() for found in re.findall(r"stack: \[(.*)\]", text) for name in found.split(",")} <= declared
