"""The storage figures: sizes, series, shards, growth by bucket and tier, the disk, the forecast. Pure functions.

`figures(...)` is what the table, `--json`, the records, the health check and the report are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from event_schema import Tiers
from operations.storage import forecast
from operations.storage.forecast import BucketHistory, Interval, LimitForecast, SizedGroup
from operations.storage.shards import ServerMetrics, ShardGauge, ShardGroup, is_stale
from operations.watched_server import WatchedBucket

# The gauges leave out the index and the rounding up of files to blocks. Measured with `du` on InfluxDB 2.7.12 with 2 to
# 20,000 series, on blocks of 4 KiB: a shard's folders and files with the eight partitions of its index, of which those
# without any series take a block less; and the series file, which a bucket has once, with eight partitions too.
BLOCK_BYTES = 4096
PARTITIONS = 8
SHARD_BLOCKS = 3 + 2 * PARTITIONS
SHARD_ROUNDING_BYTES = BLOCK_BYTES // 2
SHARD_INDEX_BYTES_PER_SERIES = 10
SERIES_FILE_BLOCKS = 1 + PARTITIONS
SERIES_FILE_BYTES_PER_SERIES = 240
FORECAST_DAYS = (30, 90, 365, 730)


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system under the server's files, in bytes."""

    total: int
    free: int

    @property
    def used_percent(self) -> float:
        return 100.0 * (self.total - self.free) / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFigures:
    """One bucket. `bytes` is TSM and write-ahead log, `index_bytes` an estimate; `stale_bytes` is what the gauges of
    deleted shards still show, counted nowhere else. `measured`: the shards' times are known, so that the rate is
    measured and not a mean over the bucket's age."""

    name: str
    tier: str | None
    bytes: int
    index_bytes: int
    series: int
    shards: int
    stale_shards: int
    stale_bytes: int
    retention_days: float | None
    shard_group_days: float
    bytes_per_day: float
    plateau: Interval | None
    in_days: Mapping[int, Interval]
    measured: bool
    grown_in_week: int | None

    @property
    def total_bytes(self) -> int:
        return self.bytes + self.index_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFigures:
    """All buckets of the organization. `limit_bytes` is what the database may take, None where it is not known."""

    at: datetime
    buckets: tuple[BucketFigures, ...]
    disk: Disk | None
    limit_bytes: int | None
    limit: LimitForecast | None
    in_days: Mapping[int, Interval]
    version: str
    uptime_seconds: float

    @property
    def total_bytes(self) -> int:
        return sum(bucket.total_bytes for bucket in self.buckets)

    @property
    def used_percent(self) -> float | None:
        """Of the limit or of the disk, whichever is nearer to full; None where neither is known."""
        shares = [100.0 * self.total_bytes / self.limit_bytes] if self.limit_bytes else []
        return max([*shares, *([self.disk.used_percent] if self.disk else [])], default=None)

    @property
    def days_left(self) -> float | None:
        """Until the limit is expected to be reached; None if it is not within ten years."""
        if self.limit is None or self.limit.expected is None:
            return None
        return (self.limit.expected - self.at) / timedelta(days=1)

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "total_bytes": self.total_bytes,
            "used_percent": self.used_percent,
            "days_left": self.days_left,
        }


def _partition_bytes(series: int) -> float:
    """The blocks of those partitions that some of the series fall into."""
    return BLOCK_BYTES * PARTITIONS * (1 - (1 - 1 / PARTITIONS) ** series)


def shard_overhead_bytes(series: int) -> int:
    """What a shard takes beside its TSM files and write-ahead log, estimated."""
    fixed = BLOCK_BYTES * SHARD_BLOCKS + SHARD_ROUNDING_BYTES
    return round(fixed + _partition_bytes(series) + SHARD_INDEX_BYTES_PER_SERIES * series)


def index_bytes(shards: Sequence[ShardGauge], series: int) -> int:
    """What a bucket takes beside TSM files and write-ahead logs, estimated."""
    if not shards:
        return 0
    series_file = BLOCK_BYTES * SERIES_FILE_BLOCKS + _partition_bytes(series) + SERIES_FILE_BYTES_PER_SERIES * series
    return round(series_file) + sum(shard_overhead_bytes(shard.series) for shard in shards)


