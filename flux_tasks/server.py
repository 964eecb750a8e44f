"""The server that holds the tiers, as backfill and repair need it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import aiohttp
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.flux_csv_parser import FluxQueryException
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

from templates.render import flux_string, flux_time

VARIABLES = ("INFLUXDB_URL", "INFLUXDB_TOKEN", "INFLUXDB_ORG")
QUERY_TIMEOUT_SECONDS = 600


class ServerProblem(Exception):
    """The server can't be reached or refuses; the message is for a person and never holds the token."""


class SummaryServer:
    """One InfluxDB with the buckets of a home. Use as an async context manager."""

    def __init__(self, *, url: str, token: str, org: str) -> None:
        self.url = url
        self.org = org
        self._token = token
        self._client: InfluxDBClientAsync | None = None

    def __repr__(self) -> str:
        return f"SummaryServer(url={self.url!r}, org={self.org!r})"

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> SummaryServer:
        """From INFLUXDB_URL, INFLUXDB_TOKEN and INFLUXDB_ORG. Raises ServerProblem naming what is missing."""
        missing = [name for name in VARIABLES if not environment.get(name, "").strip()]
        if missing:
            raise ServerProblem(f"{', '.join(missing)} not set: the server, a token that may read and write, the org")
        url, token, org = (environment[name].strip() for name in VARIABLES)
        return cls(url=url, token=token, org=org)

    async def __aenter__(self) -> Self:
        self._client = InfluxDBClientAsync(
            url=self.url, token=self._token, org=self.org, timeout=QUERY_TIMEOUT_SECONDS * 1000
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]
            self._client = None

    @property
    def client(self) -> InfluxDBClientAsync:
        if self._client is None:
            raise RuntimeError("use SummaryServer as an async context manager")
        return self._client

    async def rows(self, flux: str) -> list[dict[str, Any]]:
        """The rows of a Flux query, each with its columns and `result`. Raises ServerProblem."""
        try:
            tables = await self.client.query_api().query(flux)
        except (TimeoutError, ApiException, InfluxDBError, FluxQueryException, aiohttp.ClientError) as error:
            raise self.problem(error) from None
        return [record.values for table in tables for record in table.records]

    def problem(self, error: BaseException) -> ServerProblem:
        """The error as a sentence."""
        if isinstance(error, FluxQueryException):
            return ServerProblem(f"InfluxDB at {self.url} refused a query: {error.message}")
        status = getattr(error, "status", None)
        if status == 401:
            return ServerProblem(f"InfluxDB at {self.url} does not know this token: INFLUXDB_TOKEN is wrong or revoked")
        if status is not None:
            reason = getattr(error, "message", None) or getattr(error, "body", None) or error
            return ServerProblem(f"InfluxDB at {self.url} answered {status}: {str(reason)[:400]}")
        return ServerProblem(f"No answer from InfluxDB at {self.url}: {str(error) or type(error).__name__}")

    async def retention(self, bucket: str) -> timedelta | None:
        """How long a bucket keeps points; None for ever. Raises ServerProblem where there is no such bucket."""
        rows = await self.rows(
            f"buckets() |> filter(fn: (r) => r.name == {flux_string(bucket)})"
            ' |> keep(columns: ["name", "retentionPeriod"])'
        )
        if not rows:
            raise ServerProblem(
                f"There is no bucket {bucket!r} in organization {self.org!r} at {self.url} that this token may read"
            )
        nanoseconds = int(rows[0]["retentionPeriod"])
        return timedelta(microseconds=nanoseconds // 1000) if nanoseconds else None

    async def delete(self, bucket: str, measurement: str, start: datetime, stop: datetime) -> None:
        """Delete a measurement's points in [start, stop]."""
        predicate = f'_measurement="{measurement}"'
        try:
            await self.client.delete_api().delete(
                flux_time(start), flux_time(stop), predicate, bucket=bucket, org=self.org
            )
        except (TimeoutError, ApiException, InfluxDBError, aiohttp.ClientError) as error:
            raise self.problem(error) from None
