"""Check: written by `python -m provider.codegen` from provider/kinds/check.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import pulumi

from provider import resource


class CheckThreshold(TypedDict):
    """Of a threshold check: at most one for each level.

    `type`: greater or lesser than `value`; range: between `min` and `max`, or outside of them (greater, lesser,
        range).
    `level`: the level that it gives (OK, INFO, WARN, CRIT).
    `value`: the bound of greater and lesser.
    `min`: the lower bound of a range.
    `max`: the upper bound of a range.
    `within`: of a range: true where values inside give the level, false where those outside do; False unless given.
    `all_values`: true: only if every value of the interval is beyond the bound; False unless given.
    """

    type: pulumi.Input[str]
    level: pulumi.Input[str]
    value: NotRequired[pulumi.Input[float]]
    min: NotRequired[pulumi.Input[float]]
    max: NotRequired[pulumi.Input[float]]
    within: NotRequired[pulumi.Input[bool]]
    all_values: NotRequired[pulumi.Input[bool]]


class Check(resource.Resource):
    """A query that the server runs on a schedule and that gives each series a level, written to the bucket
    `_monitoring`: by thresholds, or because nothing came for a while (deadman). A deadman sees only series
    that have a point within `staleTime`: one that was silent for longer is not seen any more.

    `org_id`: id of its organization.
    `name`: its name, unique in its organization.
    `type`: threshold: by the values; deadman: by their absence (threshold, deadman).
    `query`: one Flux pipeline over one field; the server sets `range` and `aggregateWindow` to `every` (of a
        deadman: to `staleTime`).
    `every`: how often it runs, such as 5m.
    `offset`: delay of each run, shorter than `every`.
    `status`: inactive: it does not run (active, inactive); active unless given.
    `description`: what it is for.
    `status_message_template`: the message of a status; `${ r.<column> }` stands for a column's value; Check: ${
        r._check_name } is: ${ r._level } unless given.
    `tags`: tags that each status gets.
    `thresholds`: of a threshold check: at most one for each level.
    `time_since`: of a deadman: silent for how long, such as 90s.
    `stale_time`: of a deadman: how far back it looks, such as 10m.
    `level`: of a deadman: the level that it gives (OK, INFO, WARN, CRIT).
    `report_zero`: of a deadman: zeroes alone count as silence.
    """

    _own = frozenset(["tags"])

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        name: pulumi.Input[str],
        type: pulumi.Input[str],
        query: pulumi.Input[str],
        every: pulumi.Input[str],
        offset: pulumi.Input[str] | None = None,
        status: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        status_message_template: pulumi.Input[str] | None = None,
        tags: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        thresholds: pulumi.Input[Sequence[pulumi.Input[CheckThreshold]]] | None = None,
        time_since: pulumi.Input[str] | None = None,
        stale_time: pulumi.Input[str] | None = None,
        level: pulumi.Input[str] | None = None,
        report_zero: pulumi.Input[bool] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "name": name,
            "type": type,
            "query": query,
            "every": every,
            "offset": offset,
            "status": status,
            "description": description,
            "status_message_template": status_message_template,
            "tags": tags,
            "thresholds": thresholds,
            "time_since": time_since,
            "stale_time": stale_time,
            "level": level,
            "report_zero": report_zero,
        }
        super().__init__("influxdb:index:Check", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def name(self) -> pulumi.Output[str]:
        """its name, unique in its organization"""
        return self._output("name")

    @property
    def type(self) -> pulumi.Output[str]:
        """threshold: by the values; deadman: by their absence (threshold, deadman)"""
        return self._output("type")

    @property
    def query(self) -> pulumi.Output[str]:
        """one Flux pipeline over one field; the server sets `range` and `aggregateWindow` to `every` (of a deadman:
        to `staleTime`)"""
        return self._output("query")

    @property
    def every(self) -> pulumi.Output[str]:
        """how often it runs, such as 5m"""
        return self._output("every")

    @property
    def offset(self) -> pulumi.Output[str | None]:
        """delay of each run, shorter than `every`"""
        return self._output("offset")

    @property
    def status(self) -> pulumi.Output[str]:
        """inactive: it does not run (active, inactive); active unless given"""
        return self._output("status")

    @property
    def description(self) -> pulumi.Output[str | None]:
        """what it is for"""
        return self._output("description")

    @property
    def status_message_template(self) -> pulumi.Output[str]:
        """the message of a status; `${ r.<column> }` stands for a column's value; Check: ${ r._check_name } is: ${
        r._level } unless given"""
        return self._output("statusMessageTemplate")

    @property
    def tags(self) -> pulumi.Output[Mapping[str, str] | None]:
        """tags that each status gets"""
        return self._output("tags")

    @property
    def thresholds(self) -> pulumi.Output[Sequence[CheckThreshold] | None]:
        """of a threshold check: at most one for each level"""
        return self._output("thresholds")

    @property
    def time_since(self) -> pulumi.Output[str | None]:
        """of a deadman: silent for how long, such as 90s"""
        return self._output("timeSince")

    @property
    def stale_time(self) -> pulumi.Output[str | None]:
        """of a deadman: how far back it looks, such as 10m"""
        return self._output("staleTime")

    @property
    def level(self) -> pulumi.Output[str | None]:
        """of a deadman: the level that it gives (OK, INFO, WARN, CRIT)"""
        return self._output("level")

    @property
    def report_zero(self) -> pulumi.Output[bool | None]:
        """of a deadman: zeroes alone count as silence"""
        return self._output("reportZero")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCheckResult:
    """What `get_check` found; its properties are those of `Check`, without secrets."""

    id: str
    org_id: str
    name: str
    type: str
    query: str
    every: str
    offset: str | None
    status: str
    description: str | None
    status_message_template: str
    tags: Mapping[str, str] | None
    thresholds: Sequence[CheckThreshold] | None
    time_since: str | None
    stale_time: str | None
    level: str | None
    report_zero: bool | None


def get_check(
    *,
    id: str | None = None,
    org_id: str | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetCheckResult:
    """Looks up one check on the server: by `id`, or by `org_id` and `name`. An error where there is none, or
    more than one."""
    found = resource.invoke("influxdb:index:getCheck", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts)
    return GetCheckResult(**resource.fields_of(GetCheckResult, found))


def get_check_output(
    *,
    id: pulumi.Input[str] | None = None,
    org_id: pulumi.Input[str] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetCheckResult]:
    """`get_check` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getCheck", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return found.apply(lambda one: GetCheckResult(**resource.fields_of(GetCheckResult, one)))


_FOUND_OWN: frozenset[str] = frozenset(["tags"])
