"""Does what should expire expire, and does nothing expire that was meant to be kept? Pure functions.

A shard group goes when its end + retention has passed, and the server looks every 30 minutes: so the oldest point of a
bucket with retention R and shard groups of D is at most R + D + 1 h old. Older than R alone is no fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from event_schema import Tier, Tiers
from operations.storage.shards import EXPIRY_GRACE, ShardGroup
from operations.watched_server import WatchedBucket


@dataclass(frozen=True, slots=True, kw_only=True)
class TierCompliance:
    """One tier against its declaration. `problems` are sentences; empty means compliant.

    `other_widths` counts shard groups of another width than the declared one: those of a time before it was changed.
    """

    tier: str
    bucket: str
    retention: timedelta | None
    shard_group_duration: timedelta
    oldest: datetime | None
    oldest_allowed: datetime | None
    shard_groups: int | None
    other_widths: int
    problems: tuple[str, ...]

    @property
    def compliant(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "compliant": self.compliant}


def days(length: timedelta | None) -> str:
    """A length of time for a sentence."""
    if length is None:
        return "for ever"
    number = length / timedelta(days=1)
    return f"{number:g} d" if number >= 1 else f"{length / timedelta(hours=1):g} h"


def tier_compliance(
    tier: Tier,
    bucket: WatchedBucket | None,
    oldest: datetime | None,
    groups: Sequence[ShardGroup] | None,
    now: datetime,
) -> TierCompliance:
    """Of one tier. `groups` are those of its bucket, None where the token may not know them."""
    problems: list[str] = []
    retention = tier.retention if bucket is None else bucket.retention
    width = tier.shard_group_duration if bucket is None else bucket.shard_group_duration
    allowed = None if retention is None else now - retention - width - EXPIRY_GRACE
    alive = [group for group in groups or () if not group.deleted]
    if bucket is None:
        problems.append(f"there is no bucket {tier.bucket} that this token may see")
    else:
        if bucket.retention != tier.retention:
            problems.append(
                f"{tier.bucket} keeps {days(bucket.retention)}, declared is {days(tier.retention)}: "
                "'hearthflux stack preview' shows what would change"
            )
        if bucket.shard_group_duration != tier.shard_group_duration:
            problems.append(
                f"{tier.bucket} has shard groups of {days(bucket.shard_group_duration)}, "
                f"declared are {days(tier.shard_group_duration)}"
            )
    if allowed is not None and oldest is not None and oldest < allowed:
        problems.append(
            f"{tier.bucket} still holds a point of {oldest:%Y-%m-%d %H:%M} UTC: with {days(retention)} of retention, "
            f"shard groups of {days(width)} and an hour, nothing before {allowed:%Y-%m-%d %H:%M} should be there; "
            "does the server's retention check run?"
        )
    overdue = [group for group in alive if retention is not None and group.end + retention + EXPIRY_GRACE < now]
    if overdue:
        problems.append(f"{len(overdue)} shard groups of {tier.bucket} are past their retention and still there")
    return TierCompliance(
        tier=tier.name,
        bucket=tier.bucket,
        retention=retention,
        shard_group_duration=width,
        oldest=oldest,
        oldest_allowed=allowed,
        shard_groups=None if groups is None else len(alive),
        other_widths=sum(group.end - group.start != tier.shard_group_duration for group in alive),
        problems=tuple(problems),
    )


def compliance(
    tiers: Tiers,
    buckets: Sequence[WatchedBucket],
    oldest: Mapping[str, datetime],
    groups: Sequence[ShardGroup] | None,
    now: datetime,
) -> list[TierCompliance]:
    """Of every tier; `oldest` by the bucket's name."""
    by_name = {bucket.name: bucket for bucket in buckets}
    found = []
    for tier in tiers:
        bucket = by_name.get(tier.bucket)
        own = None if groups is None or bucket is None else [one for one in groups if one.bucket_id == bucket.id]
        found.append(tier_compliance(tier, bucket, oldest.get(tier.bucket), own, now))
    return found
