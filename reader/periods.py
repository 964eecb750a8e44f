"""Spans of time as a user writes them, and the whole windows they mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_DURATION = re.compile(r"(\d{1,7})(h|d|w)\Z")
_UNIT = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
HOUR = timedelta(hours=1)


class InvalidQuery(ValueError):
    """A query that can't be asked; names what was given and what would be right."""


def parse_duration(text: str) -> timedelta:
    """`12h`, `30d`, `2w` as a length of time. Raises InvalidQuery."""
    found = _DURATION.match(text.strip()) if isinstance(text, str) else None
    length = int(found[1]) * _UNIT[found[2]] if found else timedelta(0)
    if found is None or length <= timedelta(0):
        raise InvalidQuery(f"duration {text!r}: a number and h, d or w, such as 12h, 30d or 2w")
    return length


def hours_before(now: datetime, length: timedelta) -> tuple[datetime, int]:
    """Where the last hours begin that cover `length`, and how many they are; `now`'s own hour is not one of them."""
    hours = -(-length // HOUR)
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - hours * HOUR, hours


def days_before(now: datetime, length: timedelta, time_zone: str) -> tuple[datetime, int]:
    """Likewise in days of the home's time zone."""
    days = -(-length // timedelta(days=1))
    zone = ZoneInfo(time_zone)
    first = now.astimezone(zone).date() - timedelta(days=days)
    return datetime(first.year, first.month, first.day, tzinfo=zone).astimezone(UTC), days
