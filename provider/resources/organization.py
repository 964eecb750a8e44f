"""Organization: written by `python -m provider.codegen` from provider/kinds/organization.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from provider import resource


class Organization(resource.Resource):
    """An organization: the home of buckets, tasks and tokens.

    `name`: its name, unique on the server.
    `description`: what it is for.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        description: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "name": name,
            "description": description,
        }
        super().__init__("influxdb:index:Organization", resource_name, given, opts)

    @property
    def name(self) -> pulumi.Output[str]:
        """its name, unique on the server"""
        return self._output("name")

    @property
    def description(self) -> pulumi.Output[str | None]:
        """what it is for"""
        return self._output("description")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOrganizationResult:
    """What `get_organization` found; its properties are those of `Organization`, without secrets."""

    id: str
    name: str
    description: str | None


def get_organization(
    *,
    id: str | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetOrganizationResult:
    """Looks up one organization on the server: by `id`, or by `name`. An error where there is none, or more
    than one."""
    found = resource.invoke("influxdb:index:getOrganization", {"id": id, "name": name}, _FOUND_OWN, opts)
    return GetOrganizationResult(**resource.fields_of(GetOrganizationResult, found))


def get_organization_output(
    *,
    id: pulumi.Input[str] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetOrganizationResult]:
    """`get_organization` for arguments that are outputs."""
    found = resource.invoke_output("influxdb:index:getOrganization", {"id": id, "name": name}, _FOUND_OWN, opts)
    return found.apply(lambda one: GetOrganizationResult(**resource.fields_of(GetOrganizationResult, one)))


_FOUND_OWN: frozenset[str] = frozenset([])
