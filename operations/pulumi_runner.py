"""Runs the real pulumi on this project's stacks, with the local file backend unless the user chose another.

`.local/pulumi` holds the state, `.local/pulumi.passphrase` the passphrase that encrypts its secrets (made once,
readable by the user only). PULUMI_BACKEND_URL and PULUMI_CONFIG_PASSPHRASE(_FILE) of the user win.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operations import paths, protected_data, pulumi_lock, pulumi_project
from operations.errors import UserError
from operations.influxd import write_private
from operations.stack_diff import ResourceChange, changes_of
from tools import find

Progress = Callable[[dict[str, Any]], None]
# Answers the one question that Pulumi's Python host asks of pip at each start, in a twentieth of pip's time.
QUICK_PIP = Path(__file__).with_name("quick_pip")
_INTERRUPT_WAIT_SECONDS = 60.0
_COLOURS = re.compile(r"<\{%[^%]*%\}>")


class PulumiError(UserError):
    """pulumi ended with an error; the message is what pulumi said of it."""


class StackMissing(UserError):
    """The backend has no stack of that name."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an operation did: number of resources by operation (`same`, `create`, `update`, ...), and which."""

    changes: dict[str, int] = field(default_factory=dict)
    resources: tuple[ResourceChange, ...] = ()

    @property
    def changed(self) -> int:
        """How many resources are not the same."""
        return sum(count for operation, count in self.changes.items() if operation != "same")


def passphrase_file() -> Path:
    """The file with this machine's passphrase. Of two that make it at once, one wins for both."""
    path = paths.local("pulumi.passphrase")
    if not path.exists():
        own = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        write_private(own, secrets.token_urlsafe(32) + "\n")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(own)
        own.unlink()
    return path


def passphrase_source() -> str:
    """Where the passphrase comes from, for a sentence."""
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        if os.environ.get(name):
            return f"now it comes from {name}"
    return f"now it comes from {passphrase_file()}"


def runner_environment(extra: Mapping[str, str] | None = None, *, by_hand: bool = False) -> dict[str, str]:
    """The environment in which pulumi runs: programs of this project first on PATH, local backend by default.

    `by_hand` is for a person's shell, in which `pip` has to be pip.
    """
    environment = {**os.environ, **(extra or {})}
    # The Python language host takes the python that is first on PATH.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(find.BIN), environment["PATH"]])
    environment["PULUMI_SKIP_UPDATE_CHECK"] = "1"
    # --event-log exists only with this, as the automation library uses it.
    environment["PULUMI_DEBUG_COMMANDS"] = "true"
    ours = [str(find.ROOT)] if by_hand else [str(QUICK_PIP), str(find.ROOT)]
    environment["PYTHONPATH"] = os.pathsep.join([*ours, *filter(None, [environment.get("PYTHONPATH")])])
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
    telling = [
        line.strip() for line in lines if re.search(r"\berror\b|cannot|invalid|refused|failed|created by", line, re.I)
    ]
    return "\n".join(dict.fromkeys(telling or [line for line in lines if line.strip()][-8:]))


