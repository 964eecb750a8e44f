"""The server that holds the tiers, as backfill and repair need it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from influxdb_connection import Connection, ConnectionSettings, ServerProblem, Token

__all__ = ["ServerProblem", "SummaryServer"]

QUERY_TIMEOUT_SECONDS = 600.0
LINES_PER_WRITE = 5000


class SummaryServer(Connection):
    """One InfluxDB with the buckets of a home, and the patience that long computations take."""

    def __init__(
        self,
        *,
        url: str,
        token: Token = "",
        org: str,
        token_file: Path | str | None = None,
        ca_file: Path | str | None = None,
    ) -> None:
        super().__init__(
            ConnectionSettings(
                url=url, token=token, org=org, token_file=token_file, ca_file=ca_file, timeout=QUERY_TIMEOUT_SECONDS
            )
        )

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> SummaryServer:
        """From the INFLUXDB_* variables. Raises ServerProblem naming what is missing."""
        found = ConnectionSettings.from_env(environment)
        return cls(url=found.url, token=found.token, org=found.org, token_file=found.token_file, ca_file=found.ca_file)

    async def write_lines(self, bucket: str, lines: Sequence[str]) -> None:
        """Write line protocol with nanoseconds. Raises ServerProblem."""
        await self.open()
        for begin in range(0, len(lines), LINES_PER_WRITE):
            body = "\n".join(lines[begin : begin + LINES_PER_WRITE])
            try:
                await self.client.write_api().write(bucket=bucket, record=body)
            except Exception as error:
                raise self.problem(error) from None

    async def delete_row(
        self, bucket: str, measurement: str, time_ns: int, entity_id: str, domain: str, device_class: str
    ) -> None:
        """Delete what an entity has in a class at one instant; without a device class, all that it has in the domain:
        a predicate can't ask for a tag that is not there. Raises ServerProblem."""
        await self.open()
        moment = f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}Z"
        tags = {"_measurement": measurement, "entity_id": entity_id, "domain": domain, "device_class": device_class}
        predicate = " AND ".join(f"{name}={_quoted(value)}" for name, value in tags.items() if value)
        try:
            await self.client.delete_api().delete(moment, moment, predicate, bucket=bucket, org=self.org)
        except Exception as error:
            raise self.problem(error) from None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
