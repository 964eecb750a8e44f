"""What is declared for the home that a command looks after: read from the stack's configuration file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from operations import pulumi_project
from operations.errors import UserError
from stacks.settings import HomeSettings, StackSettings, load

NAMESPACE = "hearthflux:"
DEFAULT_STACK = "dev"
StackOption = Annotated[
    str,
    typer.Option("--stack", "-s", envvar="HEARTHFLUX_STACK", help="The environment: a Pulumi.<stack>.yaml in stacks/."),
]
HomeOption = Annotated[str, typer.Option("--home", help="Which home, where the stack has several.")]


def stack_settings(stack: str, environment: Mapping[str, str] = os.environ) -> StackSettings:
    """The settings of a stack as `pulumi up` reads them. Raises UserError, WrongSetting."""
    config = pulumi_project.settings(pulumi_project.committed(stack).read_text())
    given = {
        name.removeprefix(NAMESPACE): _without_endpoints(_plain(value))
        for name, value in config.items()
        if name.startswith(NAMESPACE)
    }
    return load(given, environment)


def _plain(value: Any) -> Any:
    """Pulumi writes booleans and numbers as texts when it rewrites a configuration."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _without_endpoints(value: Any) -> Any:
    """An alert's endpoint and its secrets, which are there at `stack up` only, are nothing to look after."""
    if isinstance(value, Mapping):
        return {key: _without_endpoints(entry) for key, entry in value.items() if key != "endpoint"}
    return [_without_endpoints(entry) for entry in value] if isinstance(value, list) else value


def home_settings(stack: str, home: str = "", environment: Mapping[str, str] = os.environ) -> HomeSettings:
    """One home of a stack: the named one, else that of HOME_BUCKET_PREFIX, else the only one. Raises UserError."""
    homes = {one.name: one for one in stack_settings(stack, environment).homes}
    prefix = environment.get("HOME_BUCKET_PREFIX", "").strip()
    fitting = [one for one in homes.values() if one.prefix == prefix] if prefix else list(homes.values())
    if not home and len(fitting) == 1:
        return fitting[0]
    if home not in homes:
        wrong = f"has no home {home!r}" if home else "has several homes: choose one with --home"
        raise UserError(f"Stack {stack} {wrong}. There are {', '.join(sorted(homes))}.", exit_code=2)
    return homes[home]
