"""Days, weeks, months, seasons and years of a home: where each begins and ends, as instants in UTC.

Pure functions over `zoneinfo`. A day is a calendar day of the home's zone and so has 23 or 25 hours when the clocks
change; weeks begin on Monday (ISO 8601), seasons are meteorological (winter begins on December the first).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal

Period = Literal["day", "week", "month", "season", "year"]
PERIODS: tuple[Period, ...] = ("day", "week", "month", "season", "year")
Season = Literal["winter", "spring", "summer", "autumn"]
# By month; those of the northern half of the globe, as meteorologists name them.
_SEASONS: tuple[Season, ...] = ("winter",) * 2 + ("spring",) * 3 + ("summer",) * 3 + ("autumn",) * 3 + ("winter",)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time, start included, stop excluded, both aware."""

    start: datetime
    stop: datetime

    @property
    def seconds(self) -> float:
        return (self.stop - self.start).total_seconds()


def day_start(day: date, zone: tzinfo) -> datetime:
    """The instant in UTC at which a day of the zone begins.

    Where the clocks skip midnight that is the moment of the change, where midnight comes twice the first one.
    """
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def day_of(moment: datetime, zone: tzinfo) -> date:
    """The day of the zone that an aware instant lies in."""
    return moment.astimezone(zone).date()


def _month_later(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)


# First day of the period that a day lies in, and first day of the next period.
_FIRST: dict[Period, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - day.weekday() * DAY,
    "month": lambda day: day.replace(day=1),
    "season": lambda day: _month_later(day.replace(day=1), -(day.month % 3)),
    "year": lambda day: date(day.year, 1, 1),
}
_NEXT: dict[Period, Callable[[date], date]] = {
    "day": lambda first: first + DAY,
    "week": lambda first: first + 7 * DAY,
    "month": lambda first: _month_later(first, 1),
    "season": lambda first: _month_later(first, 3),
    "year": lambda first: date(first.year + 1, 1, 1),
}


def first_day(day: date, period: Period) -> date:
    """The first day of the week, month, season or year that `day` lies in (of a day: itself)."""
    return _FIRST[period](day)


def next_first_day(first: date, period: Period) -> date:
    """The first day of the period after the one that begins at `first`."""
    return _NEXT[period](first)


def season_of(day: date) -> Season:
    """The meteorological season: December to February is winter, and so on."""
    return _SEASONS[day.month - 1]


def periods_between(start: datetime, stop: datetime, period: Period, zone: tzinfo) -> Iterator[Span]:
    """Every period of the zone that shares time with [start, stop), in order.

    Raises ValueError for a bound without a time zone.
    """
    _check(start, stop)
    first = first_day(day_of(start, zone), period)
    while (begin := day_start(first, zone)) < stop:
        first = next_first_day(first, period)
        end = day_start(first, zone)
        # A zone that moved across the date line has a day without any time.
        if begin < end and end > start:
            yield Span(begin, end)


def hours_between(start: datetime, stop: datetime) -> Iterator[Span]:
    """Every hour of UTC that shares time with [start, stop), in order. Raises ValueError as above."""
    _check(start, stop)
    begin = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while begin < stop:
        yield Span(begin, begin + HOUR)
        begin += HOUR


def has_whole_hours(start: datetime, stop: datetime, zone: tzinfo) -> bool:
    """Whether every day of the zone in [start, stop] begins at a whole hour of UTC, so that hours add up to days."""
    day, last = day_of(start, zone), day_of(stop, zone)
    while day <= last:
        if day_start(day, zone).minute or day_start(day, zone).second:
            return False
        day += DAY
    return True


def _check(start: datetime, stop: datetime) -> None:
    if start.tzinfo is None or stop.tzinfo is None:
        raise ValueError("a span's bounds need a time zone")
