"""Which days are due, which are at risk, what a difference means: small tables, worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from operations.archive.manifest import DAY_NS, start_ns
from operations.archive.plan import Action, at_risk, decide, due_days, slices

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("stored", "archived", "replace", "action"),
    [
        ({}, None, False, Action.NOTHING),
        ({"a": 0}, None, False, Action.NOTHING),
        ({"a": 1}, None, False, Action.EXPORT),
        ({"a": 1}, {"a": 1}, False, Action.NOTHING),
        ({"a": 2}, {"a": 1}, False, Action.MERGE),
        ({"a": 1, "b": 1}, {"a": 1}, False, Action.MERGE),
        ({"a": 2, "b": 1}, {"a": 1, "b": 9}, False, Action.MERGE),
        ({"a": 1}, {"a": 1, "b": 1}, False, Action.KEEP),
        ({"a": 1}, {"a": 2}, False, Action.KEEP),
        ({"a": 1}, {"a": 2}, True, Action.EXPORT),
        ({}, {"a": 2}, True, Action.NOTHING),
    ],
)
def test_what_a_day_needs(
    stored: dict[str, int], archived: dict[str, int] | None, replace: bool, action: Action
) -> None:
    assert decide(stored, archived, replace=replace) is action


def test_due_days_begin_with_what_may_still_be_there_and_end_with_what_expires_soon() -> None:
    days = due_days(NOW, 365 * DAY, 7 * DAY, 30 * DAY)
    assert days[0] == date(2025, 11, 17)  # 365 + 7 days and an hour before now
    assert days[-1] == date(2025, 12, 24)
    assert len(days) == (days[-1] - days[0]).days + 1


def test_a_short_retention_makes_every_whole_day_due_and_today_never() -> None:
    days = due_days(NOW, 3 * DAY, DAY, 30 * DAY)
    assert days[-1] == date(2026, 11, 23)
    # In the first hour of a day, yesterday's last events may still be on their way.
    assert due_days(NOW.replace(hour=0, minute=30), 3 * DAY, DAY, 30 * DAY)[-1] == date(2026, 11, 22)


def test_nothing_is_due_where_nothing_expires() -> None:
    assert due_days(NOW, None, 7 * DAY, 30 * DAY) == []
    assert at_risk(NOW, None, {date(2020, 1, 1): {"a": 1}}, {}, 30 * DAY) == []


def test_days_at_risk_are_those_that_expire_soon_and_lack_something() -> None:
    soon, late, today = date(2025, 11, 26), date(2026, 6, 1), date(2026, 11, 24)
    stored = {soon: {"a": 2}, soon - DAY: {"a": 2}, soon - 2 * DAY: {"a": 2}, late: {"a": 2}, today: {"a": 1}}
    archived = {soon - DAY: {"a": 2}, soon - 2 * DAY: {"a": 1}}
    assert at_risk(NOW, 365 * DAY, stored, archived, 7 * DAY) == [soon - 2 * DAY, soon]
    assert at_risk(NOW, 365 * DAY, stored, archived, DAY) == [soon - 2 * DAY]


@pytest.mark.parametrize(
    ("counts", "most", "longest_hours", "hours"),
    [
        ([0] * 24, 10, 24, [24]),
        ([1] * 24, 100, 24, [24]),
        ([1] * 24, 100, 168, [24]),
        ([10] * 24, 60, 24, [6, 6, 6, 6]),
        ([0] * 23 + [100], 50, 24, [23, 0.5, 0.5]),
        ([30, 0, 0] + [0] * 21, 10, 24, [1 / 3, 1 / 3, 1 / 3, 23]),
        ([1] * 24, 100, 6, [6, 6, 6, 6]),
    ],
)
def test_slices_hold_about_as_much_and_cover_the_day(
    counts: list[int], most: int, longest_hours: int, hours: list[float]
) -> None:
    start = start_ns(date(2026, 1, 5))
    found = slices(start, counts, most=most, longest=longest_hours * 3600 * 10**9)
    assert [(stop - begin) / 3.6e12 for begin, stop in found] == pytest.approx(hours)
    assert [begin for begin, _ in found] == [start, *(stop for _, stop in found[:-1])]
    assert found[-1][1] == start + DAY_NS
