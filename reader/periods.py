"""Spans of time as a user writes them, and the whole windows they mean."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from event_schema.calendar import (
    DAY,
    HOUR,
    Period,
    Span,
    day_of,
    day_start,
    first_day,
    hours_between,
    next_first_day,
    periods_between,
)

Width = Literal["hour"] | Period
_DURATION = re.compile(r"(\d{1,6})(h|d|w|mo|y)\Z")
_DAYS = {"d": 1, "w": 7}
_MONTHS = {"mo": 1, "y": 12}


class InvalidQuery(ValueError):
    """A query that can't be asked; names what was given and what would be right."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A number of hours, days, weeks, months or years."""

    count: int
    unit: Literal["h", "d", "w", "mo", "y"]

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    def before_day(self, day: date) -> date:
        """The day so much earlier; hours are rounded up to days. A month without that day gives its last one."""
        if self.unit in _MONTHS:
            year, month = divmod(day.year * 12 + day.month - 1 - self.count * _MONTHS[self.unit], 12)
            return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
        days = -(-self.count // 24) if self.unit == "h" else self.count * _DAYS[self.unit]
        return day - days * DAY

    def before_hour(self, hour: datetime, zone: ZoneInfo) -> datetime:
        """The hour of UTC so much earlier: a day is 24 hours, a month one of the home's calendar."""
        if self.unit in _MONTHS:
            local = hour.astimezone(zone)
            day = self.before_day(local.date())
            earlier = local.replace(year=day.year, month=day.month, day=day.day).astimezone(UTC)
            return earlier.replace(minute=0, second=0, microsecond=0)
        return hour - self.count * (HOUR if self.unit == "h" else _DAYS[self.unit] * DAY)


def parse_duration(text: object) -> Duration:
    """`12h`, `30d`, `2w`, `6mo`, `1y` as a length of time. Raises InvalidQuery."""
    found = _DURATION.match(text.strip()) if isinstance(text, str) else None
    if found is None or int(found[1]) == 0:
        raise InvalidQuery(f"duration {text!r}: a number and h, d, w, mo or y, such as 12h, 30d or 2w, 6mo or 1y")
    return Duration(int(found[1]), found[2])  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which windows a query asks for: those of `width` that begin in [start, stop), aligned.

    `stop` is the start of the running window, or `now` where that one is asked for too. `most` is how many rows a
    duration may have at most, None for a span with bounds of its own. `statistics` says whether those of Home Assistant
    may stand in where there are no events.
    """

    width: Width
    start: datetime
    stop: datetime
    now: datetime
    zone: ZoneInfo
    most: int | None = None
    statistics: bool = True

    @property
    def running(self) -> bool:
        """Whether the window that `now` is in is one of them."""
        return self.stop > window_at(self.now, self.width, self.zone).start

    def windows(self) -> list[Span]:
        """The windows themselves; that which is running ends now."""
        return windows(self.start, self.stop, self.width, self.zone)


def windows(start: datetime, stop: datetime, width: Width, zone: ZoneInfo) -> list[Span]:
    """Every window of a width that shares time with [start, stop); the last one ends at `stop` at the latest."""
    return [one if one.stop <= stop else Span(one.start, stop) for one in _whole(start, stop, width, zone)]


def _whole(start: datetime, stop: datetime, width: Width, zone: ZoneInfo) -> list[Span]:
    return list(hours_between(start, stop) if width == "hour" else periods_between(start, stop, width, zone))


def window_at(moment: datetime, width: Width, zone: ZoneInfo) -> Span:
    """The whole window that an instant lies in."""
    if width == "hour":
        start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return Span(start, start + HOUR)
    first = first_day(day_of(moment, zone), width)
    return Span(day_start(first, zone), day_start(next_first_day(first, width), zone))


def _bound(given: date | datetime, name: str, zone: ZoneInfo) -> datetime:
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise InvalidQuery(f"{name} {given.isoformat()}: an instant needs a time zone; a date is a day of the home")
        return given.astimezone(UTC)
    if isinstance(given, date):
        return day_start(given, zone)
    raise InvalidQuery(f"{name} {given!r}: a date, or a datetime with a time zone")


def _said(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def asked(
    width: Width,
    duration: str,
    zone: ZoneInfo,
    *,
    now: datetime | None = None,
    start: date | datetime | None = None,
    stop: date | datetime | None = None,
    running: bool = False,
) -> Asked:
    """What a query means: `duration` back from the start of the running window, or the windows that share time with
    [start, stop), `stop` being now where it is not given. Raises InvalidQuery."""
    moment = datetime.now(UTC) if now is None else _bound(now, "now", zone)
    current = window_at(moment, width, zone).start
    last = moment if running else current
    if start is None:
        if stop is not None:
            raise InvalidQuery("a stop needs a start (--to needs --from): give both, or a duration")
        length = parse_duration(duration)
        try:
            if width == "hour":
                begin = length.before_hour(current, zone)
            else:
                begin = day_start(first_day(length.before_day(day_of(current, zone)), width), zone)
        except (OverflowError, ValueError):
            raise InvalidQuery(f"duration {duration!r} reaches back before the year 1") from None
        most = len(windows(begin, current, width, zone)) + (1 if running else 0)
        return Asked(width=width, start=begin, stop=last, now=moment, zone=zone, most=most)
    begin = _bound(start, "start", zone)
    if begin >= moment:
        raise InvalidQuery(f"the span begins {_said(begin, zone)}: that is not before now, {_said(moment, zone)}")
    end = moment if stop is None else _bound(stop, "stop", zone)
    if begin >= end:
        raise InvalidQuery(f"the span begins {_said(begin, zone)} and ends {_said(end, zone)}: it is empty")
    begin = window_at(begin, width, zone).start
    last = min(last, _whole(begin, end, width, zone)[-1].stop)
    return Asked(width=width, start=begin, stop=max(last, begin), now=moment, zone=zone)
