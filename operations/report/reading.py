"""The queries behind the report: which entities there are, and their summaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from event_schema import Tiers
from event_schema.calendar import first_day, season_of
from influxdb_connection import Connection
from influxdb_connection.annotated_csv import Row
from templates.render import render

OUTSIDE_WORDS = ("outdoor", "outside", "exterior", "garden", "balcony", "terrace")
HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=366)
PATTERN = timedelta(weeks=8)


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """An entity by its latest event; `unit` as Home Assistant reports it."""

    entity_id: str
    domain: str
    device_class: str
    area: str
    device_name: str
    unit: str
    last_event: datetime

    @property
    def title(self) -> str:
        return self.entity_id.partition(".")[2].replace("_", " ").capitalize()

    @property
    def place(self) -> str:
        return (self.area or self.title).replace("_", " ").capitalize()

    @property
    def is_outside(self) -> bool:
        words = f"{self.area} {self.entity_id}".lower()
        return any(word in words for word in OUTSIDE_WORDS)


@dataclass(frozen=True, slots=True)
class Value:
    mean: float
    low: float
    high: float
    seconds: float


Series = dict[str, dict[datetime, Value]]


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else float("nan")


def season_name(day: date) -> str:
    """Such as `Winter 2025/26`: a winter has its December's year first."""
    first = first_day(day, "season")
    name = season_of(day).capitalize()
    return f"{name} {first.year}/{(first.year + 1) % 100:02d}" if first.month == 12 else f"{name} {first.year}"


class Reading:
    """The queries behind the figures."""

    def __init__(self, connection: Connection, tiers: Tiers) -> None:
        self._connection = connection
        self._tiers = tiers

    async def newest(self, tier: str, now: datetime) -> datetime | None:
        chosen = self._tiers[tier]
        flux = render(
            "monitoring/newest_window.flux.j2",
            bucket=chosen.bucket,
            measurement=chosen.measurement,
            start=now - (chosen.retention or timedelta(days=36_500)),
            stop=now,
        )
        rows = await self._connection.rows(flux)
        return rows[0]["_time"] if rows else None

    async def entities(self, start: datetime, stop: datetime) -> dict[str, EntityInfo]:
        raw = self._tiers.raw
        flux = render(
            "monitoring/entities.flux.j2", bucket=raw.bucket, measurement=raw.measurement, start=start, stop=stop
        )
        tags: dict[str, Row] = {}
        units: dict[str, str] = {}
        for row in await self._connection.rows(flux):
            if row["_field"] == "unit_of_measurement":
                units[row["entity_id"]] = row["_value"]
            else:
                tags[row["entity_id"]] = row
        return {
            entity: EntityInfo(
                entity_id=entity,
                domain=row.get("domain") or "",
                device_class=row.get("device_class") or "",
                area=row.get("area") or "",
                device_name=row.get("device_name") or "",
                unit=units.get(entity, ""),
                last_event=row["_time"],
            )
            for entity, row in tags.items()
        }

    async def events(self, start: datetime, stop: datetime, zone: ZoneInfo) -> dict[str, dict[date, int]]:
        daily = self._tiers.daily
        flux = render(
            "monitoring/events_by_domain.flux.j2",
            bucket=daily.bucket,
            measurement=daily.measurement,
            start=start,
            stop=stop,
        )
        found: dict[str, dict[date, int]] = defaultdict(dict)
        for row in await self._connection.rows(flux):
            found[row["domain"]][row["_time"].astimezone(zone).date()] = int(row["_value"])
        return found

    async def counts(self, start: datetime, stop: datetime) -> dict[str, dict[str, int]]:
        """entity -> `event_count` and `value_count` over the span."""
        daily = self._tiers.daily
        flux = render(
            "monitoring/quality.flux.j2", bucket=daily.bucket, measurement=daily.measurement, start=start, stop=stop
        )
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for row in await self._connection.rows(flux):
            found[row["entity_id"]][row["_field"]] = int(row["_value"])
        return found

    async def fields(
        self, tier: str, fields: Sequence[str], entities: Sequence[str], start: datetime, stop: datetime
    ) -> dict[str, dict[datetime, dict[str, float]]]:
        """entity -> window start -> field -> value."""
        found: dict[str, dict[datetime, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
        if not entities:
            return found
        chosen = self._tiers[tier]
        flux = render(
            "monitoring/class_rows.flux.j2",
            bucket=chosen.bucket,
            measurement=chosen.measurement,
            fields=fields,
            entities=entities,
            start=start,
            stop=stop,
        )
        for row in await self._connection.rows(flux):
            found[row["entity_id"]][row["_time"]][row["_field"]] = row["_value"]
        return found

    async def values(self, tier: str, entities: Sequence[str], start: datetime, stop: datetime) -> Series:
        """The mean over time where it is known, else the mean of the events."""
        wanted = ("time_weighted_avg", "covered_seconds", "avg_value", "min_value", "max_value")
        found: Series = {}
        for entity, rows in (await self.fields(tier, wanted, entities, start, stop)).items():
            series: dict[datetime, Value] = {}
            for moment, row in rows.items():
                mean = row.get("time_weighted_avg", row.get("avg_value"))
                if mean is not None:
                    low, high = row.get("min_value", mean), row.get("max_value", mean)
                    series[moment] = Value(mean, min(low, mean), max(high, mean), row.get("covered_seconds", 1.0))
            found[entity] = series
        return found
