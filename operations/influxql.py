"""InfluxQL over the server's v1 endpoint: whole points, each value with the exact type that is stored.

The answer is MessagePack: an integer, a float, an empty text and an absent field are four different things, and a
series' tags are told once. Flux would tell one row per field, and reads a series wrong whose block of texts begins
with an empty one. The endpoint knows the organization from the token, and answers an unknown bucket with nothing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgpack

from influxdb_connection import ConnectionSettings, ServerProblem
from influxdb_connection.errors import answered, unreachable

CHUNK_ROWS = 5000
READ_SECONDS = 600.0
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=READ_SECONDS)


@dataclass(frozen=True, slots=True)
class Series:
    """Some rows of one series: `columns` begins with `time` (nanoseconds) where points were asked for."""

    measurement: str
    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Any]]


def identifier(name: str) -> str:
    """A measurement, tag or field as InfluxQL quotes it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def rfc3339(time_ns: int) -> str:
    """With all nine digits: datetime has six."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


class InfluxQL:
    """Queries with one token. Use as an async context manager."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self.url = settings.url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"InfluxQL(url={self.url!r})"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Token {self._settings.current_token()}"},
            timeout=TIMEOUT,
            trust_env=True,
            connector=aiohttp.TCPConnector(ssl=self._settings.tls()),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        """A JSON answer of the server's API; empty where it says "not found". Raises ServerProblem."""
        if self._session is None:
            raise RuntimeError("use InfluxQL as an async context manager")
        try:
            async with self._session.get(self.url + path, params=query) as answer:
                text = await answer.text(errors="replace")
                if answer.status == 404:
                    return {}
                if answer.status != 200:
                    raise answered(self.url, self._settings.org, answer.status, text)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(self.url, error, READ_SECONDS) from None
        found: dict[str, Any] = json.loads(text)
        return found

    async def delete(self, bucket: str, org: str, measurement: str, start: int, stop: int) -> None:
        """Delete a measurement's points from `start` to `stop`, both included, in nanoseconds. Raises ServerProblem."""
        if self._session is None:
            raise RuntimeError("use InfluxQL as an async context manager")
        body = {"start": rfc3339(start), "stop": rfc3339(stop), "predicate": f"_measurement={identifier(measurement)}"}
        try:
            async with self._session.post(
                f"{self.url}/api/v2/delete", params={"org": org, "bucket": bucket}, json=body
            ) as answer:
                if answer.status != 204:
                    raise answered(self.url, org, answer.status, await answer.text(errors="replace"))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(self.url, error, READ_SECONDS) from None

    async def series(self, query: str, *, database: str, policy: str) -> AsyncIterator[Series]:
        """The answer of one statement, piece by piece; memory holds one piece. Raises ServerProblem."""
        if self._session is None:
            raise RuntimeError("use InfluxQL as an async context manager")
        form = {"q": query, "db": database, "rp": policy, "epoch": "ns", "chunked": "true"}
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=2**31 - 1)
        try:
            async with self._session.post(
                f"{self.url}/query",
                data=form | {"chunk_size": str(CHUNK_ROWS)},
                headers={"Accept": "application/x-msgpack"},
            ) as answer:
                if answer.status != 200:
                    raise answered(self.url, self._settings.org, answer.status, await answer.text(errors="replace"))
                async for block in answer.content.iter_any():
                    unpacker.feed(block)
                    for part in unpacker:
                        for found in self._parts(part):
                            yield found
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(self.url, error, READ_SECONDS) from None
        except (msgpack.UnpackException, ValueError) as error:
            raise ServerProblem(f"InfluxDB at {self.url} sent an answer that can't be read: {error}") from None

    def _parts(self, part: dict[str, Any]) -> list[Series]:
        found = []
        for result in [part, *part.get("results", [])]:
            if result.get("error"):
                raise ServerProblem(f"InfluxDB at {self.url} refused a query: {result['error']}")
            for one in result.get("series") or []:
                tags = {name: value for name, value in one.get("tags", {}).items() if value}
                found.append(Series(one.get("name", ""), tags, one["columns"], one["values"]))
        return found
