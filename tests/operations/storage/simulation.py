"""Two years of a home, simulated: what each day adds to each shard group, and what is on disk at any time."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from operations.storage.forecast import BucketHistory, SizedGroup

DAY = timedelta(days=1)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class SimulatedBucket:
    """Bytes by day; a shard group expires as a whole, when its end + retention has passed."""

    retention: timedelta | None
    width: timedelta
    bytes_by_day: list[float] = field(default_factory=list)

    def groups(self, now: datetime) -> list[SizedGroup]:
        days = min(len(self.bytes_by_day), (now - BEGIN) // DAY)
        per_group = self.width // DAY
        found = []
        for first in range(0, days, per_group):
            start = BEGIN + first * DAY
            size = sum(self.bytes_by_day[first : min(first + per_group, days)])
            if self.retention is None or start + self.width + self.retention > now:
                found.append(SizedGroup(start, start + self.width, size))
        return found

    def size(self, now: datetime) -> float:
        return sum(group.bytes for group in self.groups(now))

    def history(self, now: datetime) -> BucketHistory:
        return BucketHistory(self.groups(now), self.retention, self.width)


def days_of(
    seed: int, days: int, *, per_day: float, yearly_growth: float = 0.0, season: float = 0.2, noise: float = 0.15
) -> list[float]:
    """A home's days: a yearly season, day to day noise, a home that grows."""
    dice = random.Random(seed)
    return [
        max(
            0.0,
            per_day
            * (1 + yearly_growth * day / 365)
            * (1 + season * math.sin(2 * math.pi * day / 365))
            * (1 + dice.gauss(0, noise)),
        )
        for day in range(days)
    ]


def total(buckets: Sequence[SimulatedBucket], now: datetime) -> float:
    return sum(bucket.size(now) for bucket in buckets)
