"""The server's shards: what its metrics say of their sizes, what its metadata say of their times, which are gone.

InfluxDB 2.7 keeps the gauges of a deleted shard at their last value until it is restarted, so a plain sum counts
data that have long expired. A gauge counts here only if nothing says that its shard is gone:
    - its folder is not there any more, where the server's files can be seen from here;
    - the metadata (a backup of which an operator token may read) do not know it, or have deleted it;
    - its shard group ended longer than the retention ago.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

# How late the server may be with deleting what has expired: it looks every 30 minutes.
EXPIRY_GRACE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ShardGauge:
    """A shard as /metrics shows it: TSM files and write-ahead log in bytes, series; without its index."""

    bucket_id: str
    id: int
    path: str
    bytes: int
    series: int


@dataclass(frozen=True, slots=True)
class ShardGroup:
    """The span of time that one shard holds (OSS has one shard per group)."""

    bucket_id: str
    shard_id: int
    start: datetime
    end: datetime
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ServerMetrics:
    """What /metrics says: shards, series by bucket id, uptime in seconds, version."""

    shards: tuple[ShardGauge, ...]
    series: Mapping[str, int]
    uptime_seconds: float
    version: str


def read_metrics(text: str) -> ServerMetrics:
    """Of Prometheus' text format. Raises ValueError where it is something else."""
    from prometheus_client.parser import text_string_to_metric_families

    sizes: dict[tuple[str, int], tuple[str, int]] = {}
    shard_series: dict[tuple[str, int], int] = {}
    series: dict[str, int] = {}
    uptime, version = 0.0, ""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "storage_shard_disk_size":
                sizes[labels["bucket"], int(labels["id"])] = (labels["path"], int(sample.value))
            elif sample.name == "storage_shard_series":
                shard_series[labels["bucket"], int(labels["id"])] = int(sample.value)
            elif sample.name == "storage_bucket_series_num":
                series[labels["bucket"]] = int(sample.value)
            elif sample.name == "influxdb_uptime_seconds":
                uptime = sample.value
            elif sample.name == "influxdb_info":
                version = labels.get("version", "")
    shards = tuple(
        ShardGauge(bucket, shard, path, size, shard_series.get((bucket, shard), 0))
        for (bucket, shard), (path, size) in sorted(sizes.items())
    )
    return ServerMetrics(shards, series, uptime, version)


def read_shard_groups(backup_metadata: bytes) -> list[ShardGroup]:
    """The shard groups in the answer of GET /api/v2/backup/metadata: its part "buckets" is JSON.

    The other two parts are whole databases, with every token in them: they are cut away unread.
    """
    start = re.search(rb'name="buckets"\r\n(?:[^\r\n]+\r\n)*\r\n', backup_metadata)
    if start is None:
        raise ValueError("the answer has no part named buckets")
    manifest, _ = json.JSONDecoder().raw_decode(backup_metadata[start.end() :].decode(errors="replace").lstrip())
    return [
        ShardGroup(
            bucket["bucketID"],
            int(shard["id"]),
            _time(group["startTime"]),
            _time(group["endTime"]),
            deleted=bool(group.get("deletedAt")),
        )
        for bucket in manifest
        for policy in bucket["retentionPolicies"]
        for group in policy["shardGroups"]
        for shard in group["shards"]
    ]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def folder_check(gauges: Iterable[ShardGauge]) -> Callable[[str], bool] | None:
    """A question whether a shard's folder is there, or None where the server's files can't be seen from here."""
    if any(_exists(gauge.path) for gauge in gauges):
        return _exists
    return None


def _exists(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def is_stale(
    gauge: ShardGauge,
    retention: timedelta | None,
    groups: Mapping[int, ShardGroup] | None,
    folder_exists: Callable[[str], bool] | None,
    now: datetime,
) -> bool:
    """Whether the gauge is a leftover of a deleted shard. `groups` by shard id, None where they are not known."""
    if folder_exists is not None and not folder_exists(gauge.path):
        return True
    if groups is None:
        return False
    group = groups.get(gauge.id)
    if group is None or group.deleted:
        return True
    return retention is not None and group.end + retention + EXPIRY_GRACE < now
