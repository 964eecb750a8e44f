"""Is a Flux script right? The server itself is asked, and nothing is read, written or sent.

`/query/analyze` looks at syntax only. A script with `die()` added is compiled with all its names and types, and
then stops with our own message; the buckets need not exist. Where the `die()` stands decides how much is evaluated:
at the end also wrong arguments are found (`from()` without a bucket), but a statement that acts when it is evaluated
would act (`findRecord` runs its query, `http.post` posts), so such a script dies before its first statement.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

from provider.api import Api, ApiError

# Packages that only compute; every other one may reach the network, a secret or the storage.
PURE_PACKAGES = frozenset(
    (
        "array",
        "contrib/tomhollingworth/events",
        "date",
        "dict",
        "experimental",
        "influxdata/influxdb/schema",
        "influxdata/influxdb/tasks",
        "interpolate",
        "join",
        "json",
        "math",
        "regexp",
        "strings",
        "timezone",
        "types",
    )
)
_IMPORT = re.compile(r'^\s*import\s+(?:\w+\s+)?"([^"]*)"', re.MULTILINE)
_RUNS_A_QUERY = re.compile(r"\b(?:tableFind|findColumn|findRecord|getColumn|getRecord)\b")
_PACKAGE = re.compile(r"^\s*package\s+\w+", re.MULTILINE)
_POSITION = re.compile(r"(?:loc |error[^@\n]*@)?(\d+):(\d+)-\d+:\d+: ?([^\n]*)")


def acts(flux: str) -> bool:
    """True if evaluating the script could do more than compute."""
    return bool(_RUNS_A_QUERY.search(flux)) or not PURE_PACKAGES.issuperset(_IMPORT.findall(flux))


def with_sentinel(flux: str, sentinel: str) -> str:
    """The script with a `die()` that says `sentinel`; every line keeps its number."""
    statement = f'hearthflux_check_{sentinel} = die(msg: "{sentinel}")'
    if not acts(flux):
        return f"{flux}\n{statement}\n"
    # Package and imports have to come first; the first statement after them is ours.
    at = max((found.end() for pattern in (_PACKAGE, _IMPORT) for found in pattern.finditer(flux)), default=0)
    return f"{flux[:at]} {statement} {flux[at:]}"


async def problem(api: Api, flux: str, source: str | None, source_map: object = None) -> str | None:
    """None if the script is right, else a sentence with source, line, the reason and the line itself.

    `source_map`: for each line of the script `<file>:<line>` of what it was rendered from.
    """
    sentinel = secrets.token_hex(16)
    org_id = await api.any_org()
    if org_id is None:
        return None
    try:
        await api.query(org_id, with_sentinel(flux, sentinel))
    except ApiError as error:
        if f": {sentinel}" in error.server_message:
            return None
        if error.code not in ("invalid", "internal error", "unprocessable entity"):
            raise
        return explain(error.server_message, flux, source, source_map)
    return None


def explain(message: str, flux: str, source: str | None, source_map: object = None) -> str:
    """The server's message as a sentence: where in the template or the script, why, and what stands there."""
    where = f"{source}: " if source else ""
    found = _POSITION.search(message)
    if found is None:
        return f"{where}the script is not valid Flux: {message}"
    line, column, reason = int(found[1]), int(found[2]), found[3].strip() or message
    lines = flux.rstrip().split("\n")
    if line > len(lines):
        return f"{where}the end of the script, after line {len(lines)}: {reason}; the last line is: {lines[-1].strip()}"
    place = source_map[line - 1] if isinstance(source_map, list) and line <= len(source_map) else None
    if isinstance(place, str) and place:
        file, _, number = place.rpartition(":")
        return f"{file}, line {number}: {reason}; rendered there: {lines[line - 1].strip()}"
    return f"{where}line {line}, column {column} of the script: {reason}; the line is: {lines[line - 1].strip()}"


async def pipeline_problem(api: Api, flux: str, *, one_field: bool) -> str | None:
    """Why a check can't be built on a script that is valid by itself. The server takes such a one and the check never
    works: it turns a single pipeline into `data = ...` and passes over its own errors (notification/check)."""
    tree = (await api.call("POST", "/api/v2/query/ast", {"query": flux}))["ast"]
    statements = [statement for file in tree["files"] for statement in file["body"]]
    if len(statements) != 1 or statements[0].get("expression", {}).get("type") != "PipeExpression":
        return f"has {len(statements)} statements; a check takes one pipeline: from(...) |> range(...) |> ..."
    fields = sorted(_fields(statements[0]))
    if one_field and len(fields) != 1:
        named = f" ({', '.join(fields)})" if fields else ""
        return f'filters by {len(fields)} fields{named}; a threshold check takes one: r._field == "..."'
    return None


def _fields(node: Any) -> Iterator[str]:
    """The texts that `r._field` is compared with, anywhere below a node of a syntax tree."""
    if isinstance(node, list):
        for child in node:
            yield from _fields(child)
    if not isinstance(node, dict):
        return
    left, right = node.get("left"), node.get("right")
    if node.get("type") == "BinaryExpression" and isinstance(left, dict) and isinstance(right, dict):
        named = left.get("property") or {}
        if "_field" in (named.get("name"), named.get("value")) and right.get("type") == "StringLiteral":
            yield str(right["value"])
    for child in node.values():
        yield from _fields(child)
