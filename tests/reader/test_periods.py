"""What a duration and a span mean, worked out by hand; settings of the reader."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reader import InvalidQuery, ReaderError, ReaderSettings, parse_duration
from reader.periods import asked

ENVIRONMENT = {"INFLUXDB_URL": "http://127.0.0.1:8086", "INFLUXDB_TOKEN": "a-secret", "INFLUXDB_ORG": "home"}
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 3, 30, 10, 37, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("12h", date(2026, 3, 30)),
        ("25h", date(2026, 3, 29)),
        (" 3d ", date(2026, 3, 28)),
        ("2w", date(2026, 3, 17)),
        ("1mo", date(2026, 2, 28)),
        ("13mo", date(2025, 2, 28)),
        ("25mo", date(2024, 2, 29)),
        ("1y", date(2025, 3, 31)),
    ],
)
def test_durations_in_days_months_and_years(text: str, day: date) -> None:
    assert parse_duration(text).before_day(date(2026, 3, 31)) == day


@pytest.mark.parametrize(
    "text", ["", "1x", "0d", "-1d", "24", "1.5h", "d", "1 d", None, 7, "9999999d", "1d\n|> yield()"]
)
def test_what_is_no_duration_is_a_sentence(text: Any) -> None:
    with pytest.raises(InvalidQuery, match="such as 12h, 30d or 2w"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("width", "duration", "start", "windows"),
    [
        # "1d" of hours is 24 of them, counted back from the start of the running one, over the clock change too.
        ("hour", "1d", "2026-03-29T10:00", 24),
        ("hour", "1mo", "2026-02-28T11:00", 30 * 24 - 1),
        # 2026-03-29 has 23 hours in Amsterdam: it begins at 23:00 UTC, the next day at 22:00 UTC.
        ("day", "1d", "2026-03-28T23:00", 1),
        ("day", "30d", "2026-02-27T23:00", 30),
        ("week", "3w", "2026-03-08T23:00", 3),
        ("week", "20d", "2026-03-08T23:00", 3),
        ("month", "1y", "2025-02-28T23:00", 12),
        ("month", "1d", "2026-01-31T23:00", 1),
        ("season", "1y", "2025-02-28T23:00", 4),
        ("year", "2y", "2023-12-31T23:00", 2),
    ],
)
def test_whole_windows_are_counted_back_from_the_running_one(
    width: Any, duration: str, start: str, windows: int
) -> None:
    span = asked(width, duration, AMSTERDAM, now=NOW)
    assert span.start == at(start)
    assert len(span.windows()) == span.most == windows
    assert not span.running
    running = asked(width, duration, AMSTERDAM, now=NOW, running=True)
    assert (running.start, running.stop, running.running) == (span.start, NOW, True)
    assert len(running.windows()) == running.most == windows + 1


def test_a_span_of_its_own_takes_whole_windows_up_to_the_running_one() -> None:
    span = asked("day", "", AMSTERDAM, now=NOW, start=date(2026, 3, 1), stop=at("2026-03-03T12:00"))
    assert [one.start for one in span.windows()] == [
        at("2026-02-28T23:00"),
        at("2026-03-01T23:00"),
        at("2026-03-02T23:00"),
    ]
    assert span.windows()[-1].stop == at("2026-03-03T23:00")
    months = asked("month", "", AMSTERDAM, now=NOW, start=date(2026, 1, 10))
    assert [one.start for one in months.windows()] == [at("2025-12-31T23:00"), at("2026-01-31T23:00")]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"start": date(2026, 3, 2), "stop": date(2026, 3, 2)}, "it is empty"),
        ({"start": datetime(2026, 3, 2)}, "needs a time zone"),
        ({"start": "2026-03-02"}, "a date, or a datetime with a time zone"),
        ({"stop": date(2026, 3, 2)}, "a stop needs a start"),
        ({"start": date(2026, 4, 2)}, "not before now"),
        ({"duration": "3000y"}, "before the year 1"),
    ],
)
def test_spans_that_can_not_be_are_sentences(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidQuery, match=sentence):
        asked("day", given.pop("duration", "1d"), AMSTERDAM, now=NOW, **given)


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
        ({"HOME_HEMISPHERE": "west"}, "north or south"),
    ],
)
def test_wrong_settings_are_sentences_without_the_token(changed: dict[str, str], sentence: str) -> None:
    with pytest.raises((InvalidQuery, ReaderError), match=sentence) as caught:
        ReaderSettings.from_env({**ENVIRONMENT, **changed})
    assert "a-secret" not in str(caught.value)


def test_settings_never_show_the_token_and_may_be_the_writers() -> None:
    from writer import WriterSettings

    assert "a-secret" not in repr(ReaderSettings.from_env(ENVIRONMENT))
    like = ReaderSettings.like(WriterSettings(url="http://127.0.0.1:1", token="a-secret", org="home"))
    assert (like.url, like.connection.current_token()) == ("http://127.0.0.1:1", "a-secret")


def test_a_duration_is_a_length_of_the_clock_for_hours() -> None:
    hour = at("2026-03-29T10:00")
    assert parse_duration("2d").before_hour(hour, AMSTERDAM) == hour - timedelta(hours=48)
    # A month earlier by the home's clock, which had not changed yet.
    assert parse_duration("1mo").before_hour(hour, AMSTERDAM) == at("2026-02-28T11:00")
