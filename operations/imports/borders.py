"""From when on each tier takes a part of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from event_schema.calendar import day_of, day_start
from operations.imports.existing import to_ns
from operations.imports.summarise import Row

# Long enough for an import to end before its oldest raw day is past its retention.
MARGIN = timedelta(days=1)
TOO_OLD = "older than any summary is kept"


@dataclass(frozen=True, slots=True)
class Borders:
    """From when on each tier takes something, in nanoseconds; `raw` is a midnight of the home."""

    raw: int
    hourly: int
    daily: int

    @classmethod
    def at(cls, now: datetime, retentions: Mapping[str, timedelta | None], zone: tzinfo) -> Borders:
        def since(tier: str) -> int:
            kept = retentions[tier]
            return 0 if kept is None else to_ns(now - kept)

        kept = retentions["raw"]
        if kept is None:
            return cls(0, since("hourly"), since("daily"))
        oldest = now - kept + min(MARGIN, kept / 10)
        first_day = day_of(oldest, zone) + timedelta(days=1)
        return cls(to_ns(day_start(first_day, zone)), since("hourly"), since("daily"))

    def takes(self, row: Row) -> bool:
        return row.time_ns >= (self.hourly if row.tier == "hourly" else self.daily)

    @property
    def oldest(self) -> int:
        """Nothing before this ends up anywhere."""
        return min(self.raw, self.hourly, self.daily) if self.raw else 0

    def parts(self, start_ns: int, stop_ns: int) -> list[tuple[int, int]]:
        """The span cut at the border, so that no slice lies on both sides of it."""
        if start_ns < self.raw < stop_ns:
            return [(start_ns, self.raw), (self.raw, stop_ns)]
        return [(start_ns, stop_ns)] if start_ns < stop_ns else []
