"""What costs most: bytes per event and entity, and which tags multiply the series. Pure functions over a week's counts.

Bytes per event are measured: a bucket's bytes of new data per day over its events per day. Which entity they belong to
is shared out by the number of field values, as InfluxDB does not tell: a string costs somewhat more than a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EntityCost:
    """One entity's share. `seconds_between` is the mean time between its events, `series` how many it has."""

    entity_id: str
    events_per_day: float
    values_per_day: float
    bytes_per_day: float
    share: float
    series: int

    @property
    def seconds_between(self) -> float:
        return 86_400.0 / self.events_per_day if self.events_per_day else float("inf")


@dataclass(frozen=True, slots=True)
class TagCost:
    """One tag: how many values it has, and how many times more series there are because of it (1.0: none)."""

    tag: str
    values: int
    series_without: int
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What new data cost. `bytes_per_event` includes everything that an event leaves in its bucket."""

    days: float
    events_per_day: float
    bytes_per_event: float | None
    entities: tuple[EntityCost, ...]
    tags: tuple[TagCost, ...]
    series: int


def entity_costs(
    values: Mapping[str, int],
    events: Mapping[str, int],
    series: Iterable[Mapping[str, str]],
    *,
    days: float,
    bytes_per_day: float,
) -> tuple[EntityCost, ...]:
    """The entities, dearest first. `values` and `events` by entity over `days`; `series` as tag sets."""
    owned: dict[str, int] = {}
    for tags in series:
        entity = tags.get("entity_id", "")
        owned[entity] = owned.get(entity, 0) + 1
    total = sum(values.values())
    found = [
        EntityCost(
            entity_id=entity,
            events_per_day=events.get(entity, 0) / days,
            values_per_day=count / days,
            bytes_per_day=bytes_per_day * count / total,
            share=count / total,
            series=owned.get(entity, 0),
        )
        for entity, count in values.items()
        if count
    ]
    return tuple(sorted(found, key=lambda one: (-one.bytes_per_day, one.entity_id)))


def tag_costs(series: Sequence[Mapping[str, str]], tags: Sequence[str]) -> tuple[TagCost, ...]:
    """Each tag's factor: the series there are over those there would be without that tag. Dearest first."""
    whole = {_key(one, tags) for one in series}
    found = []
    for tag in tags:
        rest = [other for other in tags if other != tag]
        without = len({_key(one, rest) for one in series})
        values = len({one[tag] for one in series if one.get(tag)})
        found.append(TagCost(tag, values, without, len(whole) / without if without else 1.0))
    return tuple(sorted(found, key=lambda one: (-one.factor, one.tag)))


def _key(series: Mapping[str, str], tags: Sequence[str]) -> tuple[str, ...]:
    return tuple(series.get(tag) or "" for tag in tags)


def costs(
    values: Mapping[str, int],
    events: Mapping[str, int],
    series: Sequence[Mapping[str, str]],
    tags: Sequence[str],
    *,
    days: float,
    bytes_per_day: float,
) -> Costs:
    """All of it, from a span of `days` days in which new data took `bytes_per_day`."""
    per_day = sum(events.values()) / days
    return Costs(
        days=days,
        events_per_day=per_day,
        bytes_per_event=bytes_per_day / per_day if per_day else None,
        entities=entity_costs(values, events, series, days=days, bytes_per_day=bytes_per_day),
        tags=tag_costs(series, tags),
        series=len({_key(one, tags) for one in series}),
    )
