"""Variable: written by `python -m provider.codegen` from provider/kinds/variable.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from provider import resource


class Variable(resource.Resource):
    """A variable for dashboards and queries: constant values, a map of names to values, or a query's answer.

    `org_id`: id of its organization.
    `name`: its name, as Flux reads it (v.<name>), unique in its organization.
    `description`: what it is for.
    `type`: where its values come from (constant, map, query).
    `values`: of constant: the values.
    `map_values`: of map: what is shown, and its value.
    `query`: of query: the script; its `_value` column has the values.
    `language`: of query: flux unless given (flux, influxql).
    `selected`: the value that is chosen at first.
    """

    _own = frozenset(["mapValues"])

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        name: pulumi.Input[str],
        type: pulumi.Input[str],
        description: pulumi.Input[str] | None = None,
        values: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        map_values: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        query: pulumi.Input[str] | None = None,
        language: pulumi.Input[str] | None = None,
        selected: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "name": name,
            "description": description,
            "type": type,
            "values": values,
            "map_values": map_values,
            "query": query,
            "language": language,
            "selected": selected,
        }
        super().__init__("influxdb:index:Variable", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def name(self) -> pulumi.Output[str]:
        """its name, as Flux reads it (v.<name>), unique in its organization"""
        return self._output("name")

    @property
    def description(self) -> pulumi.Output[str | None]:
        """what it is for"""
        return self._output("description")

    @property
    def type(self) -> pulumi.Output[str]:
        """where its values come from (constant, map, query)"""
        return self._output("type")

    @property
    def values(self) -> pulumi.Output[Sequence[str] | None]:
        """of constant: the values"""
        return self._output("values")

    @property
    def map_values(self) -> pulumi.Output[Mapping[str, str] | None]:
        """of map: what is shown, and its value"""
        return self._output("mapValues")

    @property
    def query(self) -> pulumi.Output[str | None]:
        """of query: the script; its `_value` column has the values"""
        return self._output("query")

    @property
    def language(self) -> pulumi.Output[str | None]:
        """of query: flux unless given (flux, influxql)"""
        return self._output("language")

    @property
    def selected(self) -> pulumi.Output[Sequence[str] | None]:
        """the value that is chosen at first"""
        return self._output("selected")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetVariableResult:
    """What `get_variable` found; its properties are those of `Variable`, without secrets."""

    id: str
    org_id: str
    name: str
    description: str | None
    type: str
    values: Sequence[str] | None
    map_values: Mapping[str, str] | None
    query: str | None
    language: str | None
    selected: Sequence[str] | None


def get_variable(
    *,
    id: str | None = None,
    org_id: str | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetVariableResult:
    """Looks up one variable on the server: by `id`, or by `org_id` and `name`. An error where there is none, or
    more than one."""
    found = resource.invoke("influxdb:index:getVariable", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts)
    return GetVariableResult(**resource.fields_of(GetVariableResult, found))


def get_variable_output(
    *,
    id: pulumi.Input[str] | None = None,
    org_id: pulumi.Input[str] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetVariableResult]:
    """`get_variable` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getVariable", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return found.apply(lambda one: GetVariableResult(**resource.fields_of(GetVariableResult, one)))


_FOUND_OWN: frozenset[str] = frozenset(["mapValues"])
