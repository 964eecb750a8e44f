"""The provider's schema for Pulumi, made from the kinds' tables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from provider.kinds import KINDS, LOOKUPS, ResourceKind
from provider.table import Kind, Property, Table, inputs_of, stored

_PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def version() -> str:
    """This package's version. A checkout's stands in its pyproject.toml: importlib.metadata takes long to load."""
    if _PYPROJECT.is_file():
        found = re.search(r'^version = "([^"]+)"', _PYPROJECT.read_text(), re.MULTILINE)
        if found is not None:
            return found[1]
    from importlib import metadata

    try:
        return metadata.version("hearthflux")
    except metadata.PackageNotFoundError:
        return "0.0.0"


def _members(kind: Kind) -> dict[str, Any]:
    return {"$ref": "pulumi.json#/Any"} if kind == "any" else {"type": kind}


def type_token(one: Property) -> str:
    return f"influxdb:index:{one.type_name}"


def _type(one: Property) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": one.kind, "description": one.description}
    members = {"$ref": f"#/types/{type_token(one)}"} if one.fields else _members(one.items)
    if one.kind == "array":
        shown["items"] = members
    elif one.kind == "map":
        shown |= {"type": "object", "additionalProperties": members}
    elif one.kind == "object":
        shown = {"description": one.description, **members}
    elif one.kind == "any":
        shown = {"description": one.description, **_members("any")}
    if one.secret:
        shown["secret"] = True
    if one.replaces:
        shown["replaceOnChanges"] = True
    if one.default is not None:
        shown["default"] = one.default
    return shown


def types_in(table: Table) -> dict[str, Property]:
    """The named object types of a table, with those inside them."""
    found: dict[str, Property] = {}
    for one in table:
        if one.fields:
            found |= {one.type_name: one} | types_in(one.fields)
    return found


def _object(fields: Table) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {one.name: _type(one) for one in fields},
        "required": [one.name for one in fields if one.required],
    }


def _function(kind: ResourceKind) -> dict[str, Any]:
    known = {one.name: one for one in kind.table}
    keys = {
        name: {"type": "string", "description": known[name].description if name in known else "its id"}
        for name in kind.lookup_keys
    }
    told = [one for one in kind.table if not one.secret and one.name not in kind.only_declared]
    answer = {one.name: {key: value for key, value in _type(one).items() if key != "default"} for one in told}
    either = "id or by " if "id" in kind.lookup_keys else ""
    others = " and ".join(name for name in kind.lookup_keys if name != "id")
    return {
        "description": f"Looks up one {kind.noun} on the server, by {either}{others}. It never tells a secret.",
        "inputs": {"type": "object", "properties": keys},
        "outputs": {
            "type": "object",
            "properties": {"id": {"type": "string", "description": "its id"}} | answer,
            "required": ["id", *(one.name for one in told if one.always)],
        },
    }


def build() -> dict[str, Any]:
    resources: dict[str, Any] = {}
    types: dict[str, Any] = {}
    for token, kind in KINDS.items():
        inputs = inputs_of(kind.table)
        types |= {type_token(one): _object(one.fields) for one in types_in(kind.table).values()}
        resources[token] = {
            "description": kind.description,
            "properties": {
                one.name: {key: value for key, value in _type(one).items() if key != "default"}
                for one in stored(kind.table)
            },
            "required": [one.name for one in kind.table if one.always],
            "inputProperties": {one.name: _type(one) for one in inputs},
            "requiredInputs": [one.name for one in inputs if one.required],
        }
    functions = {token: _function(kind) for token, kind in LOOKUPS.items()}
    settings: dict[str, Any] = {
        "url": {"type": "string", "description": "the server's address, or INFLUXDB_URL"},
        "token": {"type": "string", "secret": True, "description": "a token, or INFLUXDB_TOKEN"},
        "caFile": {
            "type": "string",
            "description": "certificates (PEM) to trust instead of the machine's own, or INFLUXDB_CA_FILE",
        },
        "flavor": {
            "type": "string",
            "description": "oss (the default), or cloud for InfluxDB Cloud: no shard groups, no new organizations; "
            "or INFLUXDB_FLAVOR",
        },
    }
    return {
        "name": "influxdb",
        "version": version(),
        "displayName": "InfluxDB 2",
        "description": "Organizations, buckets, tasks, tokens, checks and notifications of InfluxDB 2",
        "license": "Apache-2.0",
        "language": {"nodejs": {"packageName": "hearthflux-influxdb", "respectSchemaVersion": True}},
        "config": {"variables": settings},
        "provider": {"inputProperties": settings},
        "types": types,
        "resources": resources,
        "functions": functions,
    }


def text() -> str:
    return json.dumps(build(), indent=2) + "\n"


if __name__ == "__main__":
    print(text(), end="")
