"""Dashboard: its cells and what each shows. One call for the dashboard, two more for each cell."""

from __future__ import annotations

import contextlib
from typing import Any

from provider.api import Api, ProviderError
from provider.kinds.base import DESCRIPTION, ORGANIZATION_ID, ResourceKind
from provider.ownership import marked, unmarked
from provider.table import Property, present
from provider.values import Plain

PLACE = ("x", "y", "w", "h")
CELL = (
    Property(name="name", kind="string", default="", description="its title"),
    Property(name="x", kind="integer", default=0, description="columns from the left, of 12"),
    Property(name="y", kind="integer", default=0, description="rows from the top"),
    Property(name="w", kind="integer", default=4, description="columns wide"),
    Property(name="h", kind="integer", default=4, description="rows high"),
    Property(
        name="properties",
        kind="any",
        required=True,
        description="what it shows, as the API has it: type (xy, single-stat, gauge, table, markdown, ...), queries",
    ),
)


class DashboardKind(ResourceKind):
    token = "influxdb:index:Dashboard"
    path = "/api/v2/dashboards"
    collection = "dashboards"
    description = (
        "A dashboard with its cells, in their order. `properties` of a cell are the API's own: what is left out is the "
        "server's choice, and only what is given is compared."
    )
    table = (
        ORGANIZATION_ID,
        Property(
            name="name",
            kind="string",
            required=True,
            description="its name; the server allows it twice, this provider does not",
        ),
        DESCRIPTION,
        Property(
            name="cells",
            kind="array",
            fields=CELL,
            type_name="DashboardCell",
            same=lambda before, after: covers(before, after),
            description="its cells",
        ),
    )

    def body(self, inputs: Plain, mark: str) -> Plain:
        description = marked(inputs.get("description"), mark)
        return {"orgID": inputs["orgId"], "name": inputs["name"], "description": description}

    def change(self, inputs: Plain, mark: str) -> Plain:
        return {name: value for name, value in self.body(inputs, mark).items() if name != "orgID"}

    async def post(self, api: Api, inputs: Plain, mark: str) -> Plain:
        answer = await super().post(api, inputs, mark)
        try:
            await self._arrange(api, answer["id"], inputs.get("cells") or [])
        except BaseException:
            # Half a dashboard is none. Should this fail too, the next run finds it by its mark.
            with contextlib.suppress(ProviderError):
                await api.call("DELETE", f"{self.path}/{answer['id']}")
            raise
        return answer

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain, mark: str = "") -> Plain:
        computed = await super().update(api, identifier, old, new, mark)
        await self._arrange(api, identifier, new.get("cells") or [])
        return computed

    async def _arrange(self, api: Api, identifier: str, wanted: list[Plain]) -> None:
        """The dashboard's cells as wanted, from whatever they are now: cut off, it can be done once more."""
        path = f"{self.path}/{identifier}/cells"
        answer = await self.answer(api, identifier, {}) or {}
        present_cells = answer.get("cells") or []
        for surplus in present_cells[len(wanted) :]:
            await api.call("DELETE", f"{path}/{surplus['id']}")
        for place, cell in enumerate(wanted):
            there = present_cells[place] if place < len(present_cells) else None
            where = {name: cell[name] for name in PLACE}
            if there is None:
                there = await api.call("POST", path, {"name": cell["name"], **where})
            elif any(there.get(name, 0) != value for name, value in where.items()):
                await api.call("PATCH", f"{path}/{there['id']}", where)
            if there.get("name", "") != cell["name"] or not covers(there.get("properties"), cell["properties"]):
                view = {"name": cell["name"], "properties": {"shape": "chronograf-v2"} | cell["properties"]}
                await api.call("PATCH", f"{path}/{there['id']}/view", view)

    def address(self, identifier: str) -> str:
        return f"{self.path}/{identifier}?include=properties"

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        before = known.get("cells") or []
        cells = []
        for place, cell in enumerate(answer.get("cells") or ()):
            properties = without_nulls(cell.get("properties") or {})
            given = before[place].get("properties") if place < len(before) else None
            kept = given if given is not None and covers(properties, given) else properties
            name = cell.get("name", "")
            cells.append({"name": name} | {one: cell.get(one, 0) for one in PLACE} | {"properties": kept})
        return present(
            {
                "orgId": answer["orgID"],
                "name": answer["name"],
                "description": unmarked(answer.get("description")),
                "cells": cells or None,
            }
        )


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def covers(shown: Any, given: Any) -> bool:
    """True if what the server shows has all that was given; it fills in the rest of an object itself."""
    if isinstance(given, dict):
        return isinstance(shown, dict) and all(covers(shown.get(name), value) for name, value in given.items())
    if isinstance(given, list):
        same_length = isinstance(shown, list) and len(shown) == len(given)
        return same_length and all(covers(one, other) for one, other in zip(shown, given, strict=True))
    return bool(shown == given) or (not given and shown is None)
