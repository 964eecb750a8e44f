"""A Pulumi program in a folder of its own, run by the real pulumi with the provider of this checkout."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from operations.pulumi_runner import runner_environment
from tools import find

HEAD = "import pulumi\nfrom provider import Authorization, Bucket, Organization, Task\n"


@dataclass
class Program:
    folder: Path
    environment: dict[str, str] = field(repr=False)

    def write(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(HEAD + text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [find.pulumi(), *arguments, "--stack", "test", "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=runner_environment(self.environment),
            capture_output=True,
            text=True,
            timeout=90,
            stdin=subprocess.DEVNULL,
        )

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
        answer = self.run("preview", "--json", *arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return {
            step["urn"].split("::")[-1]: step["op"]
            for step in json.loads(answer.stdout)["steps"]
            if step["op"] != "same"
        }

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self.run("stack", "output", "--json", "--show-secrets").stdout))


@pytest.fixture
def program(tmp_path: Path, pulumi_environment: dict[str, str]) -> Program:
    folder = tmp_path / "program"
    folder.mkdir()
    state = tmp_path / "state"
    state.mkdir()
    name = f"p{tmp_path.name[-20:].replace('_', '-')}".rstrip("-")
    (folder / "Pulumi.yaml").write_text(
        f"name: {name}\nruntime: python\nplugins:\n  providers:\n"
        f"    - name: influxdb\n      path: {find.ROOT / 'provider'}\n"
    )
    made = Program(folder, {**pulumi_environment, "PULUMI_BACKEND_URL": state.as_uri()})
    answer = made.run("stack", "init")
    assert answer.returncode == 0, answer.stderr
    return made
