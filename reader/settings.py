"""Where the summaries are, and what a day is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from event_schema import TIERS, Tiers
from influxdb_connection import ConnectionSettings, Token
from reader.patterns import Hemisphere
from reader.periods import InvalidQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSettings:
    """Where the summaries are. `read_timeout` in seconds; `time_zone` (IANA) decides what a day is, `hemisphere` what
    the seasons are called.

    `token`, `token_file` and `ca_file` as in ConnectionSettings. Raises WrongConnection, InvalidQuery when made wrong.
    """

    url: str
    token: Token = field(default="", repr=False)
    org: str
    read_timeout: float = 10.0
    time_zone: str = "UTC"
    hemisphere: Hemisphere = "north"
    tiers: Tiers = TIERS
    token_file: Path | str | None = None
    ca_file: Path | str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.read_timeout, bool) or not self.read_timeout > 0:
            raise InvalidQuery(f"read_timeout {self.read_timeout} has to be more than 0 seconds")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidQuery(f"time zone {self.time_zone!r} is not an IANA name such as Europe/Amsterdam") from None
        if self.hemisphere not in get_args(Hemisphere):
            raise InvalidQuery(f"hemisphere {self.hemisphere!r}: north or south")
        _ = self.connection

    @property
    def connection(self) -> ConnectionSettings:
        return ConnectionSettings(
            url=self.url,
            token=self.token,
            org=self.org,
            timeout=self.read_timeout,
            token_file=self.token_file,
            ca_file=self.ca_file,
        )

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> ReaderSettings:
        """From the INFLUXDB_* variables of a connection, INFLUXDB_READ_TIMEOUT, HOME_TIME_ZONE, HOME_HEMISPHERE and
        HOME_BUCKET_PREFIX."""
        timeout = environment.get("INFLUXDB_READ_TIMEOUT", "").strip() or "10"
        try:
            seconds = float(timeout)
        except ValueError:
            raise InvalidQuery(f"INFLUXDB_READ_TIMEOUT is {timeout!r}: a number of seconds") from None
        found = ConnectionSettings.from_env(environment)
        return cls(
            url=found.url,
            token=found.token,
            org=found.org,
            token_file=found.token_file,
            ca_file=found.ca_file,
            read_timeout=seconds,
            time_zone=environment.get("HOME_TIME_ZONE", "").strip() or "UTC",
            hemisphere=environment.get("HOME_HEMISPHERE", "").strip() or "north",  # type: ignore[arg-type]
            tiers=TIERS.prefixed(environment.get("HOME_BUCKET_PREFIX", "").strip()),
        )

    @classmethod
    def like(cls, other: Any) -> ReaderSettings:
        """From anything with url, token and org, such as WriterSettings."""
        return cls(
            url=other.url,
            token=other.token,
            org=other.org,
            token_file=getattr(other, "token_file", None),
            ca_file=getattr(other, "ca_file", None),
        )
