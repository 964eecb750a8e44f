"""What is watched, and the Flux that watches it: typed, and rendered from templates/monitoring.

Each is a task that gives what it watches a level through `monitor.check`, so that the statuses are in `_monitoring` as
those of InfluxDB's own checks are, and notification rules send them. InfluxDB's own deadman check sees only series that
have a point in its range: one that is wholly silent vanishes from it. Here what is expected is a table of its own, from
the declared list or from last week's entities, so that silence is seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from event_schema import Tiers
from event_schema.operations_records import (
    DISK_RECORD,
    HEALTH_RECORD,
    OPERATIONS_BUCKET,
    RECORD_EVERY,
    SPOOL_RECORD,
    STORAGE_RECORD,
)
from flux_tasks.specs import OFFSETS, FluxTask
from templates.render import render_script

WEEK = timedelta(days=7)
DAY = timedelta(days=1)
# The checks of `hearthflux health` that no other alert stands for.
HEALTH_CHECKS = ("retention", "summaries", "tokens")
HOUR = timedelta(hours=1)
EndpointType = Literal["http", "slack", "pagerduty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where notifications go: the properties of provider.NotificationEndpoint, secrets among them."""

    type: EndpointType
    properties: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What is watched. A silence or a delay of None is not watched, as are no `dead_letters` and no `health_checks`.

    `entities`: those that are expected to speak at least every `entity_silence`; empty takes last week's.
    `health_checks`: whose findings, recorded by `hearthflux serve`, are told. `disk_warn` and `disk_critical` are
    percent. `remind_every`: how often what is still critical is said again.
    """

    every: timedelta = timedelta(minutes=5)
    stream_silence: timedelta | None = timedelta(minutes=30)
    entity_silence: timedelta | None = timedelta(hours=24)
    entities: tuple[str, ...] = ()
    summaries_late: timedelta | None = timedelta(hours=1)
    record_silence: timedelta | None = 3 * RECORD_EVERY
    disk_warn: float = 80.0
    disk_critical: float = 90.0
    dead_letters: int | None = 1
    health_checks: tuple[str, ...] = HEALTH_CHECKS
    remind_every: timedelta = timedelta(hours=24)
    endpoint: Endpoint | None = None

    @property
    def rule_every(self) -> str:
        """How often the rule looks. In seconds: for those the server looks back twice as far, so that the status
        before a change is always in sight (for minutes it looks back one minute more, and misses changes)."""
        return f"{2 * int(self.every.total_seconds())}s"


def check_id(name: str) -> str:
    """16 hexadecimal digits that stay the same for a name, as monitor.check wants them."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Who is expected to write, and how long they may be silent. `by` is the tag that tells them apart, None: all
    together are one. `look_back` is how far back one that wrote is remembered without being `expected`."""

    bucket: str
    measurement: str
    field: str
    by: str | None
    expected: tuple[str, ...]
    only_expected: bool
    silence: timedelta
    look_back: timedelta
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The last recorded value of a field against two bounds; a bound is reached when the value is not below it."""

    bucket: str
    measurement: str
    field: str
    warn: float | None
    critical: float
    look_back: timedelta
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LateSummaries:
    """A tier whose newest row is older than the last window that had events and should be done."""

    raw_bucket: str
    raw_measurement: str
    bucket: str
    measurement: str
    tier: str
    every: timedelta
    delay: timedelta
    time_zone: str

    @property
    def look_back(self) -> timedelta:
        return max(3 * DAY, 8 * self.every)


def _task(name: str, template: str, what: str, settings: AlertSettings, home: str, **values: Any) -> FluxTask:
    script = render_script(
        f"monitoring/{template}.flux.j2", name=name, check_id=check_id(name), settings=settings, home=home, **values
    )
    return FluxTask(name=name, flux=script.text, source_map=script.source_map, description=what)