def errors_of(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the engine's events say went wrong, each once."""
    said = (event["diagnosticEvent"] for event in events if "diagnosticEvent" in event)
    return list(dict.fromkeys(_COLOURS.sub("", one["message"]).strip() for one in said if one["severity"] == "error"))


def explained(reason: str, stack: str, configuration: str) -> str:
    """Pulumi's words; where they are about the passphrase, what has to be set."""
    if "incorrect passphrase" not in reason and "passphrase must be set" not in reason:
        return reason
    encrypted = (
        f"The secrets in stacks/Pulumi.{stack}.yaml were encrypted"
        if pulumi_project.has_secrets(configuration)
        else f"The state of stack {stack!r} was encrypted"
    )
    return f"{encrypted} with another passphrase: set PULUMI_CONFIG_PASSPHRASE to that one ({passphrase_source()})."


@dataclass(slots=True)
class Stack:
    """One stack of the project. `environment` reaches the program and the provider (INFLUXDB_URL, INFLUXDB_TOKEN).

    `configuration` is YAML to be taken instead of what stacks/Pulumi.<name>.yaml says.
    """

    name: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    configuration: str | None = field(default=None, repr=False)

    def _configuration(self) -> str:
        if self.configuration is not None:
            return self.configuration
        # A stack of a fleet has outputs and a state, but no file of its own.
        path = pulumi_project.STACKS / f"Pulumi.{self.name}.yaml"
        return path.read_text() if path.is_file() else ""

    @contextlib.contextmanager
    def _project(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="hearthflux-") as text:
            folder = Path(text)
            pulumi_project.write(folder, self.name, self._configuration())
            yield folder

    def run(self, *arguments: str) -> str:
        """One short pulumi command; its standard output. Raises PulumiError."""
        with self._project() as folder:
            answer = subprocess.run(
                [find.pulumi(), *arguments, "--non-interactive", "--color", "never"],
                cwd=folder,
                env=runner_environment(self.environment),
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
        if answer.returncode != 0:
            raise PulumiError(self._explained(complaint(answer.stderr + answer.stdout)))
        return answer.stdout

    def _ask(self, *arguments: str) -> Any:
        """What a short command that answers in JSON says of this stack. Raises PulumiError, StackMissing."""
        try:
            return json.loads(self.run(*arguments, "--stack", self.name))
        except PulumiError as error:
            if "no stack named" not in str(error):
                raise
        raise StackMissing(f"Stack {self.name!r} is not there yet: 'hearthflux stack up --stack {self.name}' makes it.")

    def names(self) -> set[str]:
        return {str(stack["name"]) for stack in json.loads(self.run("stack", "ls", "--json"))}

    def ensure(self) -> None:
        """Make the stack if the backend does not have it. Its configuration file is not touched."""
        if self.configuration is None:
            pulumi_project.committed(self.name)
        if self.name not in self.names():
            self.run("stack", "init", self.name, "--no-select")

    def preview(self, progress: Progress | None = None, *, refresh: bool = False) -> Result:
        """What `up` would change; with `refresh` beside what the server has now. Raises PulumiError."""
        return self._operate("preview", ["--refresh"] if refresh else [], progress)

    def up(self, progress: Progress | None = None) -> Result:
        """Make the server what the program declares. Raises PulumiError."""
        return self._operate("up", ["--yes", "--skip-preview"], progress)

    def refresh(self, progress: Progress | None = None) -> Result:
        return self._operate("refresh", ["--yes", "--skip-preview", "--clear-pending-creates"], progress)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in clear. Raises PulumiError, UserError where nothing was applied yet."""
        found = self._ask("stack", "output", "--json", "--show-secrets")
        if not found:
            raise UserError(
                f"Stack {self.name!r} has no outputs yet: 'hearthflux stack up --stack {self.name}' applies it."
            )
        return dict(found)

    def state(self) -> dict[str, Any]:
        """What the backend keeps of the stack, secrets encrypted; {} before the first `up`. Raises as `outputs`."""
        return dict(self._ask("stack", "export").get("deployment") or {})

    def recover(self) -> None:
        """After an interrupted run: settle the operations that it left pending."""
        pulumi_lock.drop_empty_attributes(runner_environment(self.environment)["PULUMI_BACKEND_URL"])
        with contextlib.suppress(StackMissing):
            if self.state().get("pending_operations"):
                self.refresh()

    def _explained(self, reason: str) -> str:
        return explained(reason, self.name, self._configuration())

    def _costs(self, reason: str) -> str:
        """What the buckets hold that pulumi refuses to delete."""
        if not protected_data.refused_buckets(reason):
            return ""
        return protected_data.costs(reason, self.state(), {**os.environ, **self.environment})

    def _operate(self, operation: str, arguments: list[str], progress: Progress | None) -> Result:
        """Run it; a lock whose owner is gone is taken away first. Raises PulumiError."""
        try:
            return self._once(operation, arguments, progress)
        except PulumiError as error:
            holders = pulumi_lock.owners(str(error))
            if not holders:
                raise
            if not pulumi_lock.have_ended(holders):
                raise PulumiError(pulumi_lock.sentence(self.name, holders)) from None
        self.run("cancel", "--yes", "--stack", self.name)
        return self._once(operation, arguments, progress)

    def _once(self, operation: str, arguments: list[str], progress: Progress | None) -> Result:
        with self._project() as folder:
            log = folder / "events.json"
            output = folder / "output"
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
                        "--event-log",
                        str(log),
                    ],
                    cwd=folder,
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
                interrupt(process)
                raise
            errors = errors_of(events)
            if process.returncode != 0:
                shown = "\n".join(errors) or complaint(output.read_text(errors="replace"))
                shown = "\n".join(filter(None, [self._explained(shown), self._costs(shown)]))
                raise PulumiError(f"pulumi {operation} of stack {self.name} failed: {shown}")
            summary: dict[str, Any] = next((e["summaryEvent"] for e in reversed(events) if "summaryEvent" in e), {})
            counts = {str(name): int(count) for name, count in (summary.get("resourceChanges") or {}).items()}
            return Result(counts, changes_of(events))


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


def interrupt(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=_INTERRUPT_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
