"""What would save space, how much, and which change of configuration does it. Pure functions of figures and costs.

Savings are of the size once retention is in balance (the plateau), in bytes: estimates, for choosing between them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from event_schema import Tier, Tiers
from operations.storage.costs import Costs, EntityCost, TagCost
from operations.storage.figures import BucketFigures, StorageFigures

# An entity that speaks more often than this is worth a word: a value each second is 86,400 a day.
OFTEN_SECONDS = 10.0
CALM_SECONDS = 60.0
LEAST_SHARE = 0.02
# A tag that doubles the series, and a number of series that is worth the trouble.
LEAST_FACTOR = 1.5
LEAST_SERIES = 100
# What identifies an entity is no choice.
NEEDED_TAGS = ("entity_id", "domain", "device_class")
# What a further series costs for each of its fields in each shard: its keys in the indexes, a block of its own, and
# times and values that compress less well apart. Measured on InfluxDB 2.7.12 by writing the same events with and
# without a tag of four values: 330 to 920 bytes (docs/storage.md). A saving by it is right within a factor of two.
BYTES_PER_SERIES_AND_FIELD = 500
RETENTION_STEPS = (730, 365, 180, 90, 30)
LEAST_SAVING = 10_000_000


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One thing that can be done. `saves_bytes` is of the plateau; `change` is the configuration that does it."""

    kind: str
    what: str
    saves_bytes: int
    change: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def kept_days(bucket: BucketFigures) -> float:
    """How many days of data are there at the plateau: retention and on average half a shard group more."""
    return (bucket.retention_days or 3650.0) + bucket.shard_group_days / 2


def _entity_advice(entity: EntityCost, raw: BucketFigures) -> Recommendation:
    saved = entity.bytes_per_day * (1 - entity.seconds_between / CALM_SECONDS) * kept_days(raw)
    name = entity.entity_id
    return Recommendation(
        "entity",
        f"{name} writes every {entity.seconds_between:.1f} s, {entity.share:.0%} of all new data; "
        f"once in {CALM_SECONDS:g} s would do for most purposes",
        round(saved),
        "in Home Assistant's configuration.yaml, and follow the filtered sensor instead:\n"
        "  sensor:\n"
        "    - platform: filter\n"
        f"      entity_id: {name}\n"
        f"      name: {name.partition('.')[2]} calm\n"
        "      filters:\n"
        "        - filter: time_throttle\n"
        f'          window_size: "00:{int(CALM_SECONDS) // 60:02d}:{int(CALM_SECONDS) % 60:02d}"',
    )


TAG_CHANGES = {
    "weather_condition": "do not pass `weather=` to Event.from_home_assistant (its numbers can be events of a "
    "weather entity of their own)",
    "time_of_day": "set event.time_of_day = None before writing: it follows from the time",
    "area": "leave `area` out of the registry that Event.from_home_assistant is given",
    "device_name": "leave `device_name` out of the registry that Event.from_home_assistant is given",
    "integration": "leave `integration` out of the registry that Event.from_home_assistant is given",
}


def _tag_advice(tag: TagCost, costs: Costs, raw: BucketFigures, fields: float) -> Recommendation:
    shards = kept_days(raw) / raw.shard_group_days
    fewer = costs.series - tag.series_without
    return Recommendation(
        "tag",
        f"the tag {tag.tag} ({tag.values} values) makes {tag.factor:.1f} times as many series: "
        f"{costs.series:,} instead of {tag.series_without:,}",
        round(fewer * fields * shards * BYTES_PER_SERIES_AND_FIELD),
        TAG_CHANGES[tag.tag],
    )


def _retention_advice(tier: Tier, bucket: BucketFigures, figures: StorageFigures) -> Recommendation | None:
    """The longest shorter retention that keeps the plateau of everything below nine tenths of the limit, if any is
    needed; else a half of the raw events', whose summaries stay."""
    if bucket.plateau is None and bucket.retention_days is not None:
        return None
    now_days = bucket.retention_days or 3650.0
    steps = [days for days in RETENTION_STEPS if bucket.shard_group_days <= days < now_days]
    if not steps:
        return None
    needed = 0.0
    if figures.limit_bytes is not None:
        needed = figures.in_days[max(figures.in_days)].high - 0.9 * figures.limit_bytes
    chosen = next((days for days in steps if bucket.bytes_per_day * (now_days - days) >= needed), steps[-1])
    saved = bucket.bytes_per_day * (now_days - chosen)
    enough = (
        "are enough where older events are looked at as summaries only"
        if tier.every is None
        else "save space, and nothing but an archive holds what is older"
    )
    kept = "for ever" if bucket.retention_days is None else f"{now_days:g} d"
    return Recommendation(
        "retention",
        f"{tier.name} data are kept {kept}; {chosen} d {enough}",
        round(saved),
        f"in stacks/Pulumi.<stack>.yaml, then 'hearthflux archive run' and 'hearthflux stack up':\n"
        f"  hearthflux:retentionDays: {{{tier.name}: {chosen}}}\n"
        f"  hearthflux:allowDataLoss: [{bucket.name}]",
    )


def recommendations(
    figures: StorageFigures, costs: Costs | None, tiers: Tiers, *, least_saving: int = LEAST_SAVING
) -> list[Recommendation]:
    """What is worth doing, most saved first; what saves less than `least_saving` bytes is left out."""
    by_tier = {bucket.tier: bucket for bucket in figures.buckets if bucket.tier}
    found: list[Recommendation] = []
    raw = by_tier.get("raw")
    if costs is not None and raw is not None:
        found += [
            _entity_advice(entity, raw)
            for entity in costs.entities
            if entity.seconds_between < OFTEN_SECONDS and entity.share >= LEAST_SHARE
        ]
        events = costs.events_per_day or 1.0
        fields = sum(entity.values_per_day for entity in costs.entities) / events
        found += [
            _tag_advice(tag, costs, raw, fields)
            for tag in costs.tags
            if tag.tag not in NEEDED_TAGS and tag.factor >= LEAST_FACTOR and costs.series >= LEAST_SERIES
        ]
    for tier in tiers:
        bucket = by_tier.get(tier.name)
        advice = None if bucket is None else _retention_advice(tier, bucket, figures)
        if advice is not None:
            found.append(advice)
    return sorted((one for one in found if one.saves_bytes >= least_saving), key=lambda one: -one.saves_bytes)
