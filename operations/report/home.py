"""What the summaries say of a home: flows, temperatures and energy over day, week, season and year.

Reads through a Connection with a token that may read every tier. Everything is in the home's time zone; spans end
where the newest hour of the data ends, so that a home that is silent still shows its last day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from event_schema import TIERS, Tiers
from influxdb_connection import Connection
from operations.report.energy import Energy, read_energy
from operations.report.quality import Quality, read_quality
from operations.report.reading import HOUR, PATTERN, YEAR, Reading
from operations.report.temperatures import Temperatures, choose_outdoor, read_temperatures


@dataclass(frozen=True, slots=True)
class Flows:
    """Events by domain and day of the home."""

    by_day: Mapping[str, Mapping[date, int]]
    entities: int

    @property
    def days(self) -> int:
        """How many days have events."""
        return len({day for days in self.by_day.values() for day in days})

    @property
    def events(self) -> int:
        return sum(sum(days.values()) for days in self.by_day.values())


@dataclass(frozen=True, slots=True)
class HomeFigures:
    """Everything above; `until` is the end of the newest hour with data, None for an empty database."""

    zone: str
    until: datetime | None
    flows: Flows
    temperatures: Temperatures
    energy: Energy
    quality: Quality


async def read_home(
    connection: Connection,
    *,
    zone: str = "UTC",
    tiers: Tiers = TIERS,
    outdoor: str = "",
    pattern: timedelta = PATTERN,
    spool: Path | None = None,
    now: datetime | None = None,
) -> HomeFigures:
    """The figures of a home. `outdoor` names the entity of the temperature outdoors, else it is found by name or area.

    `pattern` is the span over which hours of the day and of the week are averaged, `spool` the writer's
    queue. Raises ServerProblem.
    """
    home_zone = ZoneInfo(zone)
    reading = Reading(connection, tiers)
    moment = now or datetime.now(UTC)
    newest = await reading.newest("hourly", moment)
    if newest is None:
        return HomeFigures(zone, None, Flows({}, 0), Temperatures(), Energy(), Quality())
    until = newest + HOUR
    entities = await reading.entities(until - timedelta(days=30), moment)
    flows = Flows(await reading.events(until - YEAR, moment, home_zone), len(entities))
    return HomeFigures(
        zone=zone,
        until=until,
        flows=flows,
        temperatures=await read_temperatures(
            reading, entities, outdoor or choose_outdoor(entities.values()), until, home_zone, pattern
        ),
        energy=await read_energy(reading, entities, until, home_zone, pattern),
        quality=await read_quality(reading, entities, until, spool),
    )
