"""The server that holds the tiers, as backfill and repair need it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from influxdb_connection import Connection, ConnectionSettings, ServerProblem, Token

__all__ = ["ServerProblem", "SummaryServer"]

QUERY_TIMEOUT_SECONDS = 600.0


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
