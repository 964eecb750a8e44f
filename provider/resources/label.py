"""Label: written by `python -m provider.codegen` from provider/kinds/label.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from provider import resource


class Label(resource.Resource):
    """A label. `LabelMapping` puts it on a bucket, a task or another resource.

    `org_id`: id of its organization.
    `name`: its name, unique in its organization whatever the case of its letters.
    `properties`: such as color (#ff0000) and description; the user interface shows these two.
    """

    _own = frozenset(["properties"])

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        name: pulumi.Input[str],
        properties: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "name": name,
            "properties": properties,
        }
        super().__init__("influxdb:index:Label", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def name(self) -> pulumi.Output[str]:
        """its name, unique in its organization whatever the case of its letters"""
        return self._output("name")

    @property
    def properties(self) -> pulumi.Output[Mapping[str, str] | None]:
        """such as color (#ff0000) and description; the user interface shows these two"""
        return self._output("properties")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetLabelResult:
    """What `get_label` found; its properties are those of `Label`, without secrets."""

    id: str
    org_id: str
    name: str
    properties: Mapping[str, str] | None


def get_label(
    *,
    id: str | None = None,
    org_id: str | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetLabelResult:
    """Looks up one label on the server: by `id`, or by `org_id` and `name`. An error where there is none, or
    more than one."""
    found = resource.invoke("influxdb:index:getLabel", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts)
    return GetLabelResult(**resource.fields_of(GetLabelResult, found))


def get_label_output(
    *,
    id: pulumi.Input[str] | None = None,
    org_id: pulumi.Input[str] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetLabelResult]:
    """`get_label` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getLabel", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return found.apply(lambda one: GetLabelResult(**resource.fields_of(GetLabelResult, one)))


_FOUND_OWN: frozenset[str] = frozenset(["properties"])
