"""Stacks in parallel through Pulumi's Automation API: each on its own, so that none stops the others."""

from __future__ import annotations

import concurrent.futures
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pulumi.automation import LocalWorkspaceOptions, Stack, create_or_select_stack
from pulumi.automation.errors import CommandError
from pulumi.automation.events import EngineEvent, StepEventMetadata

from operations import paths, pulumi_lock, pulumi_project, stack_diff
from operations.fleet.commands import Commands, Stopped
from operations.fleet.file import TOKEN, URL, FleetStack
from operations.pulumi_runner import complaint, explained, runner_environment

Operation = Literal["preview", "up", "drift"]
# The stack, and how many of its resources the engine is done with.
Seen = Callable[[str, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a stack came out of an operation. `failed` has a reason for each home that could not be done; `error` is
    what concerns the stack as a whole."""

    name: str
    homes: int
    changes: Mapping[str, int] = field(default_factory=dict)
    resources: tuple[stack_diff.ResourceChange, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0
    # Of an `up` that went through; with the tokens in clear.
    outputs: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        return not self.failed and not self.error

    @property
    def changed(self) -> int:
        return sum(count for name, count in self.changes.items() if name != "same")

    def as_json(self, *, diff: bool = False) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "stack": self.name,
            "ok": self.ok,
            "homes": self.homes,
            "failed": dict(self.failed),
            "error": self.error,
            "changed": self.changed,
            "changes": dict(self.changes),
            "seconds": round(self.seconds, 1),
        }
        return shown | ({"resources": [one.as_json() for one in self.resources]} if diff else {})


@dataclass(slots=True)
class _Attempt:
    """What one run of pulumi told by its events."""

    stack: FleetStack
    seen: Seen
    done: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    # Refused before anything was tried: the engine then looks at no further resource.
    refused: set[str] = field(default_factory=set)
    elsewhere: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict, repr=False)
    _tried: set[str] = field(default_factory=set)

    def on_event(self, event: EngineEvent) -> None:
        if event.resource_pre_event is not None:
            self.steps.append({"resourcePreEvent": {"metadata": _table(event.resource_pre_event.metadata)}})
        elif event.res_outputs_event is not None:
            self.done += 1
            self.seen(self.stack.name, self.done)
        elif event.res_op_failed_event is not None:
            self._tried.add(event.res_op_failed_event.metadata.urn)
        elif event.summary_event is not None:
            changes = event.summary_event.resource_changes or {}
            self.counts = {str(getattr(name, "value", name)): int(count) for name, count in changes.items()}
        elif event.diagnostic_event is not None and event.diagnostic_event.severity == "error":
            self._error(event.diagnostic_event.urn or "", complaint(event.diagnostic_event.message))

    def _error(self, urn: str, message: str) -> None:
        resource = urn.rpartition("::")[2]
        home = self.stack.home_of(resource) if resource else None
        if home is None:
            # The engine's own word that something failed, after the reason was told.
            if "update failed" not in message and message not in self.elsewhere:
                self.elsewhere.append(message)
            return
        self.failed.setdefault(home, f"{resource}: {message}")
        if urn not in self._tried:
            self.refused.add(home)


def _table(metadata: StepEventMetadata) -> dict[str, Any]:
    """A step as the engine's JSON has it."""
    return {
        "op": getattr(metadata.op, "value", metadata.op),
        "urn": metadata.urn,
        "old": {"inputs": metadata.old.inputs} if metadata.old else None,
        "new": {"inputs": metadata.new.inputs} if metadata.new else None,
        "diffs": metadata.diffs,
        "detailedDiff": {
            name: {"diffKind": getattr(one.diff_kind, "value", one.diff_kind)}
            for name, one in (metadata.detailed_diff or {}).items()
        },
    }


def opened(stack: FleetStack, commands: Commands) -> Stack:
    """The stack, made in the backend if it is not there."""
    folder = paths.local("fleet", stack.name)
    pulumi_project.write(folder, stack.name, stack.configuration)
    server = {URL: stack.url, TOKEN: os.environ.get(stack.token_variable, "").strip()}
    options = LocalWorkspaceOptions(env_vars=runner_environment(server), pulumi_command=commands)
    return create_or_select_stack(stack.name, work_dir=str(folder), opts=options)


def _once(operation: Operation, pulumi: Stack, attempt: _Attempt, without: Sequence[str]) -> None:
    prefixes = {home.name: home.prefix for home in attempt.stack.settings.homes}
    exclude = [f"urn:pulumi:{pulumi.name}::**::{name}" for home in without for name in (home, f"{prefixes[home]}*")]
    options: dict[str, Any] = {"on_event": attempt.on_event, "color": "never"}
    if exclude:
        options["exclude"] = exclude
    if operation == "up":
        made = pulumi.up(continue_on_error=True, show_secrets=False, **options)
        attempt.outputs = {name: output.value for name, output in made.outputs.items()}
    else:
        pulumi.preview(refresh=operation == "drift", **options)


def _unlocked(operation: Operation, pulumi: Stack, attempt: _Attempt, without: Sequence[str]) -> None:
    """Once more where the lock of a run that is gone stood in the way."""
    try:
        _once(operation, pulumi, attempt, without)
    except CommandError as error:
        holders = pulumi_lock.owners(str(error))
        if not holders:
            raise
        if not pulumi_lock.have_ended(holders):
            attempt.elsewhere[:] = [pulumi_lock.sentence(pulumi.name, holders)]
            raise
        attempt.elsewhere.clear()
        pulumi.cancel()
        _once(operation, pulumi, attempt, without)


def _settled(pulumi: Stack) -> None:
    """Operations that a killed run left pending are looked up on the server."""
    if (pulumi.export_stack().deployment or {}).get("pending_operations"):
        pulumi.refresh(clear_pending_creates=True)


def run_stack(operation: Operation, stack: FleetStack, commands: Commands, seen: Seen) -> Outcome:
    """One stack from beginning to end. A home that is refused is left out and the rest is tried again."""
    started = time.monotonic()
    failed: dict[str, str] = {}
    reasons: set[str] = set()
    error = ""
    attempt = _Attempt(stack, seen)
    try:
        pulumi = opened(stack, commands)
        if operation == "up":
            _settled(pulumi)
        while True:
            attempt = _Attempt(stack, seen)
            try:
                _unlocked(operation, pulumi, attempt, list(failed))
                break
            except CommandError as refusal:
                new = {home: reason for home, reason in attempt.failed.items() if home not in failed}
                texts = {reason.partition(": ")[2] for reason in new.values()}
                failed |= new
                if attempt.elsewhere or not new:
                    error = explained("\n".join(attempt.elsewhere) or complaint(str(refusal)), stack.name, "")
                    break
                # The same reason again, such as a server that does not answer: it is not about one home.
                again = texts & reasons or (texts if len(new) > len(texts) else set())
                if again:
                    error = next(iter(again))
                    break
                if not attempt.refused or len(failed) == len(stack.homes):
                    break
                reasons |= texts
    except Stopped:
        error = "interrupted"
    except CommandError as refusal:
        error = explained(complaint(str(refusal)), stack.name, "")
    return Outcome(
        name=stack.name,
        homes=len(stack.homes),
        changes=attempt.counts,
        resources=stack_diff.changes_of(attempt.steps),
        failed={} if error else failed,
        error="interrupted" if commands.stopped and error else error,
        seconds=time.monotonic() - started,
        outputs=attempt.outputs,
    )


def run(
    operation: Operation,
    stacks: Sequence[FleetStack],
    jobs: int,
    seen: Seen,
    ended: Callable[[Outcome], None],
) -> list[Outcome]:
    """All stacks, `jobs` at a time; `ended` is told of each as it ends. KeyboardInterrupt ends what runs in good
    order and is raised again."""
    commands = Commands()
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="fleet")
    futures = {pool.submit(run_stack, operation, stack, commands, seen): stack.name for stack in stacks}
    outcomes: dict[str, Outcome] = {}
    try:
        for future in concurrent.futures.as_completed(futures):
            outcomes[futures[future]] = future.result()
            ended(future.result())
    except KeyboardInterrupt:
        for future in futures:
            future.cancel()
        commands.stop()
        for future in concurrent.futures.wait(futures).done:
            if not future.cancelled() and futures[future] not in outcomes:
                ended(future.result())
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [outcomes[stack.name] for stack in stacks]
