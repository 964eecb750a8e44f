"""What hearthflux records about itself, in a small bucket of its own: sizes, disk, the writer's spool, health.

One declaration: the collector writes it, the alerts and the forecast read it.
"""

from __future__ import annotations

from datetime import timedelta

from event_schema.measurement import Field, Measurement, Tag

OPERATIONS_BUCKET = "operations"
OPERATIONS_RETENTION = timedelta(days=730)
OPERATIONS_SHARD_GROUP = timedelta(days=30)
# How often `hearthflux serve` and the timer record; the alerts take a record older than three of these as missing.
RECORD_EVERY = timedelta(hours=1)

_BUCKET = Tag(name="bucket", description="the bucket's name")
_TIER = Tag(name="tier", description="raw, hourly or daily; left out for any other bucket")
_CHECK = Tag(name="check", description="what was looked at, such as tasks or storage")


def _count(name: str, description: str) -> Field:
    return Field(name=name, kind="integer", description=description)


def _bytes(name: str, description: str) -> Field:
    return Field(name=name, kind="integer", unit="By", description=description)


STORAGE_RECORD = Measurement(
    name="storage",
    tags=(_BUCKET, _TIER),
    fields=(
        _bytes("bytes", "TSM files and write-ahead log, without shards that have expired"),
        _bytes("index_bytes", "the index, estimated from shards and series"),
        _count("series", "series in the bucket"),
        _count("shards", "shards that are still there"),
        Field(name="bytes_per_day", kind="float", unit="By/d", description="how fast new data take up space"),
    ),
)
DISK_RECORD = Measurement(
    name="disk",
    tags=(),
    fields=(
        _bytes("limit_bytes", "what the database may take: the limit set, else its own size and the disk's free space"),
        _bytes("used_bytes", "what all buckets take"),
        Field(name="used_percent", kind="float", unit="%", description="used_bytes of limit_bytes, or of the disk"),
        Field(name="days_left", kind="float", unit="d", description="until the limit is reached; left out if never"),
    ),
)
SPOOL_RECORD = Measurement(
    name="spool",
    tags=(),
    fields=(
        _count("pending", "events that wait in the writer's spool"),
        _count("dead_letters", "events that the server refused for good"),
        Field(name="oldest_pending_seconds", kind="float", unit="s", description="how long the oldest has waited"),
    ),
)
HEALTH_RECORD = Measurement(
    name="health",
    tags=(_CHECK,),
    fields=(
        Field(name="healthy", kind="boolean", description="whether the check found nothing wrong"),
        Field(name="reason", kind="string", description="the first thing that is wrong"),
    ),
)
SCHEMA_RECORD = Measurement(
    name="schema",
    tags=(_BUCKET,),
    fields=(
        _count("version", "the schema version that the bucket is written by"),
        Field(name="program", kind="string", description="the version of hearthflux that wrote this down"),
    ),
)
OPERATIONS_RECORDS = (STORAGE_RECORD, DISK_RECORD, SPOOL_RECORD, HEALTH_RECORD, SCHEMA_RECORD)
