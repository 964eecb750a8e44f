"""What hearthflux records about itself, as line protocol for the bucket `operations` (event_schema declares it)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from event_schema import Measurement
from event_schema.operations_records import DISK_RECORD, HEALTH_RECORD, SPOOL_RECORD, STORAGE_RECORD
from operations.health.checks import HealthReport
from operations.spool_view import SpoolView
from operations.storage.figures import StorageFigures


def _line(measurement: Measurement, at: datetime, tags: dict[str, str | None], fields: dict[str, Any]) -> str:
    from influxdb_client.client.write.point import Point

    point: Any = Point(measurement.name)  # type: ignore[no-untyped-call]
    point.time(at.astimezone(UTC))
    for name in measurement.tag_names:
        if tags.get(name):
            point.tag(name, tags[name])
    for field in measurement.fields:
        value = fields.get(field.name)
        if value is not None and value != "":
            point.field(field.name, float(value) if field.kind == "float" else value)
    return str(point.to_line_protocol())


def storage_lines(figures: StorageFigures) -> list[str]:
    """A line for each bucket, and one for the disk where its size or a limit is known."""
    lines = [
        _line(
            STORAGE_RECORD,
            figures.at,
            {"bucket": bucket.name, "tier": bucket.tier},
            {
                "bytes": bucket.bytes,
                "index_bytes": bucket.index_bytes,
                "series": bucket.series,
                "shards": bucket.shards,
                "bytes_per_day": bucket.bytes_per_day,
            },
        )
        for bucket in figures.buckets
    ]
    if figures.limit_bytes is not None:
        disk = {
            "limit_bytes": figures.limit_bytes,
            "used_bytes": figures.total_bytes,
            "used_percent": figures.used_percent,
            "days_left": figures.days_left,
        }
        lines.append(_line(DISK_RECORD, figures.at, {}, disk))
    return lines


def spool_line(view: SpoolView, at: datetime) -> str:
    """The spool's line."""
    fields = {
        "pending": view.pending,
        "dead_letters": view.dead_letters,
        "oldest_pending_seconds": view.oldest_pending_seconds,
    }
    return _line(SPOOL_RECORD, at, {}, fields)


def health_lines(report: HealthReport) -> list[str]:
    """A line for each check that was made."""
    return [
        _line(
            HEALTH_RECORD,
            report.at,
            {"check": finding.check},
            {"healthy": not finding.reasons, "reason": next(iter(finding.reasons), None)},
        )
        for finding in report.findings
        if finding.looked_at
    ]
