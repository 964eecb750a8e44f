"""Reads the summaries back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from event_schema import Tier
from influxdb_connection import Connection
from reader.periods import InvalidQuery, days_before, hours_before, parse_duration
from reader.rows import SummaryRow, rows_from
from reader.settings import ReaderSettings
from templates.render import render


class SummaryReader:
    """Queries over the summary tiers. Use as an async context manager, or call `close`."""

    def __init__(self, settings: Any = None) -> None:
        """`settings` is a ReaderSettings, or anything with url, token and org such as WriterSettings; None takes the
        environment's."""
        if settings is None:
            settings = ReaderSettings.from_env()
        elif not isinstance(settings, ReaderSettings):
            settings = ReaderSettings.like(settings)
        self.settings: ReaderSettings = settings
        self._connection = Connection(settings.connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next query opens new ones."""
        await self._connection.close()

    async def query_hourly_summaries(
        self, entity_id: str, duration: str = "1d", *, now: datetime | None = None
    ) -> list[SummaryRow]:
        """The newest hours of an entity, oldest first, at most as many as `duration` has.

        Counted back from the start of the hour that `now` is in: "1d" at 10:37 is the 24 hours from 10:00 to
        10:00, so 24 rows where every hour had events (hours without events have no row). Should the running hour
        be stored already, it takes the place of the oldest. Raises InvalidQuery, ReaderError.
        """
        moment = now or datetime.now(UTC)
        start, most = hours_before(moment, parse_duration(duration))
        return (await self._summaries(self.settings.tiers.hourly, entity_id, start, moment))[-most:]

    async def query_daily_summaries(
        self, entity_id: str, duration: str = "30d", *, now: datetime | None = None
    ) -> list[SummaryRow]:
        """The newest days of an entity in the home's time zone, oldest first; "30d" gives at most 30 rows.

        Counted back from the start of today, as with hours. Raises InvalidQuery, ReaderError.
        """
        moment = now or datetime.now(UTC)
        start, most = days_before(moment, parse_duration(duration), self.settings.time_zone)
        return (await self._summaries(self.settings.tiers.daily, entity_id, start, moment))[-most:]

    async def _summaries(self, tier: Tier, entity_id: str, start: datetime, stop: datetime) -> list[SummaryRow]:
        if not isinstance(entity_id, str) or not entity_id.strip():
            raise InvalidQuery(f"entity_id {entity_id!r}: a name like sensor.kitchen_temperature")
        flux = render(
            "queries/summaries.flux.j2",
            bucket=tier.bucket,
            measurement=tier.measurement,
            entity_id=entity_id,
            start=start,
            # A query at the very start of an hour still has a range.
            stop=max(stop, start + timedelta(seconds=1)),
        )
        return rows_from(await self.records(flux))

    async def records(self, flux: str) -> list[dict[str, Any]]:
        """The rows of any Flux query. Raises ReaderError."""
        return await self._connection.rows(flux)
