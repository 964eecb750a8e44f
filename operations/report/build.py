"""Everything that the report shows, gathered from a server, and the page made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from event_schema.operations_records import STORAGE_RECORD
from influxdb_connection import ServerProblem
from operations.health.checks import HealthReport
from operations.health.look import Look
from operations.report import home_sections, server_sections
from operations.report.home import HomeFigures, read_home
from operations.report.page import Page, Section
from operations.report.reading import PATTERN, YEAR
from operations.storage.advice import Recommendation, recommendations
from operations.storage.collect import collect_costs
from operations.storage.figures import StorageFigures
from templates.render import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`past_sizes` are recorded sizes of the database in bytes, by day; `storage` is None where it can't be seen."""

    at: datetime
    home: HomeFigures
    storage: StorageFigures | None
    past_sizes: Mapping[datetime, int]
    advice: Sequence[Recommendation]
    health: HealthReport

    def as_json(self) -> dict[str, Any]:
        """Plain values: times as ISO 8601, what is not a number as null."""
        return {
            "at": plain(self.at),
            "home": plain(self.home),
            "storage": None if self.storage is None else plain(self.storage.as_json()),
            "past_sizes": plain(self.past_sizes),
            "advice": [one.as_json() for one in self.advice],
            "health": plain(self.health.as_json()),
        }


def plain(value: object) -> Any:
    """Dataclasses, mappings, sequences and times as JSON has them."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    return value


async def past_sizes(look: Look, now: datetime) -> dict[datetime, int]:
    """The recorded sizes of the last year; empty where nothing is recorded or may be read."""
    try:
        rows = await look.server.rows(
            render(
                "monitoring/recorded_sizes.flux.j2",
                bucket=look.home.operations_bucket,
                measurement=STORAGE_RECORD.name,
                field="bytes",
                start=now - YEAR,
                stop=now,
            )
        )
    except ServerProblem:
        return {}
    return {row["_time"]: int(row["_value"]) for row in rows}


async def gather(
    look: Look,
    *,
    outdoor: str = "",
    pattern: timedelta = PATTERN,
    spool: Path | None = None,
    now: datetime | None = None,
) -> Report:
    """Look at the home and its server. Raises ServerProblem where the summaries can't be read."""
    moment = now or datetime.now(UTC)
    home = await read_home(
        look.server,
        zone=look.home.time_zone,
        tiers=look.home.tiers,
        outdoor=outdoor,
        pattern=pattern,
        spool=spool,
        now=moment,
    )
    health = await look.health(moment)
    storage = look.storage
    advice: Sequence[Recommendation] = ()
    if storage is not None:
        advice = recommendations(storage, await collect_costs(look.server, look.home, storage), look.home.tiers)
    return Report(
        at=moment,
        home=home,
        storage=storage,
        past_sizes=await past_sizes(look, moment),
        advice=advice,
        health=health,
    )


def page(report: Report, *, heading: str, lead: str, more: Sequence[Section] = (), footer: str) -> Page:
    """The page of a report; `more` are sections of the caller's, shown before storage and health."""
    tiles = home_sections.tiles(report.home)
    if report.storage is not None:
        tiles.append(server_sections.storage_tile(report.storage))
    tiles.append(server_sections.health_tile(report.health))
    return Page(
        title=f"hearthflux: {heading}",
        heading=heading,
        lead=lead,
        tiles=tiles,
        sections=[
            *home_sections.sections(report.home),
            *more,
            *server_sections.sections(report.storage, report.past_sizes, report.advice, report.health),
        ],
        footer=footer,
    )
