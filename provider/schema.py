"""The provider's schema for Pulumi, made from the kinds' tables."""

from __future__ import annotations

import json
from typing import Any

from provider.kinds import KINDS
from provider.table import Property, inputs_of


def _type(one: Property) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": one.kind, "description": one.description}
    if one.kind == "array":
        shown["items"] = {"$ref": "pulumi.json#/Any"}
    if one.secret:
        shown["secret"] = True
    if one.replaces:
        shown["replaceOnChanges"] = True
    if one.default is not None:
        shown["default"] = one.default
    return shown


def build() -> dict[str, Any]:
    resources = {}
    for token, kind in KINDS.items():
        inputs = inputs_of(kind.table)
        resources[token] = {
            "description": kind.description,
            "properties": {
                one.name: {key: value for key, value in _type(one).items() if key != "default"} for one in kind.table
            },
            "required": [one.name for one in kind.table if one.required or one.default is not None or one.computed],
            "inputProperties": {one.name: _type(one) for one in inputs},
            "requiredInputs": [one.name for one in inputs if one.required],
        }
    settings = {
        "url": {"type": "string", "description": "the server's address, or INFLUXDB_URL"},
        "token": {"type": "string", "secret": True, "description": "a token, or INFLUXDB_TOKEN"},
    }
    return {
        "name": "influxdb",
        "displayName": "InfluxDB 2",
        "description": "Organizations, buckets, tasks and tokens of InfluxDB 2",
        "license": "Apache-2.0",
        "config": {"variables": settings},
        "provider": {"inputProperties": settings},
        "resources": resources,
    }


def text() -> str:
    return json.dumps(build(), indent=2) + "\n"


if __name__ == "__main__":
    print(text(), end="")
