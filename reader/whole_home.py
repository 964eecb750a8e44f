"""Questions to all entities at once: energy by area and class, which entities there are.

Each span is cut at the newest window that a tier stores, of any entity: whole days from the daily tier, what follows
from the hourly one, the rest from raw events. Sums, counts, smallest and largest values are computed by the storage
engine in each of them and put together here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from event_schema import SUMMARY_FIELDS, Tier
from event_schema.calendar import has_whole_hours
from influxdb_connection import ServerProblem
from reader.asking import EPOCH, STATISTICS, Asking
from reader.entity_windows import EntityWindows
from reader.periods import Width, window_at
from reader.rows import Source, source_of

RECENT = timedelta(days=7)
Grouping = Literal["area", "device_class", "domain", "entity_id"]
NONE = ""
_BY_NAME = {field.name: field for field in SUMMARY_FIELDS}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a span and the tier that gives it."""

    tier: Tier
    start: datetime
    stop: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What one entity and class came to over a span."""

    entity_id: str
    domain: str
    device_class: str
    values: Mapping[str, float]
    source: Source = "events"


async def pieces(asking: Asking, start: datetime, stop: datetime, now: datetime, zone: ZoneInfo) -> list[Piece]:
    """[start, stop) over the tiers, in order and without gaps or overlaps where they still keep it; `start` is the
    beginning of a day."""
    found: list[Piece] = []
    tiers: list[tuple[Tier, Width]] = [(asking.tiers.daily, "day")]
    if has_whole_hours(start, stop, zone):
        tiers.append((asking.tiers.hourly, "hour"))
    begin = start
    for tier, width in tiers:
        oldest = await asking.oldest(tier, now, width, zone)
        since = max(begin, oldest)
        if since >= stop:
            continue
        rows = await asking.rows("last_window", tier, start=since, stop=stop)
        seam = max((window_at(row["_time"], width, zone).stop for row in rows), default=since)
        if seam > stop:
            # Not over yet, so nobody has summed it up whole.
            seam = window_at(stop, width, zone).start
        if seam > since:
            if begin < since:
                found += await _finer(asking, begin, since, now, zone)
            found.append(Piece(tier, since, seam))
            begin = seam
    if begin < stop:
        found += await _finer(asking, begin, stop, now, zone)
    return found


async def _finer(asking: Asking, start: datetime, stop: datetime, now: datetime, zone: ZoneInfo) -> list[Piece]:
    since = max(start, await asking.oldest(asking.tiers.raw, now, "hour", zone))
    return [Piece(asking.tiers.raw, since, stop)] if since < stop else []


async def totals(asking: Asking, over: Sequence[Piece], names: Sequence[str]) -> list[Totals]:
    """The named fields of every entity and class; `names` are of those that add up, or are the smallest or largest."""
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for piece in over:
        aggregates = [_aggregate(name, piece.tier) for name in names]
        for row in await asking.rows(
            "totals", piece.tier, start=piece.start, stop=piece.stop, aggregates=aggregates, measurement=""
        ):
            key = (row.get("entity_id") or "", row.get("domain") or "", row.get("device_class") or "")
            values, name, value = found.setdefault(key, {}), str(row["result"]), row["_value"]
            if value is not None:
                values[name] = _combined(name, values.get(name), float(value))
    return [
        Totals(entity_id=entity, domain=domain, device_class=device_class, values=values)
        for (entity, domain, device_class), values in sorted(found.items())
    ]


def _aggregate(name: str, tier: Tier) -> tuple[str, str, str]:
    """(name, field, function): of raw events as the field is declared, of windows as they roll up."""
    field = _BY_NAME[name]
    if tier.every is None:
        return name, field.source, field.function
    # What held in windows without a row is no matter of a sum over rows.
    return name, name, "sum" if field.roll_up == "sum_held" else field.roll_up


def _combined(name: str, one: float | None, other: float) -> float:
    if one is None:
        return other
    rule = _BY_NAME[name].roll_up
    return min(one, other) if rule == "min" else max(one, other) if rule == "max" else one + other


# energy -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRow:
    """kWh of one area, device class, domain or entity; `share` of the whole home's (0 to 1), `entities` that used it.
    An empty name is of what has none. `source` as of a SummaryRow."""

    name: str
    energy: float
    share: float
    entities: int
    source: Source = "events"


async def energy_of_statistics(
    asking: Asking, found: Sequence[Totals], start: datetime, stop: datetime, now: datetime, zone: ZoneInfo
) -> list[Totals]:
    """The kWh of the days of which an entity has only statistics."""
    tier = asking.tiers.daily
    since = max(start, await asking.oldest(tier, now, "day", zone))
    if since >= stop or not await asking.retained.statistics(tier):
        return []
    aggregates = [("statistics", "total_energy", "sum")]
    have = await asking.rows(
        "totals", tier, start=since, stop=stop, aggregates=aggregates, measurement=STATISTICS[tier.name]
    )
    kinds = {row["entity_id"]: (row.get("domain") or "", row.get("device_class") or "") for row in have}
    # An entity's events know its class better than its statistics.
    kinds |= {one.entity_id: (one.domain, one.device_class) for one in found if one.entity_id in kinds}

    async def of(entity_id: str) -> Totals:
        entity = EntityWindows(asking, entity_id, zone, now, ("total_energy", "event_count"))
        days = await entity.days(since, stop)
        energy = sum(day.values.get("total_energy", 0.0) for day in days.values() if day.source == "statistics")
        domain, device_class = kinds[entity_id]
        return Totals(
            entity_id=entity_id,
            domain=domain,
            device_class=device_class,
            values={"total_energy": energy} if energy else {},
            source="statistics",
        )

    return await asyncio.gather(*map(of, kinds))


def energy_by(found: Iterable[Totals], by: Grouping, areas: Mapping[str, str]) -> list[EnergyRow]:
    """The most first."""
    sums: dict[str, float] = {}
    entities: dict[str, set[str]] = {}
    sources: dict[str, set[Source]] = {}
    for one in found:
        if "total_energy" in one.values:
            name = areas.get(one.entity_id, NONE) if by == "area" else str(getattr(one, by))
            sums[name] = sums.get(name, 0.0) + one.values["total_energy"]
            entities.setdefault(name, set()).add(one.entity_id)
            sources.setdefault(name, set()).add(one.source)
    whole = sum(sums.values())
    rows = [
        EnergyRow(
            name=name,
            energy=energy,
            share=energy / whole if whole else 0.0,
            entities=len(entities[name]),
            source=source_of(sources[name]),
        )
        for name, energy in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row.energy, row.name))


async def latest_areas(asking: Asking, entities: Sequence[str], now: datetime, zone: ZoneInfo) -> dict[str, str]:
    """The area of each entity's newest raw event; an entity that raw events no longer know has none.

    The summaries do not carry the area. Most entities spoke in the last days, so only the others are looked for in all
    that is kept.
    """
    raw = asking.tiers.raw
    oldest = max(await asking.oldest(raw, now, "hour", zone), EPOCH)
    found: dict[str, tuple[datetime, str]] = {}
    for start, wanted in ((max(now - RECENT, oldest), []), (oldest, list(entities))):
        missing = [entity for entity in wanted if entity not in found] if wanted else []
        if wanted and not missing:
            break
        for row in await asking.rows("areas", raw, start=start, stop=now, entities=missing):
            newest = (row["_time"], row.get("area") or NONE)
            entity = str(row["entity_id"])
            found[entity] = max(found.get(entity, newest), newest)
    return {entity: area for entity, (_, area) in found.items()}


# who is there -----------------------------------------------------------------------------------------------


async def entities(asking: Asking, now: datetime, zone: ZoneInfo) -> list[str]:
    """Every entity that any tier holds, in statistics too, from the index."""
    found: set[str] = set()
    for tier in asking.tiers:
        start = max(await asking.oldest(tier, now, "hour", zone), EPOCH)
        rows = await asking.rows("entities", tier, start=start, stop=now, measurements=_measurements(tier))
        found |= {str(row["_value"]) for row in rows if row.get("_value")}
    return sorted(found)


async def unit(asking: Asking, entity_id: str, now: datetime, zone: ZoneInfo) -> str:
    """What an entity's newest raw event says it is measured in; empty where that is not known."""
    raw = asking.tiers.raw
    try:
        start = max(await asking.oldest(raw, now, "hour", zone), EPOCH)
    except ServerProblem:
        # A token for the summaries alone.
        return ""
    rows = await asking.rows("unit", raw, entity_id=entity_id, start=start, stop=now)
    newest = max(rows, key=lambda row: row["_time"], default=None)
    return "" if newest is None else str(newest["_value"])


def _measurements(tier: Tier) -> list[str]:
    return [tier.measurement, *filter(None, [STATISTICS.get(tier.name)])]


async def spoken(asking: Asking, entity_id: str, now: datetime, zone: ZoneInfo) -> list[datetime]:
    """Times of an entity's first and last points in every tier, in statistics too."""
    found = []
    for tier in asking.tiers:
        start = max(await asking.oldest(tier, now, "hour", zone), EPOCH)
        measurements = _measurements(tier)
        rows = await asking.rows("bounds", tier, entity_id=entity_id, start=start, stop=now, measurements=measurements)
        found += [row["_time"] for row in rows]
    return found
