"""One connection to an InfluxDB: Flux in, rows out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from influxdb_connection.annotated_csv import QueryFailed, Row, parse
from influxdb_connection.errors import ServerProblem, answered, unreachable
from influxdb_connection.settings import ConnectionSettings


def _import_client() -> Any:
    # Up to a second on a slow machine (it loads numpy where that is installed): never on the event loop.
    import aiohttp
    from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
    from influxdb_client.rest import ApiException
    from influxdb_client.service.buckets_service import BucketsService

    return InfluxDBClientAsync, BucketsService, aiohttp.ClientTimeout, ApiException, aiohttp.ClientError


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _reason(error: Any) -> str:
    """What the server said: the `message` of its JSON, else the body."""
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body or str(error.reason or "")


class Connection:
    """Opened by the first request, or as an async context manager; `close` ends it, and the next request opens it
    again. Every error is a ServerProblem."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self._client: Any = None
        self._buckets: Any = None
        self._opening = asyncio.Lock()
        self._refused: type[Exception] = Exception
        self._broken: type[Exception] = OSError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(url={self.url!r}, org={self.org!r})"

    @property
    def url(self) -> str:
        return self.settings.url

    @property
    def org(self) -> str:
        return self.settings.org

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Make the client; nothing is sent yet."""
        async with self._opening:
            if self._client is not None:
                return
            settings = self.settings
            client, buckets, timeout, self._refused, self._broken = await asyncio.to_thread(_import_client)
            self._client = client(
                url=settings.url,
                token=settings.current_token(),
                org=settings.org,
                timeout=timeout(total=settings.timeout),
                ssl_context=await asyncio.to_thread(settings.tls),
            )
            self._buckets = buckets(self._client.api_client)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    @property
    def client(self) -> Any:
        """The InfluxDBClientAsync underneath, for calls that are not here. Only while the connection is open."""
        if self._client is None:
            raise RuntimeError(f"{type(self).__name__} is not open: use it as an async context manager")
        return self._client

    async def rows(self, flux: str, instant: Callable[[str], Any] = datetime.fromisoformat) -> list[Row]:
        """The rows of a Flux query, each with its columns and `result`; `instant` reads its times. Raises
        ServerProblem."""
        await self.open()
        try:
            return parse(await self._client.query_api().query_raw(flux), instant)
        except QueryFailed as error:
            raise ServerProblem(f"InfluxDB at {self.url} refused a query: {error}") from None
        except Exception as error:
            raise self.problem(error) from None

    def problem(self, error: Exception) -> ServerProblem:
        """An error of the client as a sentence; one that is none of the network's or the server's is raised again."""
        if isinstance(error, ServerProblem):
            return error
        if isinstance(error, self._refused) and getattr(error, "status", None):
            return answered(self.url, self.org, error.status, _reason(error))  # type: ignore[attr-defined]
        if isinstance(error, (self._broken, TimeoutError, OSError)):
            return unreachable(self.url, error, self.settings.timeout)
        raise error

    async def retentions(self, buckets: Iterable[str]) -> dict[str, timedelta | None]:
        """How long each of these buckets keeps points, None for ever; without those that the token may not see.

        Asked for by name: a listing is cut into pages before the server leaves out what a token may not see, so a
        token of one home misses its own buckets in an organization of many. Raises ServerProblem.
        """
        await self.open()
        found: dict[str, timedelta | None] = {}
        for name in dict.fromkeys(buckets):
            try:
                answer = await self._buckets.get_buckets_async(org=self.org, name=name)
            except Exception as error:
                if getattr(error, "status", None) == 404 and "bucket" in _reason(error):
                    continue
                raise self.problem(error) from None
            for bucket in answer.buckets:
                seconds = bucket.retention_rules[0].every_seconds if bucket.retention_rules else 0
                found[bucket.name] = timedelta(seconds=seconds) if seconds else None
        return found

    async def retention(self, bucket: str) -> timedelta | None:
        """How long a bucket keeps points; None for ever. Raises ServerProblem where there is no such bucket."""
        found = await self.retentions([bucket])
        if bucket not in found:
            raise ServerProblem(
                f"There is no bucket {bucket!r} in organization {self.org!r} at {self.url} that this token may read"
            )
        return found[bucket]

    async def delete(self, bucket: str, measurement: str, start: datetime, stop: datetime) -> None:
        """Delete a measurement's points in [start, stop]. Raises ServerProblem."""
        await self.open()
        try:
            await self._client.delete_api().delete(
                _instant(start), _instant(stop), f'_measurement="{measurement}"', bucket=bucket, org=self.org
            )
        except Exception as error:
            raise self.problem(error) from None
