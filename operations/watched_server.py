"""The server that the commands look after: the INFLUXDB_* variables' one, else the local one; and what it answers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

from influxdb_connection import Connection, ConnectionSettings, ServerProblem
from influxdb_connection.errors import answered, unreachable
from operations.errors import UserError
from stacks.settings import DEFAULT_ORGANIZATION

PAGE = 100
NAMING_VARIABLES = ("INFLUXDB_URL", "INFLUXDB_TOKEN", "INFLUXDB_TOKEN_FILE")


class Refused(ServerProblem):
    """The server answered with an error. `status` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class WatchedBucket:
    """A bucket as the server has it; `retention` None keeps for ever."""

    id: str
    name: str
    retention: timedelta | None
    shard_group_duration: timedelta
    is_system: bool = False


def find_settings(
    environment: Mapping[str, str] = os.environ, *, org: str = DEFAULT_ORGANIZATION, timeout: float = 30.0
) -> ConnectionSettings:
    """From the INFLUXDB_* variables; where none of them names a server, the running local one with its operator token.

    `org` is taken where INFLUXDB_ORG is not set. Raises UserError, WrongConnection.
    """
    chosen = {**environment, "INFLUXDB_ORG": environment.get("INFLUXDB_ORG", "").strip() or org}
    if any(environment.get(name, "").strip() for name in NAMING_VARIABLES):
        return ConnectionSettings.from_env(chosen, timeout=timeout)
    from operations.server_commands import local_server

    server = local_server()
    if server.pid is None:
        raise UserError(
            "No server is named and the local one does not run: set INFLUXDB_URL, INFLUXDB_TOKEN and INFLUXDB_ORG "
            "('hearthflux env' prints them), or start it with 'hearthflux server start'."
        )
    return ConnectionSettings(url=server.url, token=server.token, org=chosen["INFLUXDB_ORG"], timeout=timeout)


class WatchedServer(Connection):
    """One server, its organization and token: API calls, Flux queries, metrics. Use as an async context manager."""

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """The body of a GET. Raises Refused where the server says no, ServerProblem where there is no answer."""
        return await self.request("GET", path, query)

    async def call(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The parsed JSON of a GET. Raises as `get` does."""
        return json.loads(await self.get(path, query))

    async def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, *, token: str | None = None
    ) -> bytes:
        """A request without a body, with another token where one is given. Raises as `get` does."""
        settings = self.settings
        headers = {"Authorization": f"Token {settings.current_token() if token is None else token}"}
        try:
            async with (
                aiohttp.ClientSession(
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=settings.timeout),
                    connector=aiohttp.TCPConnector(ssl=settings.tls()),
                ) as session,
                session.request(method, settings.url + path, params=query) as answer,
            ):
                body = await answer.read()
                if answer.status < 300:
                    return body
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(settings.url, error, settings.timeout) from None
        raise Refused(str(answered(settings.url, settings.org, status, _message(body))), status)

    async def metrics_text(self) -> str:
        """The server's own /metrics. Raises ServerProblem."""
        try:
            return (await self.get("/metrics")).decode()
        except Refused as error:
            raise ServerProblem(
                f"GET {self.url}/metrics was answered {error.status}: sizes come from there; is it switched off "
                "(--metrics-disabled) or kept back by a proxy?"
            ) from None

    async def write(self, bucket: str, lines: str) -> None:
        """Write line protocol, times in nanoseconds. Raises ServerProblem."""
        await self.open()
        try:
            await self.client.write_api().write(bucket, self.org, lines)
        except Exception as error:
            raise self.problem(error) from None

    async def buckets(self) -> list[WatchedBucket]:
        """The buckets of the organization that the token may see. Raises ServerProblem."""
        found: list[WatchedBucket] = []
        while True:
            page = (await self.call("/api/v2/buckets", self._page(len(found))))["buckets"]
            found += [_bucket(one) for one in page]
            if len(page) < PAGE:
                return found

    def _page(self, offset: int) -> dict[str, str]:
        return {"org": self.org, "limit": str(PAGE), "offset": str(offset)}


def _message(body: bytes) -> str:
    text = body.decode(errors="replace")
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text


def _bucket(answer: Mapping[str, Any]) -> WatchedBucket:
    rule = (answer.get("retentionRules") or [{}])[0]
    seconds = int(rule.get("everySeconds", 0))
    return WatchedBucket(
        answer["id"],
        answer["name"],
        timedelta(seconds=seconds) if seconds else None,
        timedelta(seconds=int(rule.get("shardGroupDurationSeconds", 0))),
        answer.get("type") == "system",
    )
