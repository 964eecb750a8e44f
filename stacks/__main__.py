"""The Pulumi program: `pulumi up --stack dev`."""

from __future__ import annotations

import json
import os
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from stacks.home import Home
from stacks.organizations import organizations
from stacks.refusals import planned
from stacks.settings import WrongSetting, load

NAMESPACE = "hearthflux:"
TEXTS = ("organization", "timeZone")


def parsed(name: str, value: Any) -> Any:
    """Lists, tables and booleans arrive as JSON; what is no JSON is left to the check of the settings."""
    if name in TEXTS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def configuration() -> dict[str, Any]:
    """Every `hearthflux:` setting of this stack."""
    given = {**get_config_env(), **CONFIG.get()}
    names = (name.removeprefix(NAMESPACE) for name in given if name.startswith(NAMESPACE))
    return {name: parsed(name, given[NAMESPACE + name]) for name in names}


def main() -> None:
    try:
        settings = load(configuration())
        tasks = planned(settings)
    except WrongSetting as error:
        raise pulumi.RunError(str(error)) from None
    made = organizations(settings)
    homes = {home.name: Home(home, made[home.organization], tasks[home.name]) for home in settings.homes}
    pulumi.export("url", pulumi.Config("influxdb").get("url") or os.environ.get("INFLUXDB_URL", ""))
    if settings.several:
        pulumi.export("homes", {name: home.outputs for name, home in homes.items()})
        return
    for home in homes.values():
        for name, value in home.outputs.items():
            pulumi.export(name, value)


main()
