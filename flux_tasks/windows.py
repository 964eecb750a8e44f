"""Which windows a span of time has: pure functions of the spec, the span, now, and the retentions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from flux_tasks.specs import HOUR, Downsample


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One window, start included, stop excluded, both aware."""

    start: datetime
    stop: datetime


def windows_between(spec: Downsample, start: datetime, stop: datetime) -> Iterator[Window]:
    """Every window of the spec that shares time with [start, stop); a day has 23 to 25 hours in its zone."""
    if start.tzinfo is None or stop.tzinfo is None:
        raise ValueError("a span's bounds need a time zone")
    if spec.every == HOUR:
        begin = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        while begin < stop:
            yield Window(begin, begin + HOUR)
            begin += HOUR
        return
    zone = ZoneInfo(spec.time_zone)
    day = start.astimezone(zone).date()
    while (begin := datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)) < stop:
        day += timedelta(days=1)
        yield Window(begin, datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


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


def runs(windows: list[Window], longest: int) -> Iterator[list[Window]]:
    """Neighbouring windows together, at most `longest` of them."""
    run: list[Window] = []
    for window in windows:
        if run and (run[-1].stop != window.start or len(run) == longest):
            yield run
            run = []
        run.append(window)
    if run:
        yield run