def _silences(settings: AlertSettings, tiers: Tiers, operations_bucket: str) -> list[tuple[str, Silence]]:
    raw = tiers.raw
    found: list[tuple[str, Silence]] = []
    events = {"bucket": raw.bucket, "measurement": raw.measurement, "field": "state_value"}
    if settings.stream_silence is not None:
        found.append(
            (
                "alert_stream_silent",
                Silence(
                    **events,
                    by=None,
                    expected=("",),
                    only_expected=False,
                    silence=settings.stream_silence,
                    look_back=WEEK,
                    what="no events at all",
                ),
            )
        )
    if settings.entity_silence is not None:
        found.append(
            (
                "alert_entity_silent",
                Silence(
                    **events,
                    by="entity_id",
                    expected=settings.entities,
                    only_expected=bool(settings.entities),
                    silence=settings.entity_silence,
                    look_back=WEEK + settings.entity_silence,
                    what="no events",
                ),
            )
        )
    if settings.record_silence is not None:
        found.append(
            (
                "alert_records_missing",
                Silence(
                    bucket=operations_bucket,
                    measurement=STORAGE_RECORD.name,
                    field="bytes",
                    by=None,
                    expected=("",),
                    only_expected=False,
                    silence=settings.record_silence,
                    look_back=WEEK,
                    what="hearthflux records nothing about itself (is 'hearthflux serve' running?)",
                ),
            )
        )
    return found


def _thresholds(settings: AlertSettings, operations_bucket: str) -> list[tuple[str, Threshold]]:
    look_back = 3 * RECORD_EVERY
    found = [
        (
            "alert_disk",
            Threshold(
                bucket=operations_bucket,
                measurement=DISK_RECORD.name,
                field="used_percent",
                warn=settings.disk_warn,
                critical=settings.disk_critical,
                look_back=look_back,
                what="percent of the space for the database is used",
            ),
        )
    ]
    if settings.dead_letters is not None:
        found.append(
            (
                "alert_dead_letters",
                Threshold(
                    bucket=operations_bucket,
                    measurement=SPOOL_RECORD.name,
                    field="dead_letters",
                    warn=None,
                    critical=float(settings.dead_letters),
                    look_back=look_back,
                    what="events were refused by the server for good",
                ),
            )
        )
    return found


def alert_tasks(
    settings: AlertSettings,
    tiers: Tiers,
    time_zone: str = "UTC",
    *,
    home: str = "home",
    prefix: str = "",
    offsets: Mapping[str, timedelta] = OFFSETS,
) -> Sequence[FluxTask]:
    """The tasks that watch a home, ready to be declared. `prefix` stands before their names and the bucket's; the
    statuses have the tag `home`."""
    own = prefix + OPERATIONS_BUCKET
    tasks = [
        _task(prefix + name, "silence", f"watches: {spec.what}", settings, home, spec=spec)
        for name, spec in _silences(settings, tiers, own)
    ]
    tasks += [
        _task(prefix + name, "threshold", f"watches: {spec.what}", settings, home, spec=spec)
        for name, spec in _thresholds(settings, own)
    ]
    if settings.summaries_late is not None:
        for tier in (tiers.hourly, tiers.daily):
            spec = LateSummaries(
                raw_bucket=tiers.raw.bucket,
                raw_measurement=tiers.raw.measurement,
                bucket=tier.bucket,
                measurement=tier.measurement,
                tier=tier.name,
                every=tier.every or HOUR,
                delay=offsets[tier.name] + settings.summaries_late,
                time_zone=time_zone if tier.name == "daily" else "UTC",
            )
            name = f"{prefix}alert_{tier.name}_late"
            tasks.append(
                _task(name, "late", f"watches: {tier.name} summaries that are late", settings, home, spec=spec)
            )
    if settings.health_checks:
        tasks.append(
            _task(
                prefix + "alert_unhealthy",
                "unhealthy",
                f"watches: what 'hearthflux serve' finds about {', '.join(settings.health_checks)}",
                settings,
                home,
                bucket=own,
                measurement=HEALTH_RECORD.name,
                look_back=3 * RECORD_EVERY,
            )
        )
    name = prefix + "alert_tasks_failed"
    # Only this home's tasks; without a prefix all of the organization's.
    tasks.append(_task(name, "failed", "watches: tasks whose last run failed", settings, home, prefix=prefix))
    return tasks
