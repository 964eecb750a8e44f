"""Dashboard: written by `python -m provider.codegen` from provider/kinds/dashboard.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import pulumi

from provider import resource


class DashboardCell(TypedDict):
    """Its cells.

    `name`: its title;  unless given.
    `x`: columns from the left, of 12; 0 unless given.
    `y`: rows from the top; 0 unless given.
    `w`: columns wide; 4 unless given.
    `h`: rows high; 4 unless given.
    `properties`: what it shows, as the API has it: type (xy, single-stat, gauge, table, markdown, ...), queries.
    """

    name: NotRequired[pulumi.Input[str]]
    x: NotRequired[pulumi.Input[int]]
    y: NotRequired[pulumi.Input[int]]
    w: NotRequired[pulumi.Input[int]]
    h: NotRequired[pulumi.Input[int]]
    properties: pulumi.Input[Any]


class Dashboard(resource.Resource):
    """A dashboard with its cells, in their order. `properties` of a cell are the API's own: what is left out is
    the server's choice, and only what is given is compared.

    `org_id`: id of its organization.
    `name`: its name; the server allows it twice, this provider does not.
    `description`: what it is for.
    `cells`: its cells.
    """

    _own = frozenset(["properties"])

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        name: pulumi.Input[str],
        description: pulumi.Input[str] | None = None,
        cells: pulumi.Input[Sequence[pulumi.Input[DashboardCell]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "name": name,
            "description": description,
            "cells": cells,
        }
        super().__init__("influxdb:index:Dashboard", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def name(self) -> pulumi.Output[str]:
        """its name; the server allows it twice, this provider does not"""
        return self._output("name")

    @property
    def description(self) -> pulumi.Output[str | None]:
        """what it is for"""
        return self._output("description")

    @property
    def cells(self) -> pulumi.Output[Sequence[DashboardCell] | None]:
        """its cells"""
        return self._output("cells")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDashboardResult:
    """What `get_dashboard` found; its properties are those of `Dashboard`, without secrets."""

    id: str
    org_id: str
    name: str
    description: str | None
    cells: Sequence[DashboardCell] | None


def get_dashboard(
    *,
    id: str | None = None,
    org_id: str | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetDashboardResult:
    """Looks up one dashboard on the server: by `id`, or by `org_id` and `name`. An error where there is none,
    or more than one."""
    found = resource.invoke("influxdb:index:getDashboard", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts)
    return GetDashboardResult(**resource.fields_of(GetDashboardResult, found))


def get_dashboard_output(
    *,
    id: pulumi.Input[str] | None = None,
    org_id: pulumi.Input[str] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetDashboardResult]:
    """`get_dashboard` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getDashboard", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return found.apply(lambda one: GetDashboardResult(**resource.fields_of(GetDashboardResult, one)))


_FOUND_OWN: frozenset[str] = frozenset(["properties"])
