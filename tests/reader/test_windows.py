"""Hours to years of an entity against plain Python: over the seams of the tiers, clock changes and odd zones."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from event_schema.calendar import Period, periods_between
from reader import SummaryReader, SummaryRow
from reader.rows import FIELD_NAMES, summed_from
from tests.reader.conftest import Home, MakeHome, around
from tests.reader.reference import Said, day_begins, local_day, summary

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Two winters and the 29th of February 2024; both clock changes of the year; the running day is a Tuesday.
BEGIN = datetime(2023, 11, 20, 5, 0, tzinfo=UTC)
NOW = datetime(2025, 4, 1, 10, 37, 12, tzinfo=UTC)
ZONES = ("Europe/Amsterdam", "Australia/Lord_Howe", "America/St_Johns")


def moments(rng: random.Random, per_day: float, begin: datetime = BEGIN) -> list[datetime]:
    """Irregular, with bursts in one second, gaps of hours and now and then of days."""
    found, moment = [], begin
    while moment < NOW:
        found.append(moment.replace(microsecond=rng.randrange(1_000_000)))
        gap = rng.choice([0.5, 60, 3000, 86_400 / per_day * rng.uniform(0.2, 2.2)])
        moment += timedelta(seconds=gap if rng.random() > 0.01 else rng.uniform(2, 12) * 86_400)
    return sorted(set(found))


def lives(rng: random.Random) -> dict[str, list[Said]]:
    """Entities of every sort."""
    temperature = [Said(at, str(round(rng.uniform(-12, 30), 2)), "temperature") for at in moments(rng, 5)]
    meter, level = [], 100.0
    for at in moments(rng, 4):
        level = rng.uniform(0, 2) if rng.random() < 0.02 else level + rng.choice([-0.01, 0, rng.uniform(0, 3)])
        meter.append(Said(at, f"{level:.3f}", "energy", energy=round(rng.uniform(0, 0.4), 4)))
    door = [Said(at, rng.choice(["on", "off", "off", "unavailable"]), "door") for at in moments(rng, 1.5)]
    text = [Said(at, rng.choice(["heat", "idle"])) for at in moments(rng, 1)]
    silent = [Said(at, str(rng.randrange(5)), "humidity") for at in moments(rng, 3) if at < NOW - 120 * DAY]
    new = [Said(at, str(rng.randrange(5))) for at in moments(rng, 40, NOW - 5 * HOUR)]
    return {
        "sensor.outdoor": temperature,
        "sensor.meter": meter,
        "binary_sensor.door": door,
        "climate.hall": text,
        "sensor.silent": silent,
        "light.new": new,
    }


class Lived:
    def __init__(self, home: Home, said: dict[str, list[Said]]) -> None:
        self.home, self.said, self.zone = home, said, home.zone

    def expected(self, entity_id: str, spans: Sequence[tuple[datetime, datetime]]) -> dict[datetime, dict[str, float]]:
        domain = entity_id.partition(".")[0]
        rows = {}
        for start, stop in spans:
            stop = min(stop, NOW)
            values = summary(domain, around(self.said[entity_id], start, stop), start, stop, self.zone)
            if values is not None:
                rows[start] = values
        return rows


@pytest.fixture(scope="module", params=ZONES)
def lived(request: pytest.FixtureRequest, make_home: MakeHome) -> Lived:
    home = make_home(request.param)
    said = lives(random.Random(request.param))
    today = day_begins(local_day(NOW, home.zone), home.zone)
    for entity_id, told in said.items():
        home.live(entity_id, told, days_until=today - DAY / 2, hours_until=NOW.replace(hour=7, minute=0, second=0))
    home.write()
    return Lived(home, said)


def same(rows: Sequence[SummaryRow], wanted: dict[datetime, dict[str, float]]) -> None:
    assert [row.time for row in rows] == sorted(wanted)
    for row in rows:
        values: dict[str, Any] = {name: getattr(row, name) for name in FIELD_NAMES}
        found = {name: value for name, value in values.items() if value not in (None, 0) or name in wanted[row.time]}
        assert found.keys() == {name for name, value in wanted[row.time].items() if value != 0} | {
            name for name in found if wanted[row.time].get(name) == 0
        }, (row.entity_id, row.time)
        for name, value in wanted[row.time].items():
            close = values[name] == value if name.endswith("_count") else near(values[name], value, row)
            assert close, (row.entity_id, row.time.isoformat(), name, values[name], value)


def near(found: float, wanted: float, row: SummaryRow) -> bool:
    """Relative to the terms that were added up: a sum of cold and warm days may be near 0."""
    scale = max(abs(row.max_value or 0), abs(row.min_value or 0), 1.0) * 1e-9
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=scale if abs(wanted) < 1e5 else 1e-3 * scale)


PERIODS: tuple[tuple[str, Period, str], ...] = (
    ("query_daily_summaries", "day", "400d"),
    ("query_weekly_summaries", "week", "60w"),
    ("query_monthly_summaries", "month", "17mo"),
    ("query_seasonal_summaries", "season", "2y"),
    ("query_yearly_summaries", "year", "3y"),
)


@pytest.mark.parametrize(("query", "period", "duration"), PERIODS, ids=[f"{one[1]}-{one[2]}" for one in PERIODS])
async def test_every_period_is_what_the_raw_events_give(
    lived: Lived, query: str, period: Period, duration: str
) -> None:
    async with lived.home.reader() as reader:
        for entity_id in lived.said:
            rows = await getattr(reader, query)(entity_id, duration, now=NOW, running=True)
            spans = [(one.start, one.stop) for one in periods_between(BEGIN - 900 * DAY, NOW, period, lived.zone)]
            wanted = lived.expected(entity_id, spans)
            first = min((row.time for row in rows), default=NOW)
            same(rows, {start: values for start, values in wanted.items() if start >= first})
            assert len(rows) >= min(len(wanted), 3)
            running = [row for row in rows if not row.complete]
            assert all(row.stop == NOW for row in running)
            assert len(running) <= 1


async def test_hours_cross_from_stored_to_raw(lived: Lived) -> None:
    """Stored until 07:00, raw after that; the running hour as far as it has come."""
    start = NOW.replace(minute=0, second=0) - 72 * HOUR
    async with lived.home.reader() as reader:
        for entity_id in lived.said:
            rows = await reader.query_hourly_summaries(entity_id, "72h", now=NOW, running=True)
            spans = [(start + n * HOUR, start + (n + 1) * HOUR) for n in range(73)]
            same(rows, lived.expected(entity_id, spans))


async def test_without_running_only_whole_windows(lived: Lived) -> None:
    async with lived.home.reader() as reader:
        days = await reader.query_daily_summaries("sensor.outdoor", "30d", now=NOW)
        assert all(row.complete for row in days)
        assert days[-1].stop <= day_begins(local_day(NOW, lived.zone), lived.zone)
        hours = await reader.query_hourly_summaries("light.new", "1d", now=NOW)
        assert max(row.stop for row in hours) <= NOW.replace(minute=0, second=0)


async def test_only_the_tiers_that_are_needed_are_read(lived: Lived) -> None:
    """A span up to a day that is stored is one script; its end brings the finer tiers in."""
    spoke = max(one.at for one in lived.said["sensor.outdoor"] if one.at < NOW - 40 * DAY)
    end = day_begins(local_day(spoke, lived.zone) + 1, lived.zone)
    async with lived.home.reader() as reader:
        await reader.query_daily_summaries("sensor.outdoor", start=end - 365 * DAY, stop=end, now=NOW)
        assert reader.stats.last is not None
        assert (set(reader.stats.last.tiers), reader.stats.last.requests) == ({"daily"}, 1)
        await reader.query_daily_summaries("sensor.outdoor", "30d", now=NOW, running=True)
        whole_hours = lived.zone.key != "America/St_Johns"
        assert set(reader.stats.last.tiers) == ({"daily", "hourly", "raw"} if whole_hours else {"daily", "raw"})


# seams that a clock change or a missing task makes ----------------------------------------------------------


def counting(start: datetime, hours: int) -> list[Said]:
    """One event in each hour, each of another value: what is counted twice or left out shows."""
    return [Said(start + n * HOUR + timedelta(minutes=20), str(2**0.5 * (n + 1)), "power") for n in range(hours)]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Amsterdam", datetime(2026, 3, 29), 23),
        ("Europe/Amsterdam", datetime(2026, 10, 25), 25),
        ("Asia/Kolkata", datetime(2026, 3, 29), 24),
        ("America/St_Johns", datetime(2026, 3, 8), 23),
        ("America/St_Johns", datetime(2026, 11, 1), 25),
    ],
)
async def test_a_day_of_23_or_25_hours_from_whatever_tier(
    make_home: MakeHome, zone: str, day: datetime, hours: int
) -> None:
    """The same day, wherever the seams lie: all stored, only hours stored, partly hours, only raw."""
    home = make_home(zone)
    begin = day_begins(day.toordinal(), home.zone)
    end = day_begins(day.toordinal() + 1, home.zone)
    assert (end - begin) == hours * HOUR
    said = counting(begin - 24 * HOUR, 24 + hours)
    everything = end + DAY
    cases = {
        "sensor.all_stored": (everything, everything),
        "sensor.hours_stored": (begin, everything),
        "sensor.some_hours": (begin, begin.replace(minute=0) + 3 * HOUR),
        "sensor.raw": (begin - 30 * DAY, begin - 30 * DAY),
    }
    for entity_id, (days_until, hours_until) in cases.items():
        home.live(entity_id, said, days_until, hours_until)
        if entity_id == "sensor.raw":
            home.lines["raw"] = [line for line in home.lines["raw"] if "sensor.raw" not in line]
            home.tell(entity_id, said)
        if entity_id == "sensor.hours_stored":
            home.lines["raw"] = [line for line in home.lines["raw"] if entity_id not in line]
            if hours != 24 and zone == "Europe/Amsterdam":
                continue
            home.tell(entity_id, said)
    home.write()
    wanted = {
        one: summary("sensor", said, one, stop, home.zone) or {}
        for one, stop in ((day_begins(day.toordinal() - 1, home.zone), begin), (begin, end))
    }
    async with home.reader() as reader:
        for entity_id in cases:
            rows = await reader.query_daily_summaries(entity_id, "2d", now=end + HOUR)
            same(rows, wanted)


async def test_an_entity_that_changes_its_class_within_a_day(make_home: MakeHome) -> None:
    """Two rows of one window are one; the class is that of the last number; counts and extremes are of both."""
    home = make_home()
    day = datetime(2026, 5, 4, tzinfo=UTC)
    morning = [Said(day + n * HOUR, str(n), "temperature") for n in range(6)]
    evening = [Said(day + n * HOUR, str(n), "humidity") for n in range(6, 24)]
    for said, stop in ((morning, day + 6 * HOUR), (evening, day + DAY)):
        values = summary("sensor", said, day, stop, home.zone) or {}
        # What was said last in the morning's class does not hold at the end of the day.
        values["last_holds"] = 0.0 if said is morning else 1.0
        home.store("daily", "sensor.changing", day, said, values)
    home.tell("sensor.raw_only", morning + evening)
    home.write()
    async with home.reader() as reader:
        for entity_id in ("sensor.changing", "sensor.raw_only"):
            (row,) = await reader.query_daily_summaries(entity_id, "1d", now=day + DAY + HOUR)
            assert (row.device_class, row.event_count, row.value_count) == ("humidity", 24, 24)
            assert (row.min_value, row.max_value, row.sum_value) == (0, 23, sum(range(24)))
            assert (row.first_value, row.last_value, row.covered_seconds) == (0, 23, 86_400)
            assert row.avg_value == row.time_weighted_avg == 11.5
            (week,) = await reader.query_weekly_summaries(entity_id, "1w", now=day + 8 * DAY)
            assert (week.event_count, week.device_class, week.time) == (24, "humidity", day)


async def test_a_meter_is_set_against_the_last_reading_of_its_own_class(make_home: MakeHome) -> None:
    """What it said under another class in between does not matter (docs/summaries.md, "What a meter rose by")."""
    home = make_home()
    day = datetime(2026, 5, 4, tzinfo=UTC)
    readings = [
        ("10", "energy"),
        ("500", "gas"),
        ("12", "energy"),
        ("503", "gas"),
        ("unknown", "energy"),
        ("13", "energy"),
    ]
    home.tell("sensor.both", [Said(day + n * HOUR, *one) for n, one in enumerate(readings)])
    home.write()
    async with home.reader() as reader:
        hours = await reader.query_hourly_summaries("sensor.both", "1d", now=day + DAY)
        assert [row.increase for row in hours] == [0, 0, 2, 3, None, 1]
        (whole,) = await reader.query_daily_summaries("sensor.both", "1d", now=day + DAY)
        assert whole.increase == 6


async def test_what_is_past_its_retention_is_neither_read_nor_called_complete(make_home: MakeHome) -> None:
    now = datetime.now(UTC)
    kept = {"daily": timedelta(days=20), "hourly": timedelta(days=4), "raw": timedelta(days=2)}
    home = make_home("UTC", kept)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    said = counting(today - 30 * DAY, 30 * 24)
    for one in range(30):
        begin = today - (one + 1) * DAY
        values = summary("sensor", said, begin, begin + DAY, home.zone)
        if values and begin > now - kept["daily"]:
            home.store("daily", "sensor.a", begin, said, values)
    home.write()
    async with home.reader() as reader:
        rows = await reader.query_daily_summaries("sensor.a", "60d")
        assert len(rows) == 19
        assert reader.stats.last is not None
        assert "nothing from before" in reader.stats.last.note
        months = await reader.query_monthly_summaries("sensor.a", "3mo", running=True)
        assert not months[0].complete
        assert sum(row.event_count or 0 for row in months) == 19 * 24
        with pytest.raises(ValueError, match=r"nothing from before .* is kept any more"):
            await reader.query_daily_summaries("sensor.a", start=today - 90 * DAY, stop=today - 60 * DAY)


async def test_an_unknown_entity_has_no_rows(lived: Lived) -> None:
    async with SummaryReader(lived.home.settings()) as reader:
        for query in ("hourly", "daily", "weekly", "monthly", "seasonal", "yearly"):
            assert await getattr(reader, query)("sensor.nobody", now=NOW, running=True) == []


@pytest.mark.parametrize(("covered", "shown"), [(1800.0, 21.5), (0.0, None)])
def test_a_mean_over_time_that_nothing_covers_any_more_is_left_out(covered: float, shown: float | None) -> None:
    row = {
        "result": "events",
        "_time": BEGIN,
        "domain": "sensor",
        "covered_seconds": covered,
        "time_weighted_avg": 21.5,
    }
    events, _ = summed_from([row])
    assert events[BEGIN].values.get("time_weighted_avg") == shown
    assert events[BEGIN].values["covered_seconds"] == covered
