"""Typed resource classes for Pulumi programs. Every class only names its properties: what they do is the plugin's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

PACKAGE = "influxdb"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda letter: "_" + letter[1].lower(), name)


class _Resource(pulumi.CustomResource):
    def translate_input_property(self, prop: str) -> str:
        return _camel(prop)

    def translate_output_property(self, prop: str) -> str:
        return _snake(prop)


class Organization(_Resource):
    """An organization. `id` is its 16 hex digits. On InfluxDB Cloud organizations can't be made, only imported."""

    name: pulumi.Output[str]
    description: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        description: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            f"{PACKAGE}:index:Organization", resource_name, {"name": name, "description": description}, opts
        )


class Bucket(_Resource):
    """A bucket. `retention` and `shard_group_duration` are in seconds; retention 0 keeps for ever.

    Without `shard_group_duration` the server's default for that retention is taken and shown.
    `allow_data_loss` lets this bucket be shortened, replaced or deleted while it holds data. Without it a shortened
    retention or a move to another organization is refused at preview. For a bucket that is taken out of the program
    Pulumi asks the provider nothing at preview: the delete itself is refused, before anything is removed, and with
    `opts=pulumi.ResourceOptions(protect=True)` already the preview. `retain_on_delete=True` leaves it on the server.
    """

    org_id: pulumi.Output[str]
    name: pulumi.Output[str]
    description: pulumi.Output[str]
    retention: pulumi.Output[int]
    shard_group_duration: pulumi.Output[int]
    allow_data_loss: pulumi.Output[bool]

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        name: pulumi.Input[str],
        retention: pulumi.Input[int] | None = None,
        shard_group_duration: pulumi.Input[int] | None = None,
        description: pulumi.Input[str] | None = None,
        allow_data_loss: pulumi.Input[bool] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {
            "org_id": org_id,
            "name": name,
            "retention": retention,
            "shard_group_duration": shard_group_duration,
            "description": description,
            "allow_data_loss": allow_data_loss,
        }
        super().__init__(f"{PACKAGE}:index:Bucket", resource_name, properties, opts)


class Task(_Resource):
    """A Flux task. Name, cadence and offset come from `option task` in the script.

    `source` is never sent to the server: it names where the script comes from in error messages.
    """

    org_id: pulumi.Output[str]
    flux: pulumi.Output[str]
    status: pulumi.Output[str]
    description: pulumi.Output[str]
    source: pulumi.Output[str]
    name: pulumi.Output[str]
    every: pulumi.Output[str]
    cron: pulumi.Output[str]
    offset: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        flux: pulumi.Input[str],
        status: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        source: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {
            "org_id": org_id,
            "flux": flux,
            "status": status,
            "description": description,
            "source": source,
            "name": None,
            "every": None,
            "cron": None,
            "offset": None,
        }
        super().__init__(f"{PACKAGE}:index:Task", resource_name, properties, opts)


class Authorization(_Resource):
    """A token with the given permissions, each `{"action": "read"|"write", "resource": {"type", "id", "org_id"}}`.

    A resource without `org_id` means the token's own organization. `token` is a secret output.
    """

    org_id: pulumi.Output[str]
    description: pulumi.Output[str]
    status: pulumi.Output[str]
    permissions: pulumi.Output[list[Any]]
    token: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        permissions: pulumi.Input[Sequence[pulumi.Input[Mapping[str, Any]]]],
        description: pulumi.Input[str] | None = None,
        status: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {
            "org_id": org_id,
            "permissions": permissions,
            "description": description,
            "status": status,
            "token": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["token"])
        super().__init__(
            f"{PACKAGE}:index:Authorization", resource_name, properties, pulumi.ResourceOptions.merge(opts, secret)
        )