def sized_groups(
    shards: Sequence[ShardGauge],
    groups: Mapping[int, ShardGroup] | None,
    bucket: WatchedBucket,
    oldest: datetime | None,
    now: datetime,
) -> tuple[list[SizedGroup], bool]:
    """The shards with their times, and whether those are known: else they are laid one after another, as many as
    there are, up to now, with the bucket's size shared out evenly."""

    def size(shard: ShardGauge) -> int:
        return shard.bytes + shard_overhead_bytes(shard.series)

    if groups is not None:
        return [
            SizedGroup(groups[shard.id].start, groups[shard.id].end, size(shard), shard_overhead_bytes(shard.series))
            for shard in shards
            if shard.id in groups
        ], True
    if not shards:
        return [], False
    width = bucket.shard_group_duration
    # Shard groups begin at whole multiples of their width since year 1, as Go truncates times.
    end = _truncated(now, width) + width
    begin = end - len(shards) * width
    if oldest is not None:
        begin = max(begin, _truncated(oldest, width))
    count = max(1, round((end - begin) / width))
    elapsed = (now - begin) / width
    total = sum(map(size, shards))
    return [
        SizedGroup(
            end - (n + 1) * width,
            end - n * width,
            total * (min(1.0, elapsed - (count - 1)) if n == 0 else 1.0) / elapsed,
        )
        for n in range(count)
    ], False


def _truncated(moment: datetime, width: timedelta) -> datetime:
    year_1 = datetime(1, 1, 1, tzinfo=moment.tzinfo)
    return moment - (moment - year_1) % width


def figures(
    metrics: ServerMetrics,
    buckets: Sequence[WatchedBucket],
    groups: Sequence[ShardGroup] | None,
    tiers: Tiers,
    *,
    now: datetime,
    folder_exists: Callable[[str], bool] | None = None,
    disk: Disk | None = None,
    limit_bytes: int | None = None,
    oldest: Mapping[str, datetime] | None = None,
    week_ago: Mapping[str, int] | None = None,
) -> StorageFigures:
    """`oldest` is each bucket's oldest point and `week_ago` its recorded size, by the bucket's name."""
    tier_of = {tier.bucket: tier.name for tier in tiers}
    by_shard = None if groups is None else {group.shard_id: group for group in groups}
    found: list[BucketFigures] = []
    histories: list[BucketHistory] = []
    for bucket in buckets:
        gauges = [gauge for gauge in metrics.shards if gauge.bucket_id == bucket.id]
        stale = {gauge.id for gauge in gauges if is_stale(gauge, bucket.retention, by_shard, folder_exists, now)}
        alive = [gauge for gauge in gauges if gauge.id not in stale]
        spans, measured = sized_groups(alive, by_shard, bucket, (oldest or {}).get(bucket.name), now)
        history = BucketHistory(spans, bucket.retention, bucket.shard_group_duration)
        histories.append(history)
        rate = forecast.rate(history, now)
        series = metrics.series.get(bucket.id, max((gauge.series for gauge in alive), default=0))
        size = sum(gauge.bytes for gauge in alive)
        before = (week_ago or {}).get(bucket.name)
        found.append(
            BucketFigures(
                name=bucket.name,
                tier=tier_of.get(bucket.name),
                bytes=size,
                index_bytes=index_bytes(alive, series),
                series=series,
                shards=len(alive),
                stale_shards=len(stale),
                stale_bytes=sum(gauge.bytes for gauge in gauges if gauge.id in stale),
                retention_days=None if bucket.retention is None else bucket.retention / timedelta(days=1),
                shard_group_days=bucket.shard_group_duration / timedelta(days=1),
                bytes_per_day=rate.level / (bucket.shard_group_duration / timedelta(days=1)),
                plateau=forecast.plateau(history, now) if alive else None,
                in_days={
                    days: forecast.size_at(history, now, now + timedelta(days=days), rate) for days in FORECAST_DAYS
                },
                measured=measured,
                grown_in_week=None if before is None else size - before,
            )
        )
    used = sum(one.total_bytes for one in found)
    limit = limit_bytes if limit_bytes is not None else used + disk.free if disk is not None else None
    at = forecast.total_at(histories, now)
    return StorageFigures(
        at=now,
        buckets=tuple(sorted(found, key=lambda one: one.total_bytes, reverse=True)),
        disk=disk,
        limit_bytes=limit,
        limit=None if limit is None else forecast.limit_reached(histories, now, limit),
        in_days={days: at(now + timedelta(days=days)) for days in FORECAST_DAYS},
        version=metrics.version,
        uptime_seconds=metrics.uptime_seconds,
    )
