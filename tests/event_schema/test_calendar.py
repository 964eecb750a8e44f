"""Days, weeks, months, seasons and years of a home, worked out by hand; rows of longer spans beside plain Python."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from event_schema import Event
from event_schema.calendar import Period, first_day, has_whole_hours, next_first_day, periods_between, season_of
from event_schema.roll_up import merged, roll_up
from tests.reference import NS, Home, ns


@pytest.mark.parametrize(
    ("day", "period", "first", "after"),
    [
        ("2026-03-01", "week", "2026-02-23", "2026-03-02"),  # a Sunday: its week began on Monday
        ("2026-01-01", "week", "2025-12-29", "2026-01-05"),
        ("2024-02-29", "month", "2024-02-01", "2024-03-01"),
        ("2025-12-01", "season", "2025-12-01", "2026-03-01"),
        ("2026-02-28", "season", "2025-12-01", "2026-03-01"),
        ("2026-03-01", "season", "2026-03-01", "2026-06-01"),
        ("2026-11-30", "season", "2026-09-01", "2026-12-01"),
        ("2026-12-31", "year", "2026-01-01", "2027-01-01"),
    ],
)
def test_where_a_period_begins(day: str, period: Period, first: str, after: str) -> None:
    found = first_day(date.fromisoformat(day), period)
    assert (found, next_first_day(found, period)) == (date.fromisoformat(first), date.fromisoformat(after))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Amsterdam", "2026-03-29", 23),
        ("Europe/Amsterdam", "2026-10-25", 25),
        ("America/Havana", "2026-03-08", 23),  # midnight itself is skipped
        ("America/Havana", "2026-11-01", 25),  # midnight comes twice
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Kolkata", "2026-06-01", 24),
    ],
)
def test_how_long_a_day_is(zone: str, day: str, hours: float) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone))
    (span,) = periods_between(noon, noon + timedelta(minutes=1), "day", ZoneInfo(zone))
    assert span.seconds == hours * 3600


def test_a_day_that_a_zone_left_out_is_none() -> None:
    """Samoa crossed the date line: there was no 30 December 2011."""
    start = datetime(2011, 12, 29, 12, tzinfo=UTC)
    days = list(periods_between(start, start + timedelta(days=2), "day", ZoneInfo("Pacific/Apia")))
    assert [day.seconds for day in days] == [86_400, 86_400, 86_400]
    assert all(one.stop == other.start for one, other in pairwise(days))


@pytest.mark.parametrize(
    ("zone", "whole"), [("UTC", True), ("America/New_York", True), ("Asia/Kathmandu", False), ("Asia/Kolkata", False)]
)
def test_which_days_are_made_of_hours(zone: str, whole: bool) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert has_whole_hours(start, start + timedelta(days=365), ZoneInfo(zone)) is whole


def test_seasons_and_bounds_without_a_zone() -> None:
    assert [season_of(date(2026, month, 1)) for month in (1, 3, 8, 11, 12)] == [
        "winter",
        "spring",
        "summer",
        "autumn",
        "winter",
    ]
    with pytest.raises(ValueError, match="need a time zone"):
        list(periods_between(datetime(2026, 1, 1), datetime(2026, 1, 2), "day", ZoneInfo("UTC")))


def test_a_week_of_days_is_the_week_of_the_raw_events() -> None:
    """Silent days hold what was said before, the 25-hour day is one of them; an eighth silent day does not."""
    zone = ZoneInfo("Europe/Amsterdam")
    said = [("2026-10-18T20:00", 1.0), ("2026-10-20T09:30", 0.0), ("2026-10-23T12:00", 1.0), ("2026-11-01T08:00", 0.0)]
    events = [
        Event(
            time_ns=ns(datetime.fromisoformat(at).replace(tzinfo=UTC)),
            entity_id="binary_sensor.door",
            state_value="x",
            normalized_value=value,
        )
        for at, value in said
    ]
    home = Home(events, "Europe/Amsterdam")
    rows = {datetime.fromtimestamp(key[3] // NS, UTC): row for key, row in home.daily().items()}
    days = list(periods_between(datetime(2026, 10, 12, tzinfo=UTC), datetime(2026, 11, 2, 12, tzinfo=UTC), "day", zone))
    (week,) = periods_between(datetime(2026, 10, 21, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC), "week", zone)
    until = [day for day in days if day.stop <= week.stop]
    found = roll_up(rows, until, week.start, zone, "binary_sensor")
    (expected,) = home.rows([(ns(week.start), ns(week.stop))]).values()
    assert found is not None
    assert found.keys() == expected.keys()
    assert all(found[name] == pytest.approx(value, rel=1e-9) for name, value in expected.items())
    assert found["covered_seconds"] == week.seconds == 7 * 86_400 + 3600
    # Of 31 October, the eighth day after the 23rd, nothing is known, and on 1 November nothing before 8 o'clock.
    longer = roll_up(rows, days, week.start, zone, "binary_sensor")
    assert longer is not None
    assert longer["covered_seconds"] == 12 * 86_400 + 3600 + (15 + 24) * 3600


def test_two_classes_of_one_window_are_one_row() -> None:
    before = {"value_count": 1, "sum_value": 21.0, "first_value": 21.0, "last_value": 21.0, "last_holds": 0.0}
    after = {"value_count": 3, "sum_value": 150.0, "first_value": 49.0, "last_value": 51.0, "last_holds": 1.0}
    row = merged([after, before])
    assert (row["first_value"], row["last_value"], row["last_holds"], row["avg_value"]) == (21.0, 51.0, 1.0, 42.75)
