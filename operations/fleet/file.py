"""The file of a fleet: which stacks there are, and which homes are in each.

    config:                                # for every stack, as in stacks/Pulumi.<stack>.yaml
      hearthflux:timeZone: Europe/Amsterdam
    stacks:
      north-1:
        config:                            # for this one
          influxdb:url: https://north.example:8086
        token: NORTH_TOKEN                 # the environment variable with its token; INFLUXDB_TOKEN if left out
        homes:
          - anna
          - name: ben
            retentionDays: {raw: 90}

A stack's organization is named as the stack, unless its configuration names another one. A home stays in the stack in
which it is listed: moving its line to another stack is deleting it here and making it there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from operations import pulumi_project
from operations.errors import UserError
from stacks.refusals import planned
from stacks.settings import STACK_KEYS, StackSettings, WrongSetting, load

TOKEN = "INFLUXDB_TOKEN"
URL = "INFLUXDB_URL"
# The engine writes its whole state at every step, so its time grows with the square of a stack's size.
MANY_HOMES = 30
_STACK_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_FILE_KEYS = ("config", "stacks")
_ENTRY_KEYS = ("config", "token", "homes")
_CONFIG_KEYS = ("influxdb:url", "influxdb:flavor", *(f"hearthflux:{key}" for key in STACK_KEYS if key != "homes"))


class WrongFleet(UserError):
    """What is wrong in the file of a fleet: one sentence a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStack:
    """One stack: its configuration for Pulumi, its homes' settings, and the server it is on."""

    name: str
    settings: StackSettings
    url: str
    token_variable: str
    configuration: str = field(repr=False)

    @property
    def homes(self) -> tuple[str, ...]:
        return tuple(home.name for home in self.settings.homes)

    def home_of(self, resource: str) -> str | None:
        """The home that a resource belongs to, by the resource's name."""
        found = [home for home in self.settings.homes if resource == home.name or resource.startswith(home.prefix)]
        return max(found, key=lambda home: len(home.prefix)).name if found else None


@dataclass(frozen=True, slots=True)
class Fleet:
    path: Path
    stacks: tuple[FleetStack, ...]

    def chosen(self, names: tuple[str, ...]) -> tuple[FleetStack, ...]:
        """The stacks of these names, or all of them. Raises UserError for a name that is not in the file."""
        unknown = sorted(set(names) - {stack.name for stack in self.stacks})
        if unknown:
            there = ", ".join(stack.name for stack in self.stacks)
            raise UserError(f"{self.path} has no stack {unknown[0]!r}: it has {there}.", exit_code=2)
        return tuple(stack for stack in self.stacks if not names or stack.name in names)


