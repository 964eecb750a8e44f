"""Where each entity is and where it comes from, of Home Assistant's three registries."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from event_schema import Placement
from operations.follow.home_assistant import HomeAssistant

EVENTS = ("area_registry_updated", "device_registry_updated", "entity_registry_updated")


def placements(
    areas: Sequence[Mapping[str, Any]], devices: Sequence[Mapping[str, Any]], entities: Sequence[Mapping[str, Any]]
) -> dict[str, Placement]:
    """entity -> Placement. An entity without an area is in its device's; a name that the user gave comes first."""
    area_names = {one["area_id"]: one["name"] for one in areas}
    by_device = {one["id"]: one for one in devices}
    found = {}
    for one in entities:
        device = by_device.get(one.get("device_id"), {})
        area = one.get("area_id") or device.get("area_id")
        found[one["entity_id"]] = Placement(
            area=area_names.get(area),
            device_name=device.get("name_by_user") or device.get("name"),
            integration=one.get("platform"),
        )
    return found


async def read_registry(home: HomeAssistant) -> dict[str, Placement]:
    """The present registries. Raises ConnectionLost, CommandFailed."""
    areas, devices, entities = await asyncio.gather(
        home.ask("config/area_registry/list"),
        home.ask("config/device_registry/list"),
        home.ask("config/entity_registry/list"),
    )
    return placements(areas, devices, entities)
