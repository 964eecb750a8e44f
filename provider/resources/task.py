"""Task: written by `python -m provider.codegen` from provider/kinds/task.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from provider import resource


class Task(resource.Resource):
    """A Flux script that the server runs. Its name, cadence and offset stand in its `option task`.

    `org_id`: id of its organization.
    `flux`: the script, with `option task = {...}`.
    `status`: inactive: it does not run; what it misses meanwhile is skipped (active, inactive); active unless
        given.
    `description`: what it is for.
    `source`: where the script comes from, for error messages.
    `source_map`: for each line of the script `<file>:<line>` of what it was rendered from, for error messages.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        flux: pulumi.Input[str],
        status: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        source: pulumi.Input[str] | None = None,
        source_map: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "flux": flux,
            "status": status,
            "description": description,
            "source": source,
            "source_map": source_map,
            "name": None,
            "every": None,
            "cron": None,
            "offset": None,
        }
        super().__init__("influxdb:index:Task", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def flux(self) -> pulumi.Output[str]:
        """the script, with `option task = {...}`"""
        return self._output("flux")

    @property
    def status(self) -> pulumi.Output[str]:
        """inactive: it does not run; what it misses meanwhile is skipped (active, inactive); active unless given"""
        return self._output("status")

    @property
    def description(self) -> pulumi.Output[str | None]:
        """what it is for"""
        return self._output("description")

    @property
    def name(self) -> pulumi.Output[str]:
        """from `option task`"""
        return self._output("name")

    @property
    def every(self) -> pulumi.Output[str]:
        """from `option task`"""
        return self._output("every")

    @property
    def cron(self) -> pulumi.Output[str]:
        """from `option task`"""
        return self._output("cron")

    @property
    def offset(self) -> pulumi.Output[str]:
        """from `option task`"""
        return self._output("offset")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTaskResult:
    """What `get_task` found; its properties are those of `Task`, without secrets."""

    id: str
    org_id: str
    flux: str
    status: str
    description: str | None
    name: str
    every: str
    cron: str
    offset: str


def get_task(
    *,
    id: str | None = None,
    org_id: str | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetTaskResult:
    """Looks up one task on the server: by `id`, or by `org_id` and `name`. An error where there is none, or
    more than one."""
    found = resource.invoke("influxdb:index:getTask", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts)
    return GetTaskResult(**resource.fields_of(GetTaskResult, found))


def get_task_output(
    *,
    id: pulumi.Input[str] | None = None,
    org_id: pulumi.Input[str] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetTaskResult]:
    """`get_task` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getTask", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return found.apply(lambda one: GetTaskResult(**resource.fields_of(GetTaskResult, one)))


_FOUND_OWN: frozenset[str] = frozenset([])
