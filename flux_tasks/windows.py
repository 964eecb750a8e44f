"""Which windows a span of time has: pure functions of the spec, the span, now, and the retentions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from event_schema.calendar import Span, hours_between, periods_between
from flux_tasks.specs import Downsample

Window = Span


def windows_between(spec: Downsample, start: datetime, stop: datetime) -> Iterator[Window]:
    """Every window of the spec that shares time with [start, stop); a day has 23 to 25 hours in its zone."""
    if spec.hourly:
        return hours_between(start, stop)
    return periods_between(start, stop, "day", ZoneInfo(spec.home_zone))


def due(
    windows: Iterator[Window], now: datetime, source_retention: timedelta | None, target_retention: timedelta | None
) -> tuple[list[Window], int]:
    """The windows that can be computed, and how many can't because their source or their place has expired.

    A window that is still running is not due. One whose source is partly past its retention would overwrite a
    good summary with a partial one: it is never computed.
    """
    kept: list[Window] = []
    expired = 0
    oldest = max((now - one for one in (source_retention, target_retention) if one is not None), default=None)
    for window in windows:
        if window.stop > now:
            continue
        if oldest is not None and window.start < oldest:
            expired += 1
        else:
            kept.append(window)
    return kept, expired
