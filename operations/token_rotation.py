"""A stack's tokens made anew: the new one is there before the old one is deleted.

Pulumi replaces the chosen tokens and nothing else: where other changes wait to be applied, it is refused. A writer
that reads its token from a file (INFLUXDB_TOKEN_FILE) holds its events while the old one is refused, and goes on.
"""

from __future__ import annotations

import dataclasses
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from influxdb_connection import ConnectionSettings
from operations.errors import UserError
from operations.pulumi_runner import Progress, Result, Stack
from stacks.rotation import VARIABLE, said

KIND = "influxdb:index:Authorization"


@dataclass(frozen=True, slots=True)
class DeclaredToken:
    """A token of the stack's state. `name` is that in the program (`writer`, or `north_writer` of several homes)."""

    name: str
    urn: str
    description: str
    permissions: tuple[str, ...]


def permission(one: Mapping[str, Any]) -> str:
    """`write bucket 0a1b...` or `read tasks`."""
    resource = one["resource"]
    kind = resource["type"].removesuffix("s") if resource.get("id") else resource["type"]
    return f"{one['action']} {kind} {resource['id']}" if resource.get("id") else f"{one['action']} all {kind}"


def tokens(stack: Stack) -> dict[str, DeclaredToken]:
    """The stack's tokens by name, without their secrets. Raises UserError, PulumiError."""
    found = {}
    for resource in stack.state().get("resources") or []:
        if resource["type"] == KIND and not resource.get("delete"):
            inputs = resource.get("inputs", {})
            name = resource["urn"].rpartition("::")[2]
            found[name] = DeclaredToken(
                name,
                resource["urn"],
                inputs.get("description", ""),
                tuple(permission(one) for one in inputs.get("permissions", [])),
            )
    if not found:
        raise UserError(
            f"Stack {stack.name!r} has no tokens yet: 'hearthflux stack up --stack {stack.name}' makes them."
        )
    return found


def rotate(stack: Stack, names: Sequence[str] = (), progress: Progress | None = None) -> Result:
    """Replace these tokens (default: all). Raises UserError for a name that there is not, PulumiError."""
    known = tokens(stack)
    if unknown := sorted(set(names) - known.keys()):
        raise UserError(f"There is no token {', '.join(unknown)}: there are {', '.join(sorted(known))}.", exit_code=2)
    chosen = list(names) or sorted(known)
    told = {VARIABLE: said(chosen, datetime.now(UTC).isoformat(timespec="seconds"))}
    rotating = dataclasses.replace(stack, environment={**stack.environment, **told})
    waiting = rotating.preview().changes
    others = {name: count for name, count in waiting.items() if name not in ("same", "replace") and count}
    if others or waiting.get("replace", 0) != len(chosen):
        raise UserError(
            f"Stack {stack.name!r} has other changes that are not applied yet: 'hearthflux stack up --stack "
            f"{stack.name}' applies them, then rotate again."
        )
    return rotating.up(progress)


def is_accepted(settings: ConnectionSettings) -> bool:
    """Whether the server knows this token. Raises UserError where there is no answer."""
    request = urllib.request.Request(
        f"{settings.url}/api/v2/buckets?limit=1", headers={"Authorization": f"Token {settings.current_token()}"}
    )
    context = settings.tls() if settings.url.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=30, context=context):
            return True
    except urllib.error.HTTPError as error:
        if error.code == 401:
            return False
        raise UserError(f"InfluxDB at {settings.url} answered {error.code}.") from None
    except OSError as error:
        raise UserError(f"No answer from InfluxDB at {settings.url}: {getattr(error, 'reason', error)}.") from None
