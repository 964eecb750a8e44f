"""Which windows are due: worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flux_tasks import Window, downsamples, windows_between
from flux_tasks.windows import due

HOURLY, DAILY = downsamples(time_zone="Europe/Amsterdam")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_hours_are_whole_and_the_end_is_excluded() -> None:
    windows = list(windows_between(HOURLY, at("2026-01-01T10:30"), at("2026-01-01T12:00")))
    assert windows == [
        Window(at("2026-01-01T10:00"), at("2026-01-01T11:00")),
        Window(at("2026-01-01T11:00"), at("2026-01-01T12:00")),
    ]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_days_length_is_the_homes(day: str, hours: int) -> None:
    noon = at(f"{day}T12:00")
    (window,) = windows_between(DAILY, noon, noon + timedelta(minutes=1))
    assert window.stop - window.start == timedelta(hours=hours)
    assert window.start == datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(DAILY.time_zone))


def test_running_and_expired_windows_are_not_due() -> None:
    now = at("2026-01-03T10:30")
    windows = windows_between(HOURLY, at("2026-01-01T00:00"), at("2026-01-04T00:00"))
    kept, expired = due(windows, now, timedelta(days=1), timedelta(days=700))
    # The window of 10:00 two days ago begins before now - 1 day: its source is partly gone.
    assert kept[0].start == at("2026-01-02T11:00")
    assert kept[-1].stop == at("2026-01-03T10:00")
    assert expired == 24 + 11
