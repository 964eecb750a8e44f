"""A Pulumi program in a folder of its own, run by the real pulumi with the provider of this checkout."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from operations.influxd import LocalInfluxd
from operations.pulumi_runner import runner_environment
from provider.api import Api
from tools import find

HEAD = "import pulumi\nfrom provider.resources import *\n"


@dataclass
class Program:
    folder: Path
    environment: dict[str, str] = field(repr=False)
    name: str = "test"
    # All that pulumi printed, but for what was asked to show secrets.
    printed: list[str] = field(default_factory=list, repr=False)

    def write(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(HEAD + text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        answer = subprocess.run(
            [find.pulumi(), *arguments, "--stack", "test", "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=runner_environment(self.environment),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if "--show-secrets" not in arguments:
            self.printed += [answer.stdout, answer.stderr]
        return answer

    def up(self) -> subprocess.CompletedProcess[str]:
        answer = self.run("up", "--yes", "--skip-preview")
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer

    def fails(self, *arguments: str) -> str:
        """The output of a command that has to fail."""
        answer = self.run(*arguments)
        assert answer.returncode != 0, answer.stdout
        assert "Traceback" not in answer.stdout + answer.stderr
        return answer.stdout + answer.stderr

    def steps(self, *arguments: str) -> dict[str, str]:
        """What a preview would do: operation by the resource's name, without what stays the same."""
        return {name: step["op"] for name, step in self.details(*arguments).items()}

    def details(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """The same with all that pulumi says of each step; of a replacement its last one, `replace`."""
        answer = self.run("preview", "--json", *arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        steps = json.loads(answer.stdout)["steps"]
        return {
            step["urn"].split("::")[-1]: step
            for step in steps
            if step["op"] not in ("same", "create-replacement", "delete-replaced", "read")
        }

    def beside(self, name: str) -> Program:
        """Another program on the same server, with a state of its own."""
        return new_program(self.folder.parent / name, self.environment, name)

    def state_files(self) -> list[Path]:
        """Everything that the backend keeps of this stack: the state, its history and backups."""
        backend = Path(self.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
        return [path for path in backend.rglob("*") if path.is_file()]

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self.run("stack", "output", "--json", "--show-secrets").stdout))


def new_program(folder: Path, environment: dict[str, str], name: str) -> Program:
    folder.mkdir()
    state = folder / "state"
    state.mkdir()
    (folder / "Pulumi.yaml").write_text(
        f"name: {name}\nruntime: python\nplugins:\n  providers:\n"
        f"    - name: influxdb\n      path: {find.ROOT / 'provider'}\n"
    )
    made = Program(folder, {**environment, "PULUMI_BACKEND_URL": state.as_uri()}, name)
    answer = made.run("stack", "init")
    assert answer.returncode == 0, answer.stderr
    return made


@pytest.fixture
def program(tmp_path: Path, pulumi_environment: dict[str, str]) -> Program:
    name = f"p{tmp_path.name[-20:].replace('_', '-')}".rstrip("-")
    return new_program(tmp_path / "program", pulumi_environment, name)


@pytest.fixture
async def api(influxd: LocalInfluxd) -> AsyncIterator[Api]:
    opened = Api(influxd.url, influxd.token)
    yield opened
    await opened.close()
