"""Authorization: written by `python -m provider.codegen` from provider/kinds/authorization.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import pulumi

from provider import resource


class PermissionResource(TypedDict):
    """What it may do that to.

    `type`: buckets, tasks, ... (annotations, authorizations, buckets, checks, dashboards, dbrp, documents,
        instance, labels, notebooks, notificationEndpoints, notificationRules, orgs, remotes, replications,
        scrapers, secrets, sources, tasks, telegrafs, users, variables, views, flows, functions, subscriptions).
    `id`: the one resource; all of the type without it.
    `org_id`: its organization, if it is another one.
    """

    type: pulumi.Input[str]
    id: NotRequired[pulumi.Input[str]]
    org_id: NotRequired[pulumi.Input[str]]


class Permission(TypedDict):
    """What it may do.

    `action`: read or write (read, write).
    `resource`: what it may do that to.
    """

    action: pulumi.Input[str]
    resource: pulumi.Input[PermissionResource]


class Authorization(resource.Resource):
    """A token with the permissions that are listed, and no others.

    `org_id`: id of its organization.
    `permissions`: what it may do.
    `description`: who uses it, for what.
    `status`: inactive: the server refuses it (active, inactive); active unless given.
    `rotation`: any text, such as a month; another one makes a new token, and the old one is deleted after
        everything that uses it has the new.
    """

    _secret = ("token",)

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        permissions: pulumi.Input[Sequence[pulumi.Input[Permission]]],
        description: pulumi.Input[str] | None = None,
        status: pulumi.Input[str] | None = None,
        rotation: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "permissions": permissions,
            "description": description,
            "status": status,
            "rotation": rotation,
            "token": None,
        }
        super().__init__("influxdb:index:Authorization", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def permissions(self) -> pulumi.Output[Sequence[Permission]]:
        """what it may do"""
        return self._output("permissions")

    @property
    def description(self) -> pulumi.Output[str | None]:
        """who uses it, for what"""
        return self._output("description")

    @property
    def status(self) -> pulumi.Output[str]:
        """inactive: the server refuses it (active, inactive); active unless given"""
        return self._output("status")

    @property
    def rotation(self) -> pulumi.Output[str | None]:
        """any text, such as a month; another one makes a new token, and the old one is deleted after everything
        that uses it has the new"""
        return self._output("rotation")

    @property
    def token(self) -> pulumi.Output[str]:
        """the token itself"""
        return self._output("token")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAuthorizationResult:
    """What `get_authorization` found; its properties are those of `Authorization`, without secrets."""

    id: str
    org_id: str
    permissions: Sequence[Permission]
    description: str | None
    status: str


def get_authorization(
    *,
    id: str | None = None,
    org_id: str | None = None,
    description: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetAuthorizationResult:
    """Looks up one authorization on the server: by `id`, or by `org_id` and `description`. An error where there
    is none, or more than one."""
    found = resource.invoke(
        "influxdb:index:getAuthorization", {"id": id, "org_id": org_id, "description": description}, _FOUND_OWN, opts
    )
    return GetAuthorizationResult(**resource.fields_of(GetAuthorizationResult, found))


def get_authorization_output(
    *,
    id: pulumi.Input[str] | None = None,
    org_id: pulumi.Input[str] | None = None,
    description: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetAuthorizationResult]:
    """`get_authorization` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getAuthorization", {"id": id, "org_id": org_id, "description": description}, _FOUND_OWN, opts
    )
    return found.apply(lambda one: GetAuthorizationResult(**resource.fields_of(GetAuthorizationResult, one)))


_FOUND_OWN: frozenset[str] = frozenset([])
