"""Asks a server for what the storage figures are made of."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from event_schema import HOME_ASSISTANT_EVENTS
from event_schema.operations_records import STORAGE_RECORD
from influxdb_connection import ServerProblem
from operations.storage.costs import Costs, costs
from operations.storage.figures import Disk, StorageFigures, figures
from operations.storage.shards import ServerMetrics, ShardGroup, folder_check, read_metrics, read_shard_groups
from operations.watched_server import Refused, WatchedBucket, WatchedServer
from stacks.settings import HomeSettings
from templates.render import render

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Recorded some time on the day a week ago.
WEEK_AGO = (timedelta(days=8), timedelta(days=7))


@dataclass(frozen=True, slots=True)
class Inventory:
    """What both the storage figures and the retention check start from. `groups` is None where the token may not know
    them, `oldest` the time of each tier's oldest point by the bucket's name."""

    buckets: Sequence[WatchedBucket]
    groups: Sequence[ShardGroup] | None
    oldest: Mapping[str, datetime]


async def take_inventory(server: WatchedServer, home: HomeSettings) -> Inventory:
    """Raises ServerProblem."""
    buckets = await server.buckets()
    return Inventory(buckets, await shard_groups(server), await oldest_points(server, home, buckets))


async def collect_figures(
    server: WatchedServer,
    home: HomeSettings,
    *,
    limit_bytes: int | None = None,
    now: datetime | None = None,
    inventory: Inventory | None = None,
) -> StorageFigures:
    """The storage figures of the buckets that the token may see. Raises ServerProblem."""
    moment = now or datetime.now(UTC)
    metrics = read_metrics(await server.metrics_text())
    known = inventory or await take_inventory(server, home)
    here = urlsplit(server.url).hostname in LOOPBACK
    return figures(
        metrics,
        known.buckets,
        known.groups,
        home.tiers,
        now=moment,
        folder_exists=folder_check(metrics.shards) if here else None,
        disk=disk_of(metrics) if here else None,
        limit_bytes=limit_bytes,
        oldest=known.oldest,
        week_ago=await recorded_bytes(server, home, moment - WEEK_AGO[0], moment - WEEK_AGO[1]),
    )


async def collect_costs(
    server: WatchedServer, home: HomeSettings, found: StorageFigures, *, days: float = 7.0, now: datetime | None = None
) -> Costs:
    """What the last `days` days of raw events cost, at the rate that `found` measured. Raises ServerProblem.

    The days end now, or with the newest event where that is older.
    """
    moment = now or datetime.now(UTC)
    newest = await newest_event(server, home, datetime(1970, 1, 1, tzinfo=UTC))
    stop = moment if newest is None else min(moment, newest + timedelta(seconds=1))
    raw = home.tiers.raw
    span: dict[str, Any] = {
        "bucket": raw.bucket,
        "measurement": raw.measurement,
        "start": stop - timedelta(days=days),
        "stop": stop,
    }
    values: dict[str, int] = {}
    events: dict[str, int] = {}
    for row in await server.rows(render("monitoring/values_by_entity.flux.j2", **span)):
        entity, count = str(row.get("entity_id") or ""), int(row["_value"])
        values[entity] = values.get(entity, 0) + count
        if row["_field"] == "state_value":
            events[entity] = count
    tags = HOME_ASSISTANT_EVENTS.tag_names
    series = [
        {tag: str(row[tag]) for tag in tags if row.get(tag)}
        for row in await server.rows(render("monitoring/series.flux.j2", **span))
    ]
    rate = next((bucket.bytes_per_day for bucket in found.buckets if bucket.name == raw.bucket), 0.0)
    return costs(values, events, series, tags, days=days, bytes_per_day=rate)


async def shard_groups(server: WatchedServer) -> list[ShardGroup] | None:
    """The server's shard groups, or None where the token may not know them: only an operator token may."""
    try:
        return read_shard_groups(await server.get("/api/v2/backup/metadata"))
    except Refused as error:
        if error.status in (401, 403, 404):
            return None
        raise


def disk_of(metrics: ServerMetrics) -> Disk | None:
    """The file system of the server's shards, where their folders can be seen from here."""
    for shard in metrics.shards:
        try:
            if Path(shard.path).is_dir():
                usage = shutil.disk_usage(shard.path)
                # As `df` counts it: without what is kept for root.
                return Disk(usage.used + usage.free, usage.free)
        except OSError:
            continue
    return None


async def newest_event(server: WatchedServer, home: HomeSettings, since: datetime) -> datetime | None:
    """The time of the newest raw event since then, None where there is none. Raises ServerProblem."""
    raw = home.tiers.raw
    flux = render(
        "monitoring/newest_event.flux.j2",
        bucket=raw.bucket,
        measurement=raw.measurement,
        field="state_value",
        start=since,
    )
    return max((row["_time"] for row in await server.rows(flux)), default=None)


async def oldest_points(
    server: WatchedServer, home: HomeSettings, buckets: Sequence[WatchedBucket]
) -> dict[str, datetime]:
    """The time of each tier's oldest point, by the bucket's name; without those that have none."""
    there = {bucket.name for bucket in buckets}
    found: dict[str, datetime] = {}
    for tier in home.tiers:
        if tier.bucket in there:
            rows = await server.rows(
                render(
                    "monitoring/oldest.flux.j2",
                    bucket=tier.bucket,
                    measurement=tier.measurement,
                    raw=tier.every is None,
                )
            )
            moments = [row["_time"] for row in rows if row.get("_time") is not None]
            if moments:
                found[tier.bucket] = min(moments)
    return found


async def recorded_bytes(server: WatchedServer, home: HomeSettings, start: datetime, stop: datetime) -> dict[str, int]:
    """The last size of each bucket that was recorded in [start, stop); empty where nothing is recorded."""
    try:
        rows = await server.rows(
            render(
                "monitoring/recorded.flux.j2",
                bucket=home.operations_bucket,
                measurement=STORAGE_RECORD.name,
                field="bytes",
                start=start,
                stop=stop,
            )
        )
    except ServerProblem:
        return {}  # no such bucket, or this token may not read it: growth is then not known
    return {str(row["bucket"]): int(row["_value"]) for row in rows}