def _parsed(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WrongFleet(f"There is no file {path}: give the fleet's with --file.", exit_code=2) from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongFleet(f"{path} can't be read: {error}.", exit_code=2) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise WrongFleet(f"{path}{where}: {getattr(error, 'problem', None) or error}.", exit_code=2) from None


def _table(value: Any, where: str, keys: tuple[str, ...], wrong: list[str]) -> Mapping[str, Any]:
    """The value as a table with no other keys than these; what is wrong goes to `wrong`."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        wrong.append(f"{where} is {value!r}: give a table with {', '.join(keys)}")
        return {}
    for key in value:
        if key not in keys:
            hint = "; name the environment variable that holds it with `token`" if key == "influxdb:token" else ""
            wrong.append(f"{where} has {key!r}: it may have {', '.join(keys)}{hint}")
    return {key: value[key] for key in keys if key in value}


def _stack(
    name: Any, entry: Any, shared: Mapping[str, Any], environment: Mapping[str, str], wrong: list[str]
) -> FleetStack | None:
    where = f"stack {name}"
    if not isinstance(name, str) or _STACK_NAME.fullmatch(name) is None:
        wrong.append(f"{where}: lower-case letters, digits and -, a letter first, at most 63 of them")
        return None
    if name in pulumi_project.declared():
        wrong.append(f"{where}: stacks/Pulumi.{name}.yaml is an environment of that name already")
        return None
    before = len(wrong)
    table = _table(entry, where, _ENTRY_KEYS, wrong)
    config = {**shared, **_table(table.get("config"), f"{where}: config", _CONFIG_KEYS, wrong)}
    url = str(config.get("influxdb:url") or environment.get(URL, "")).strip()
    if url and not url.startswith(("http://", "https://")):
        wrong.append(f"{where}: its server {url!r} is no address: it has to begin with http:// or https://")
    if not table.get("homes"):
        wrong.append(f"{where}: it has no homes: list them under `homes`")
    if len(wrong) > before:
        return None
    wanted = {key.partition(":")[2]: value for key, value in config.items() if key.startswith("hearthflux:")}
    wanted = {"organization": name, **wanted, "homes": table["homes"]}
    try:
        settings = load(wanted, environment)
        planned(settings)
    except WrongSetting as error:
        wrong += [f"{where}: {line}" for line in str(error).splitlines()]
        return None
    wrong += [
        f"{where}: home {home.name} has an empty prefix: in a fleet every home has one"
        for home in settings.homes
        if not home.prefix
    ]
    full = {f"hearthflux:{key}": value for key, value in wanted.items()}
    full |= {key: value for key, value in config.items() if key.startswith("influxdb:")} | {"influxdb:url": url}
    return FleetStack(
        name=name,
        settings=settings,
        url=url.rstrip("/"),
        token_variable=str(table.get("token") or TOKEN),
        configuration=str(yaml.safe_dump({"config": full}, sort_keys=False)),
    )


def _across(stacks: list[FleetStack]) -> Iterator[str]:
    """What is wrong between stacks."""
    places: dict[tuple[str, str], str] = {}
    owners: dict[str, str] = {}
    for stack in stacks:
        for organization in stack.settings.organizations:
            other = places.setdefault((stack.url, organization), stack.name)
            if other != stack.name:
                yield (
                    f"stack {stack.name}: the organization {organization!r} on {stack.url} is stack {other}'s: "
                    "an organization belongs to one stack, so give each a hearthflux:organization of its own"
                )
        for home in stack.settings.homes:
            other = owners.setdefault(home.name, stack.name)
            if other != stack.name:
                yield f"stack {stack.name}: home {home.name} is in stack {other} too: each home is in one stack"
            longer = [
                one.name for one in stack.settings.homes if one is not home and one.prefix.startswith(home.prefix)
            ]
            if longer and home.prefix:
                yield (
                    f"stack {stack.name}: the prefix of home {home.name} begins that of {longer[0]}, so that their "
                    f"resources can't be told apart: name it {longer[0].replace('_', '-')}"
                )


def read(path: Path, environment: Mapping[str, str] = os.environ) -> Fleet:
    """The fleet of a file. Raises WrongFleet with everything that is wrong in it, one sentence a line."""
    parsed = _parsed(path)
    wrong: list[str] = []
    if not isinstance(parsed, Mapping) or not isinstance(parsed.get("stacks"), Mapping) or not parsed["stacks"]:
        raise WrongFleet(
            f"{path}: it lists no stacks: give a table `stacks`, each with its `homes` (docs/environments.md).",
            exit_code=2,
        )
    table = _table(parsed, "the file", _FILE_KEYS, wrong)
    shared = _table(table.get("config"), "config", _CONFIG_KEYS, wrong)
    made = [_stack(name, entry, shared, environment, wrong) for name, entry in table["stacks"].items()]
    stacks = [stack for stack in made if stack is not None]
    wrong += _across(stacks)
    if wrong:
        raise WrongFleet("\n".join(f"{path}: {sentence}." for sentence in dict.fromkeys(wrong)), exit_code=2)
    return Fleet(path, tuple(stacks))


def check_servers(stacks: tuple[FleetStack, ...], environment: Mapping[str, str] = os.environ) -> None:
    """Raises UserError where a stack's server or its token is not known here."""
    wrong = [
        f"stack {stack.name}: its server is not known: set influxdb:url in its config, or {URL}."
        for stack in stacks
        if not stack.url
    ]
    names = dict.fromkeys(stack.token_variable for stack in stacks)
    wrong += [
        f"{name} is not set: it has to hold the operator token of the stacks' server."
        for name in names
        if not environment.get(name, "").strip()
    ]
    if wrong:
        raise UserError("\n".join(wrong), exit_code=2)
