"""What a duration means, worked out by hand; settings and rows of the reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reader import InvalidQuery, ReaderError, ReaderSettings, parse_duration
from reader.periods import days_before, hours_before
from reader.rows import rows_from

ENVIRONMENT = {"INFLUXDB_URL": "http://127.0.0.1:8086", "INFLUXDB_TOKEN": "a-secret", "INFLUXDB_ORG": "home"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def record(moment: str, **values: Any) -> dict[str, Any]:
    return {"_time": at(moment), "entity_id": "sensor.a", "domain": "sensor", **values}


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("1d", 24), ("2w", 336), (" 3d ", 72)])
def test_durations(text: str, hours: int) -> None:
    assert parse_duration(text) == timedelta(hours=hours)


def test_a_day_counts_back_from_the_start_of_the_running_hour() -> None:
    assert hours_before(at("2026-03-02T10:37"), timedelta(days=1)) == (at("2026-03-01T10:00"), 24)
    assert hours_before(at("2026-03-02T10:00"), timedelta(days=1)) == (at("2026-03-01T10:00"), 24)


def test_days_count_back_from_the_homes_midnight_over_a_clock_change() -> None:
    # 2026-03-29 has 23 hours in Amsterdam: its midnight is 23:00 UTC, the next one 22:00 UTC.
    start, days = days_before(at("2026-03-30T10:00"), timedelta(days=1), "Europe/Amsterdam")
    assert (start, days) == (at("2026-03-28T23:00"), 1)
    start, days = days_before(at("2026-03-29T22:30"), timedelta(days=1), "Europe/Amsterdam")
    assert (start, days) == (at("2026-03-28T23:00"), 1)


def test_a_window_with_two_device_classes_is_one_row() -> None:
    common = {"event_count": 2.0, "value_count": 2.0}
    (row,) = rows_from(
        [
            record("2026-03-01T10:00", device_class="", sum_value=2.0, min_value=0.5, max_value=1.5, **common),
            record("2026-03-01T10:00", device_class="power", sum_value=10.0, min_value=4.0, max_value=6.0, **common),
        ]
    )
    assert (row.event_count, row.value_count, row.device_class) == (4, 4, "power")
    assert (row.avg_value, row.min_value, row.max_value, row.total_energy) == (3.0, 0.5, 6.0, None)


def test_rows_are_in_order_of_time_and_texts_have_no_numbers() -> None:
    rows = rows_from([record("2026-03-01T11:00", event_count=1.0), record("2026-03-01T10:00", event_count=3.0)])
    assert [row.event_count for row in rows] == [3, 1]
    assert {row.avg_value for row in rows} == {None}


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(ReaderError, match=name):
        ReaderSettings.from_env({**ENVIRONMENT, name: " "})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"INFLUXDB_URL": "127.0.0.1:8086"}, "http://"),
        ({"INFLUXDB_READ_TIMEOUT": "soon"}, "a number of seconds"),
        ({"INFLUXDB_READ_TIMEOUT": "0"}, "more than 0 seconds"),
        ({"HOME_TIME_ZONE": "Europe/Nowhere"}, "IANA name"),
    ],
)
def test_wrong_settings_are_sentences_without_the_token(changed: dict[str, str], sentence: str) -> None:
    with pytest.raises((InvalidQuery, ReaderError), match=sentence) as caught:
        ReaderSettings.from_env({**ENVIRONMENT, **changed})
    assert "a-secret" not in str(caught.value)


def test_settings_never_show_the_token() -> None:
    assert "a-secret" not in repr(ReaderSettings.from_env(ENVIRONMENT))
