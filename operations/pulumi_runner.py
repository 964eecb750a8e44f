"""Runs the real pulumi on this project's stacks, with the local file backend unless the user chose another.

`.local/pulumi` holds the state, `.local/pulumi.passphrase` the passphrase that encrypts its secrets (made once,
readable by the user only). PULUMI_BACKEND_URL and PULUMI_CONFIG_PASSPHRASE(_FILE) of the user win.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operations import paths
from operations.errors import UserError
from operations.influxd import write_private
from tools import find

Progress = Callable[[dict[str, Any]], None]
_INTERRUPT_WAIT_SECONDS = 60.0
_COLOURS = re.compile(r"<\{%[^%]*%\}>")


class PulumiError(UserError):
    """pulumi ended with an error; the message is what pulumi said of it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an operation did: number of resources by operation (`same`, `create`, `update`, ...)."""

    changes: dict[str, int] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """How many resources are not the same."""
        return sum(count for operation, count in self.changes.items() if operation != "same")


def passphrase_file() -> Path:
    path = paths.local("pulumi.passphrase")
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32) + "\n")
    return path


def runner_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment in which pulumi runs: programs of this project first on PATH, local backend by default."""
    environment = {**os.environ, **(extra or {})}
    # The Python language host takes the python that is first on PATH.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(find.BIN), environment["PATH"]])
    environment["PULUMI_SKIP_UPDATE_CHECK"] = "1"
    # --event-log exists only with this, as the automation library uses it.
    environment["PULUMI_DEBUG_COMMANDS"] = "true"
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(find.ROOT), environment.get("PYTHONPATH", "")]))
    if not environment.get("PULUMI_BACKEND_URL"):
        state = paths.local("pulumi")
        state.mkdir(exist_ok=True)
        environment["PULUMI_BACKEND_URL"] = state.as_uri()
    if not environment.get("PULUMI_CONFIG_PASSPHRASE") and not environment.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        environment["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase_file())
        environment.pop("PULUMI_CONFIG_PASSPHRASE", None)
    return environment


def complaint(output: str) -> str:
    """The lines of pulumi's output that say what is wrong, without colours, duplicates and the stack's frame."""
    lines = [_COLOURS.sub("", line).rstrip() for line in output.splitlines()]
    telling = [line.strip() for line in lines if re.search(r"\berror\b|cannot|invalid|refused|failed", line, re.I)]
    return "\n".join(dict.fromkeys(telling or [line for line in lines if line.strip()][-8:]))


@dataclass(slots=True)
class Stack:
    """One stack of the project. `environment` reaches the program and the provider (INFLUXDB_URL, INFLUXDB_TOKEN)."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path = find.ROOT

    def run(self, *arguments: str) -> str:
        """One short pulumi command; its standard output. Raises PulumiError."""
        answer = subprocess.run(
            [find.pulumi(), *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=runner_environment(self.environment),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if answer.returncode != 0:
            raise PulumiError(complaint(answer.stderr + answer.stdout))
        return answer.stdout

    def names(self) -> set[str]:
        return {str(stack["name"]) for stack in json.loads(self.run("stack", "ls", "--json"))}

    def ensure(self) -> None:
        """Make the stack if the backend does not have it. Its configuration file is not touched."""
        if self.name in self.names():
            return
        configuration = self.folder / "stacks" / f"Pulumi.{self.name}.yaml"
        if not configuration.is_file():
            raise UserError(
                f"There is no stack {self.name!r}: its configuration {configuration.relative_to(self.folder)} is not "
                f"there. There are {', '.join(self.declared())}."
            )
        # `stack init` writes the encryption salt into the configuration file. That file is committed and the salt
        # belongs to this machine's passphrase, so the state keeps it and the file stays as it was.
        before = configuration.read_bytes()
        try:
            self.run("stack", "init", self.name, "--no-select")
        finally:
            configuration.write_bytes(before)

    def declared(self) -> list[str]:
        return sorted(path.name.split(".")[1] for path in (self.folder / "stacks").glob("Pulumi.*.yaml"))

    def config_file(self, folder: Path) -> Path:
        """The configuration that pulumi is given: a copy without salt, so that it does not write its salt, which
        belongs to one machine's passphrase, into a committed file. With secrets in it the file itself."""
        committed = self.folder / "stacks" / f"Pulumi.{self.name}.yaml"
        text = committed.read_text()
        if re.search(r"^\s+secure:", text, re.M):
            return committed
        copy = folder / committed.name
        copy.write_text(re.sub(r"^encryptionsalt:.*\n?", "", text, flags=re.M))
        return copy

    def preview(self, progress: Progress | None = None) -> Result:
        """What `up` would change. Raises PulumiError."""
        return self._operate("preview", [], progress)

    def up(self, progress: Progress | None = None) -> Result:
        """Make the server what the program declares. A lock or a half-made resource of an interrupted run is settled
        first. Raises PulumiError."""
        return self._operate("up", ["--yes", "--skip-preview"], progress)

    def refresh(self, progress: Progress | None = None) -> Result:
        return self._operate("refresh", ["--yes", "--skip-preview", "--clear-pending-creates"], progress)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in clear. Raises PulumiError, UserError where nothing was applied yet."""
        if self.name not in self.names():
            raise UserError(
                f"Stack {self.name!r} is not there yet: 'hearthflux stack up --stack {self.name}' makes it."
            )
        found = json.loads(self.run("stack", "output", "--json", "--show-secrets", "--stack", self.name))
        if not found:
            raise UserError(
                f"Stack {self.name!r} has no outputs yet: 'hearthflux stack up --stack {self.name}' applies it."
            )
        return dict(found)

    def recover(self) -> None:
        """After an interrupted run: take away its lock and settle operations that it left pending."""
        if self.name not in self.names():
            return
        self.run("cancel", "--yes", "--stack", self.name)
        state = json.loads(self.run("stack", "export", "--stack", self.name))
        if state.get("deployment", {}).get("pending_operations"):
            self.refresh()

    def _operate(self, operation: str, arguments: list[str], progress: Progress | None) -> Result:
        with tempfile.TemporaryDirectory(prefix="hearthflux-") as folder:
            log = Path(folder) / "events.json"
            output = Path(folder) / "output"
            with output.open("wb") as sink:
                process = subprocess.Popen(
                    [
                        find.pulumi(),
                        operation,
                        *arguments,
                        "--stack",
                        self.name,
                        "--non-interactive",
                        "--color",
                        "never",
                        "--config-file",
                        str(self.config_file(Path(folder))),
                        "--event-log",
                        str(log),
                    ],
                    cwd=self.folder,
                    env=runner_environment(self.environment),
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    # Ctrl-C reaches us only; we pass it on once, for a second one makes pulumi leave its lock.
                    start_new_session=True,
                )
            try:
                events = _follow(process, log, progress)
            except BaseException:
                _interrupt(process)
                raise
            errors = [
                _COLOURS.sub("", event["diagnosticEvent"]["message"]).strip()
                for event in events
                if event.get("diagnosticEvent", {}).get("severity") == "error"
            ]
            if process.returncode != 0:
                shown = "\n".join(dict.fromkeys(errors)) or complaint(output.read_text(errors="replace"))
                raise PulumiError(f"pulumi {operation} of stack {self.name} failed: {shown}")
            summary: dict[str, Any] = next((e["summaryEvent"] for e in reversed(events) if "summaryEvent" in e), {})
            return Result({str(name): int(count) for name, count in (summary.get("resourceChanges") or {}).items()})


def _follow(process: subprocess.Popen[bytes], log: Path, progress: Progress | None) -> list[dict[str, Any]]:
    """The events of pulumi's log until the process ends, each handed to `progress` as it comes."""
    events: list[dict[str, Any]] = []
    position, rest = 0, b""
    while True:
        ended = process.poll() is not None
        if log.exists():
            with log.open("rb") as source:
                source.seek(position)
                chunk = source.read()
            position += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    events.append(json.loads(line))
                    if progress is not None:
                        progress(events[-1])
        if ended:
            return events
        time.sleep(0.05)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=_INTERRUPT_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
