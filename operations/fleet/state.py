"""What the backend knows of a fleet's stacks, without asking any server."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from operations import pulumi_project
from operations.fleet.file import Fleet, FleetStack
from operations.pulumi_runner import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """`declared` are the homes of the file, `applied` those of them that the state has, `left_over` those that it has
    and the file has not. `when` is the time of the last change, or `never`."""

    name: str
    declared: tuple[str, ...]
    applied: tuple[str, ...]
    left_over: tuple[str, ...]
    resources: int
    when: str

    @property
    def to_do(self) -> str:
        """What `up` has to do for its homes; empty where they are all there."""
        missing = [home for home in self.declared if home not in self.applied]
        parts = [
            f"{word} {', '.join(homes)}" for word, homes in (("make", missing), ("delete", self.left_over)) if homes
        ]
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        return {
            "stack": self.name,
            "declared": list(self.declared),
            "applied": list(self.applied),
            "left_over": list(self.left_over),
            "resources": self.resources,
            "last_applied": self.when,
            "to_do": self.to_do,
        }


def _listed() -> dict[str, dict[str, Any]]:
    # Any stack of the project will do to ask for all of them.
    listed = json.loads(Stack("fleet", {}, "").run("stack", "ls", "--json"))
    return {str(one["name"]): one for one in listed}


def _state(stack: FleetStack, listed: dict[str, Any] | None) -> StackState:
    outputs: dict[str, Any] = {}
    if listed is not None:
        reader = Stack(stack.name, {}, stack.configuration)
        outputs = json.loads(reader.run("stack", "output", "--json", "--stack", stack.name)) or {}
    homes = outputs.get("homes", {})
    return StackState(
        name=stack.name,
        declared=stack.homes,
        applied=tuple(home for home in stack.homes if home in homes),
        left_over=tuple(home for home in homes if home not in stack.homes),
        resources=int((listed or {}).get("resourceCount") or 0),
        when=str((listed or {}).get("lastUpdate") or "never"),
    )


def states(stacks: Sequence[FleetStack], jobs: int = 4) -> list[StackState]:
    """The state of each stack. Raises PulumiError."""
    listed = _listed()
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(lambda stack: _state(stack, listed.get(stack.name)), stacks))


def strangers(fleet: Fleet) -> list[str]:
    """Stacks of this project in the backend that are neither in the file nor an environment."""
    return sorted(set(_listed()) - {stack.name for stack in fleet.stacks} - set(pulumi_project.declared()))
