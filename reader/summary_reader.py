"""Reads the summaries back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from event_schema import TIERS, Tier, Tiers
from reader.periods import InvalidQuery, days_before, hours_before, parse_duration
from reader.rows import SummaryRow, rows_from
from templates.render import render

_VARIABLES = ("INFLUXDB_URL", "INFLUXDB_TOKEN", "INFLUXDB_ORG")


class ReaderError(Exception):
    """The server can't be reached or refuses the query; a sentence without the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSettings:
    """Where the summaries are. `read_timeout` in seconds; `time_zone` (IANA) decides what a day is."""

    url: str
    token: str = field(repr=False)
    org: str
    read_timeout: float = 10.0
    time_zone: str = "UTC"
    tiers: Tiers = TIERS

    def __post_init__(self) -> None:
        for name in ("url", "token", "org"):
            if not getattr(self, name):
                raise InvalidQuery(f"{name} is empty: the reader needs the server's url, a token and the organization")
        if not self.url.startswith(("http://", "https://")):
            raise InvalidQuery(f"url {self.url!r} has to begin with http:// or https://")
        if self.read_timeout <= 0:
            raise InvalidQuery(f"read_timeout {self.read_timeout} has to be more than 0 seconds")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidQuery(f"time zone {self.time_zone!r} is not an IANA name such as Europe/Amsterdam") from None

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> ReaderSettings:
        """From INFLUXDB_URL, INFLUXDB_TOKEN, INFLUXDB_ORG, INFLUXDB_READ_TIMEOUT and HOME_TIME_ZONE."""
        missing = [name for name in _VARIABLES if not environment.get(name, "").strip()]
        if missing:
            raise InvalidQuery(f"{', '.join(missing)} not set: the reader needs the server, a token, the organization")
        url, token, org = (environment[name].strip() for name in _VARIABLES)
        timeout = environment.get("INFLUXDB_READ_TIMEOUT", "").strip() or "10"
        try:
            seconds = float(timeout)
        except ValueError:
            raise InvalidQuery(f"INFLUXDB_READ_TIMEOUT is {timeout!r}: a number of seconds") from None
        zone = environment.get("HOME_TIME_ZONE", "").strip() or "UTC"
        return cls(url=url, token=token, org=org, read_timeout=seconds, time_zone=zone)


class SummaryReader:
    """Queries over the summary tiers. Use as an async context manager, or call `close`."""

    def __init__(self, settings: Any = None) -> None:
        """`settings` is a ReaderSettings, or anything with url, token and org such as WriterSettings; None takes the
        environment's."""
        if settings is None:
            settings = ReaderSettings.from_env()
        elif not isinstance(settings, ReaderSettings):
            token = settings.token() if callable(settings.token) else settings.token
            settings = ReaderSettings(url=settings.url, token=token, org=settings.org)
        self.settings: ReaderSettings = settings
        self._client: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next query opens new ones."""
        if self._client is not None:
            await self._client.close()
            self._client = None

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
        """The records of any Flux query. Raises ReaderError."""
        import aiohttp
        from influxdb_client.client.flux_csv_parser import FluxQueryException
        from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
        from influxdb_client.rest import ApiException

        settings = self.settings
        if self._client is None:
            self._client = InfluxDBClientAsync(
                url=settings.url, token=settings.token, org=settings.org, timeout=int(settings.read_timeout * 1000)
            )
        try:
            tables = await self._client.query_api().query(flux)
        except ApiException as error:
            if error.status == 401:
                raise ReaderError(f"InfluxDB at {settings.url} does not know this token (INFLUXDB_TOKEN)") from None
            raise ReaderError(f"InfluxDB at {settings.url} answered {error.status}: {error.message}") from None
        except FluxQueryException as error:
            raise ReaderError(f"InfluxDB at {settings.url} refused the query: {error.message}") from None
        except TimeoutError:
            raise ReaderError(f"InfluxDB at {settings.url} gave no answer in {settings.read_timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ReaderError(f"No answer from InfluxDB at {settings.url}: {error}") from None
        return [record.values for table in tables for record in table.records]
