"""One question to the reader on its way to the server: which tiers may be read, what came from where."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from event_schema import Tier, Tiers
from event_schema.home_assistant import DAILY_STATISTICS, HOURLY_STATISTICS
from influxdb_connection import Connection, ServerProblem
from reader.periods import InvalidQuery, Width, window_at
from templates.render import render

KNOWN_SECONDS = 600.0
# What is read beside a tier's rows from events (`hearthflux import recorder`), by the tier's name.
STATISTICS = {"hourly": HOURLY_STATISTICS.name, "daily": DAILY_STATISTICS.name}
BEGINNING = datetime.fromisoformat("0001-01-02T00:00:00+00:00")
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Retained:
    """How long each bucket keeps its points and which tiers have statistics, as the server says; asked again after
    KNOWN_SECONDS."""

    connection: Connection
    _kept: dict[str, tuple[timedelta | None, float]] = field(default_factory=dict)
    _statistics: dict[str, tuple[bool, float]] = field(default_factory=dict)

    async def of(self, bucket: str) -> timedelta | None:
        """None for ever. Raises ServerProblem where the token sees no such bucket."""
        known = self._kept.get(bucket)
        if known is None or time.monotonic() >= known[1]:
            known = await self.connection.retention(bucket), time.monotonic() + KNOWN_SECONDS
            self._kept[bucket] = known
        return known[0]

    async def statistics(self, tier: Tier) -> bool:
        """Whether a tier's bucket has rows from statistics at all: most homes have none to read. Raises
        ServerProblem."""
        known = self._statistics.get(tier.bucket)
        if known is None or time.monotonic() >= known[1]:
            script = render("queries/measurements.flux.j2", bucket=tier.bucket, start=EPOCH, stop=datetime.now(UTC))
            found = any(row["_value"] == STATISTICS[tier.name] for row in await self.connection.rows(script))
            known = self._statistics[tier.bucket] = (found, time.monotonic() + KNOWN_SECONDS)
        return known[0]


@dataclass(slots=True)
class Asking:
    """The scripts of one query, and what they brought."""

    connection: Connection
    tiers: Tiers
    retained: Retained
    requests: int = 0
    tier_rows: dict[str, int] = field(default_factory=dict)
    note: str = ""

    async def rows(
        self,
        template: str,
        tier: Tier | None = None,
        instant: Callable[[str], Any] = datetime.fromisoformat,
        **values: Any,
    ) -> list[dict[str, Any]]:
        """The rows of a template of `queries/`, counted for the tier it reads. Raises ServerProblem."""
        self.requests += 1
        given = values if tier is None else {"tier": tier, **values}
        found = await self.connection.rows(render(f"queries/{template}.flux.j2", **given), instant)
        if tier is not None:
            statistics = sum(row["result"] == "statistics" for row in found)
            self._count(tier.name, len(found) - statistics)
            if statistics:
                self._count(f"{tier.name}_statistics", statistics)
        return found

    def _count(self, name: str, rows: int) -> None:
        self.tier_rows[name] = self.tier_rows.get(name, 0) + rows

    async def oldest(self, tier: Tier, now: datetime, width: Width, zone: ZoneInfo) -> datetime:
        """The start of the first window of which the tier still keeps every point. Raises ServerProblem."""
        kept = await self.retained.of(tier.bucket)
        if kept is None or kept > now - BEGINNING:
            return BEGINNING
        window = window_at(now - kept, width, zone)
        return window.start if window.start == now - kept else window.stop

    async def reach(self, now: datetime, width: Width, zone: ZoneInfo) -> datetime:
        """The start of the first window that any tier can still give. Raises ServerProblem."""
        able = self.tiers[:2] if width == "hour" else self.tiers
        oldest = [await self.oldest(able[-1], now, "hour" if width == "hour" else "day", zone)]
        for tier in able[:-1]:
            with suppress(ServerProblem):
                oldest.append(await self.oldest(tier, now, "hour" if width == "hour" else "day", zone))
        return min(oldest)


def check_entity(entity_id: object) -> str:
    """The entity's id itself. Raises InvalidQuery."""
    if not isinstance(entity_id, str) or not entity_id.strip() or "\x00" in entity_id:
        raise InvalidQuery(f"entity_id {entity_id!r}: a name like sensor.kitchen_temperature")
    return entity_id.strip()
