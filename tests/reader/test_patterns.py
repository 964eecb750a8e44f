"""Profiles, comparisons, degree days and anomaly bands against plain Python, over the seams of the tiers."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reader import InvalidQuery, SummaryReader, SummaryRow
from reader.patterns import anomalies, degree_days, label, spread
from tests.reader.conftest import Home, MakeHome, around
from tests.reader.reference import Said, day_begins, local_day, summary

ZONE = ZoneInfo("Europe/Amsterdam")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGIN = datetime(2023, 11, 30, 23, tzinfo=UTC)
NOW = datetime(2025, 4, 1, 10, 37, tzinfo=UTC)
METER, DOOR, OUTSIDE = "sensor.meter", "binary_sensor.door", "sensor.outdoor"


def begins(day: date) -> datetime:
    return day_begins(day.toordinal(), ZONE)


def every(hours: float, say: Callable[[datetime], Said]) -> list[Said]:
    found, moment = [], BEGIN + timedelta(minutes=17)
    while moment < NOW:
        found.append(say(moment))
        moment += timedelta(hours=hours)
    return found


class Lived:
    def __init__(self, home: Home, said: dict[str, list[Said]]) -> None:
        self.home, self.said = home, said

    def over(self, entity_id: str, start: datetime, stop: datetime) -> dict[str, float]:
        said = around(self.said[entity_id], start, stop)
        return summary(entity_id.partition(".")[0], said, start, stop, ZONE) or {}


@pytest.fixture(scope="module")
def lived(make_home: MakeHome) -> Lived:
    rng = random.Random(11)
    home = make_home(ZONE.key)

    def outside(at: datetime) -> Said:
        yearly = -10 * math.cos(2 * math.pi * (at.timetuple().tm_yday - 20) / 365.25)
        daily = -4 * math.cos(2 * math.pi * (at.hour - 4) / 24)
        return Said(at, str(round(9 + yearly + daily + rng.gauss(0, 2), 2)), "temperature")

    def meter(at: datetime) -> Said:
        evening = 0.8 if 16 <= at.astimezone(ZONE).hour < 21 else 0.2
        return Said(at, str(at.toordinal()), "energy", energy=round(evening * rng.uniform(0.5, 1.5), 4))

    said = {
        OUTSIDE: every(5, outside),
        METER: every(3, meter),
        DOOR: every(7, lambda at: Said(at, "on" if 7 <= at.astimezone(ZONE).hour < 20 else "off", "door")),
    }
    today = day_begins(local_day(NOW, ZONE), ZONE)
    for entity_id, told in said.items():
        home.live(entity_id, told, days_until=today - DAY, hours_until=NOW.replace(hour=5, minute=0), hour_days=40)
    home.write()
    return Lived(home, said)


@pytest.fixture
async def reader(lived: Lived) -> SummaryReader:
    return lived.home.reader()


@pytest.mark.parametrize("entity_id", [METER, DOOR])
async def test_the_hours_of_the_day_by_the_homes_clock(lived: Lived, entity_id: str) -> None:
    """Over the change of 2025-03-30: the hour from 2 to 3 happens one time less than the others."""
    start, stop = begins(date(2025, 3, 12)), begins(date(2025, 4, 1))
    inside = [one for one in lived.said[entity_id] if start <= one.at < stop]
    hours = sorted({one.at.replace(minute=0) for one in inside})
    between = [hours[0] + n * HOUR for n in range((hours[-1] - hours[0]) // HOUR + 1)]
    async with lived.home.reader() as reader:
        rows = await reader.hour_profile(entity_id, "20d", now=NOW)
    by_hour = defaultdict(list)
    for one in inside:
        by_hour[one.at.astimezone(ZONE).hour].append(one)
    assert [row.slot for row in rows] == list(range(24))
    silent = [row for row in rows if row.slot not in by_hour]
    assert {(row.windows, row.event_count, row.avg_value, row.energy, row.increase) for row in silent} <= {
        (0, 0, None, 0.0, 0.0)
    }
    for row in rows:
        if row in silent:
            continue
        told = by_hour[row.slot]
        numbers = [one.number or 0.0 for one in told]
        often = sum(hour.astimezone(ZONE).hour == row.slot for hour in between)
        assert (row.occurrences, row.windows, row.event_count) == (often, len({o.at for o in told}), len(told))
        assert row.avg_value == pytest.approx(math.fsum(numbers) / len(numbers), rel=1e-9)
        assert (row.min_value, row.max_value) == (min(numbers), max(numbers))
        assert row.label == f"{row.slot:02d}:00"
        if entity_id == METER:
            assert row.energy == pytest.approx(math.fsum(one.energy or 0 for one in told) / often, rel=1e-9)
    assert (rows[0].on_seconds is None) == (entity_id == METER)


async def test_what_is_on_in_silent_hours_counts_in_its_profile(lived: Lived) -> None:
    """The door says something every seven hours: between, it stays as it is."""
    start, stop = begins(date(2025, 3, 12)), begins(date(2025, 4, 1))
    told = [one for one in lived.said[DOOR] if start - DAY <= one.at < stop]
    inside = [one for one in told if one.at >= start]
    first, last = inside[0].at.replace(minute=0), inside[-1].at.replace(minute=0) + HOUR
    seconds: dict[int, float] = defaultdict(float)
    often: dict[int, int] = defaultdict(int)
    for hour in (first + n * HOUR for n in range((last - first) // HOUR)):
        often[hour.astimezone(ZONE).hour] += 1
        for one, following in itertools.pairwise([*told, Said(last, "off")]):
            held = min(following.at, hour + HOUR) - max(one.at, hour)
            if one.number == 1 and held > timedelta(0):
                seconds[hour.astimezone(ZONE).hour] += held.total_seconds()
    async with lived.home.reader() as reader:
        rows = await reader.hour_profile(DOOR, "20d", now=NOW)
    assert [row.slot for row in rows] == list(range(24))
    for row in rows:
        assert row.on_seconds == pytest.approx(seconds[row.slot] / often[row.slot], rel=1e-9, abs=1e-9)
        assert row.time_weighted_avg == pytest.approx(seconds[row.slot] / often[row.slot] / 3600, rel=1e-9, abs=1e-9)


async def test_the_weekdays(lived: Lived) -> None:
    start, stop = begins(date(2025, 1, 1)), begins(date(2025, 4, 1))
    async with lived.home.reader() as reader:
        rows = await reader.weekday_profile(METER, start=date(2025, 1, 1), now=NOW)
    energy: dict[int, float] = defaultdict(float)
    days: dict[int, set[int]] = defaultdict(set)
    for one in lived.said[METER]:
        if start <= one.at < stop:
            local = one.at.astimezone(ZONE)
            energy[local.weekday()] += one.energy or 0.0
            days[local.weekday()].add(local.toordinal())
    assert [row.label for row in rows] == ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    for row in rows:
        assert row.windows == row.occurrences == len(days[row.slot])
        assert row.energy == pytest.approx(energy[row.slot] / len(days[row.slot]), rel=1e-9)


async def test_a_season_beside_that_of_a_year_before(lived: Lived) -> None:
    """The winter goes over the end of the year, and that of 2023/24 has the 29th of February in it."""
    async with lived.home.reader() as reader:
        rows = await reader.season_against_season(OUTSIDE, "1y", now=NOW)
    assert [(row.label, row.before_label) for row in rows] == [
        ("spring 2024", "spring 2023"),
        ("summer 2024", "summer 2023"),
        ("autumn 2024", "autumn 2023"),
        ("winter 2024/25", "winter 2023/24"),
    ]
    winter = lived.over(OUTSIDE, begins(date(2024, 12, 1)), begins(date(2025, 3, 1)))["time_weighted_avg"]
    before = lived.over(OUTSIDE, begins(date(2023, 12, 1)), begins(date(2024, 3, 1)))["time_weighted_avg"]
    assert rows[3].value == pytest.approx(winter, rel=1e-9)
    assert rows[3].before == pytest.approx(before, rel=1e-9)
    assert rows[3].change == pytest.approx(winter - before, rel=1e-6)
    assert rows[3].change_percent == pytest.approx((winter - before) / abs(before) * 100, rel=1e-6)
    assert (rows[0].before, rows[0].change, rows[0].measure) == (None, None, "time_weighted_avg")


async def test_a_season_beside_the_one_before_it_and_seasons_of_the_south(lived: Lived) -> None:
    async with lived.home.reader(hemisphere="south") as reader:
        rows = await reader.season_against_season(METER, "6mo", against="previous", now=NOW)
    assert [(row.label, row.before_label) for row in rows] == [
        ("spring 2024", "winter 2024"),
        ("summer 2024/25", "spring 2024"),
    ]
    assert rows[1].measure == "total_energy"
    assert rows[1].before == rows[0].value


async def test_year_over_year_to_the_same_day(lived: Lived) -> None:
    """April has just begun, so the running year is compared up to the last of March in both years."""
    async with lived.home.reader() as reader:
        rows = await reader.year_over_year(METER, "1y", by="year", running=True, now=NOW)
        months = await reader.year_over_year(METER, "3mo", now=NOW)
    assert [row.label for row in rows] == ["2024", "2025 so far"]
    this = lived.over(METER, begins(date(2025, 1, 1)), begins(date(2025, 4, 1)))["total_energy"]
    last = lived.over(METER, begins(date(2024, 1, 1)), begins(date(2024, 4, 1)))["total_energy"]
    assert rows[1].value == pytest.approx(this, rel=1e-9)
    assert rows[1].before == pytest.approx(last, rel=1e-9)
    assert rows[0].before == pytest.approx(
        lived.over(METER, begins(date(2023, 1, 1)), begins(date(2024, 1, 1)))["total_energy"], rel=1e-9
    )
    assert [(row.label, row.before_label) for row in months] == [
        ("2025-01", "2024-01"),
        ("2025-02", "2024-02"),
        ("2025-03", "2024-03"),
    ]
    leap = lived.over(METER, begins(date(2024, 2, 1)), begins(date(2024, 3, 1)))["total_energy"]
    assert months[1].before == pytest.approx(leap, rel=1e-9)


async def test_heating_degree_days(lived: Lived) -> None:
    async with lived.home.reader() as reader:
        rows = await reader.heating_degree_days(OUTSIDE, "20d", base=5.0, now=NOW)
        assert [row.day for row in rows] == [date(2025, 3, 12) + n * DAY for n in range(20)]
        for row in rows:
            mean = lived.over(OUTSIDE, begins(row.day), begins(row.day + DAY))["time_weighted_avg"]
            assert row.mean_temperature == pytest.approx(mean, rel=1e-9)
            assert row.degree_days == pytest.approx(max(0.0, 5.0 - mean), abs=1e-9)
        assert any(row.degree_days == 0 for row in rows)
        assert any(row.degree_days > 0 for row in rows)


async def test_a_day_beside_the_same_weekdays(lived: Lived) -> None:
    async with lived.home.reader() as reader:
        rows = await reader.anomaly_bands(METER, "10d", weeks=8, bound=3.0, now=NOW)
    assert [row.day for row in rows] == [date(2025, 3, 22) + n * DAY for n in range(10)]
    for row in rows:
        history = [
            lived.over(METER, begins(day), begins(day + DAY))["total_energy"]
            for day in (row.day - week * 7 * DAY for week in range(1, 9))
        ]
        middle = statistics.median(history)
        usual = statistics.median(abs(value - middle) for value in history) / 0.6745
        assert row.expected == pytest.approx(middle, rel=1e-9)
        assert row.lower == pytest.approx(middle - 3 * usual)
        assert row.upper == pytest.approx(middle + 3 * usual)
        assert row.score == pytest.approx((row.value - middle) / usual, rel=1e-6)
        assert row.anomalous == (abs(row.value - middle) > 3 * usual)
        assert (row.history, row.weekday) == (8, row.day.strftime("%A"))


def a_day(day: date, value: float | None) -> SummaryRow:
    start = begins(day)
    return SummaryRow(
        time=start, stop=start + DAY, entity_id="sensor.a", domain="sensor", device_class="", avg_value=value
    )


def test_bands_by_hand() -> None:
    """The usual Monday is 10 to 11; one of 20 is not. A history of equal days has no width; a short one no bands."""
    mondays = [date(2026, 1, 5) + 7 * n * DAY for n in range(8)]
    values = [10.0, 11.0, 10.0, 11.0, 10.5, 20.0, 10.5, 10.4]
    rows = anomalies(
        [a_day(*one) for one in zip(mondays, values, strict=True)], begins(mondays[3]), 6, 3.5, "avg_value", ZONE
    )
    assert [row.anomalous for row in rows] == [None, False, True, False, False]
    assert [row.history for row in rows] == [3, 4, 5, 6, 6]
    equal = anomalies(
        [a_day(day, value) for day, value in zip(mondays, [5.0] * 7 + [5.1], strict=True)],
        begins(mondays[6]),
        6,
        3.5,
        "avg_value",
        ZONE,
    )
    assert [(row.anomalous, row.lower, row.score) for row in equal] == [(False, 5.0, 0.0), (True, 5.0, None)]
    # Most are equal: the median of the distances is 0, so their mean is taken.
    assert spread([1, 1, 1, 1, 2], 1) == pytest.approx(1.253314 / 5)


def test_degree_days_by_hand() -> None:
    found = degree_days(
        [a_day(date(2026, 1, 1), 3.5), a_day(date(2026, 1, 2), None), a_day(date(2026, 1, 3), 20)], 18, ZONE
    )
    assert [(row.day.day, row.degree_days) for row in found] == [(1, 14.5), (3, 0.0)]


def test_the_names_of_periods() -> None:
    assert label(date(2025, 12, 1), "season") == "winter 2025/26"
    assert label(date(2025, 12, 1), "season", "south") == "summer 2025/26"
    assert label(date(2025, 3, 1), "season", "south") == "autumn 2025"
    assert (label(date(2025, 3, 1), "month"), label(date(2025, 1, 1), "year")) == ("2025-03", "2025")


@pytest.mark.parametrize(
    ("query", "given", "sentence"),
    [
        ("anomaly_bands", {"weeks": 2}, "from 4 to 520"),
        ("anomaly_bands", {"bound": 0}, "above 0"),
        ("anomaly_bands", {"measure": "mean"}, "one of auto, time_weighted_avg"),
        ("heating_degree_days", {"base": "warm"}, "such as 18"),
        ("season_against_season", {"against": "decade"}, "year, or previous"),
        ("year_over_year", {"by": "week"}, "month, season or year"),
        ("hour_profile", {"duration": "1 day"}, "such as 12h"),
    ],
)
async def test_what_can_not_be_asked_is_a_sentence(
    reader: SummaryReader, query: str, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidQuery, match=sentence):
        await getattr(reader, query)("sensor.a", **given)
