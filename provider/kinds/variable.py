"""Variable: values to choose from in dashboards and queries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from provider.api import Api
from provider.kinds.base import DESCRIPTION, ORGANIZATION_ID, ResourceKind, known_text, variant_failures
from provider.ownership import marked, unmarked
from provider.table import Failure, Property, present
from provider.values import Plain

NEEDED = {"constant": frozenset({"values"}), "map": frozenset({"mapValues"}), "query": frozenset({"query"})}
ALLOWED = {"constant": frozenset[str](), "map": frozenset[str](), "query": frozenset({"language"})}
# variable.go: what Flux could not read as a name.
_RESERVED = frozenset(["and", "import", "not", "return", "option", "test", "empty", "in", "or", "package", "builtin"])
_NAME = re.compile(r"[A-Za-z_]\w*")
# The server's `arguments.values` of each type, from our properties and back.
_TO_SERVER: dict[str, Callable[[Plain], Any]] = {
    "constant": lambda inputs: inputs["values"],
    "map": lambda inputs: inputs["mapValues"],
    "query": lambda inputs: {"query": inputs["query"], "language": inputs["language"]},
}
_FROM_SERVER: dict[str, Callable[[Any], Plain]] = {
    "constant": lambda values: {"values": values},
    "map": lambda values: {"mapValues": values},
    "query": lambda values: {"query": values.get("query"), "language": values.get("language")},
}


class VariableKind(ResourceKind):
    token = "influxdb:index:Variable"
    path = "/api/v2/variables"
    collection = "variables"
    update_method = "PUT"
    folds_names = True
    description = (
        "A variable for dashboards and queries: constant values, a map of names to values, or a query's answer."
    )
    table = (
        ORGANIZATION_ID,
        Property(
            name="name",
            kind="string",
            required=True,
            description="its name, as Flux reads it (v.<name>), unique in its organization",
        ),
        DESCRIPTION,
        Property(
            name="type",
            kind="string",
            required=True,
            choices=tuple(NEEDED),
            description="where its values come from",
        ),
        Property(name="values", kind="array", items="string", description="of constant: the values"),
        Property(name="mapValues", kind="map", items="string", description="of map: what is shown, and its value"),
        Property(name="query", kind="string", description="of query: the script; its `_value` column has the values"),
        Property(
            name="language",
            kind="string",
            choices=("flux", "influxql"),
            description="of query: flux unless given",
        ),
        Property(name="selected", kind="array", items="string", description="the value that is chosen at first"),
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        failures = variant_failures(new, "type", NEEDED, ALLOWED)
        if new["type"] == "query":
            new.setdefault("language", "flux")
        name = known_text(new["name"])
        if name is not None and (not _NAME.fullmatch(name) or name in _RESERVED):
            failures.append(Failure("name", f"is {name!r}; Flux reads it: letters, digits and _, and no word of Flux"))
        return failures

    def body(self, inputs: Plain, mark: str) -> Plain:
        return {
            "orgID": inputs["orgId"],
            "name": inputs["name"],
            "description": marked(inputs.get("description"), mark),
            "selected": inputs.get("selected") or [],
            "arguments": {"type": inputs["type"], "values": _TO_SERVER[inputs["type"]](inputs)},
        }

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        arguments = answer["arguments"]
        return present(
            {
                "orgId": answer["orgID"],
                "name": answer["name"],
                "description": unmarked(answer.get("description")),
                "type": arguments["type"],
                "selected": answer.get("selected") or None,
            }
            | _FROM_SERVER[arguments["type"]](arguments["values"])
        )
