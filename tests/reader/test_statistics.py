"""Long-term statistics that the real importer brought from a recorder: where an entity has no events they stand in,
marked; what came from events wins; the two together are exact for what both can answer."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from event_schema.calendar import day_of, day_start, first_day
from flux_tasks import SummaryServer
from flux_tasks.backfill import backfill
from flux_tasks.specs import downsamples
from operations.cli import main
from operations.imports.recorder import Recorder
from operations.influxd import LocalInfluxd
from reader import ReaderSettings, SummaryReader, SummaryRow, to_pandas, to_polars
from tests.operations.imports.conftest import ZONE, NewHome
from tests.operations.imports.homes import HOUR, SECOND, State
from tests.operations.imports.recorder_files import Statistic
from tests.operations.imports.test_recorder import sqlite_file

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def days_ago(days: int) -> datetime:
    return day_start(day_of(NOW, ZONE) - days * DAY, ZONE)


TODAY = days_ago(0)
# Statistics reach back to the winter before the last one; states are of the last nine days and a bit.
FIRST_STATE = days_ago(9) + timedelta(hours=7, minutes=20)
# The cellar was silent in these three days, in states and statistics.
SILENT = (days_ago(100), days_ago(97))
# What the InfluxDB add-on brought later, in the middle of the statistics.
ADDON_DAY = days_ago(60)
BEGIN = day_start((day_of(NOW, ZONE) - 440 * DAY).replace(day=1), ZONE)
GARDEN, METER, CELLAR = "sensor.garden", "sensor.meter", "sensor.cellar_meter"


def ns(moment: datetime) -> int:
    return round(moment.timestamp()) * SECOND


def statistics() -> list[Statistic]:
    """Of the garden mean, lowest and highest; of two meters what they stand at and the sum of what they rose by."""
    found = []
    for number, at in enumerate(range(ns(BEGIN), ns(NOW) - HOUR, HOUR)):
        mean = 9 - 9 * math.cos(2 * math.pi * number / 8766) + number % 24 / 10
        found.append(Statistic(at, GARDEN, "°C", mean=mean, low=mean - number % 5, high=mean + number % 7))
        found.append(Statistic(at, METER, "kWh", state=float(number), total=number * 0.25))
        if not ns(SILENT[0]) <= at < ns(SILENT[1]):
            found.append(Statistic(at, CELLAR, "kWh", state=number * 2.0, total=number * 0.5))
    return found


def states() -> list[State]:
    """Garden and meter, every forty minutes since FIRST_STATE. The cellar's meter has none."""
    garden = {"device_class": "temperature", "state_class": "measurement", "unit_of_measurement": "°C"}
    meter = {"device_class": "energy", "state_class": "total_increasing", "unit_of_measurement": "kWh"}
    found = []
    for number, at in enumerate(range(ns(FIRST_STATE), ns(NOW), 2400 * SECOND)):
        found.append(State(at, GARDEN, str(round(5 + number % 13 * 0.7, 2)), garden))
        found.append(State(at, METER, str(round(20_000 + number * 0.125, 3)), meter))
    return found


@dataclass
class MovedIn:
    home: NewHome
    statistics: dict[tuple[str, int], Statistic]

    @property
    def settings(self) -> ReaderSettings:
        server = self.home.server
        return ReaderSettings(
            url=server.url, token=server.token, org=server.org, tiers=self.home.tiers, time_zone=ZONE.key
        )

    def reader(self) -> SummaryReader:
        return SummaryReader(self.settings)

    def hours(self, entity_id: str, start: datetime, stop: datetime) -> list[Statistic]:
        times = range(ns(start), ns(stop), HOUR)
        return [one for at in times if (one := self.statistics.get((entity_id, at))) is not None]


@pytest.fixture(scope="module")
def moved_in(influxd: LocalInfluxd, tmp_path_factory: pytest.TempPathFactory) -> Iterable[MovedIn]:
    folder = tmp_path_factory.mktemp("moved_in")
    home = NewHome(influxd, f"s{folder.name.replace('-', '')}_{ns(NOW) % 1_000_000}_", folder)
    home.make_buckets(None, None, None)
    known = statistics()
    path = sqlite_file(folder / "home-assistant_v2.db", 43, states(), known)
    report = home.bring(lambda: Recorder(str(path)), summaries=True)
    assert report.statistics["daily"] > 3 * 400
    event = f"home_assistant_events,domain=sensor,entity_id={GARDEN},device_class=temperature"
    lines = [
        f'{event} state_value="30",normalized_value=30 {ns(ADDON_DAY + hour * timedelta(hours=6))}' for hour in (1, 2)
    ]
    influxd.write(home.tiers.raw.bucket, "\n".join(lines))

    async def sum_up() -> None:
        async with SummaryServer(url=influxd.url, token=influxd.token, org=influxd.org) as server:
            await backfill(server, ADDON_DAY, ADDON_DAY + DAY, specs=downsamples(home.tiers, ZONE.key))

    asyncio.run(sum_up())
    yield MovedIn(home, {(one.entity_id, one.time_ns): one for one in known})
    for tier in home.tiers:
        for bucket in influxd.api("GET", f"/api/v2/buckets?name={tier.bucket}")["buckets"]:
            influxd.api("DELETE", f"/api/v2/buckets/{bucket['id']}")


def next_day(start: datetime) -> datetime:
    return day_start(day_of(start, ZONE) + DAY, ZONE)


def of_events(row: SummaryRow) -> bool:
    return row.source == "events"


async def test_days_of_statistics_stand_in_where_there_are_none_of_events(moved_in: MovedIn) -> None:
    async with moved_in.reader() as reader:
        rows = await reader.daily(GARDEN, start=BEGIN, now=NOW)
        alone = await reader.daily(GARDEN, start=BEGIN, statistics=False, now=NOW)
    assert [row.time for row in rows] == [day_start(day_of(BEGIN, ZONE) + n * DAY, ZONE) for n in range(len(rows))]
    assert rows[-1].stop == TODAY
    # What came from events is what it is without statistics, also where these know of the same day.
    assert [row for row in rows if of_events(row)] == alone
    first = day_start(day_of(FIRST_STATE, ZONE), ZONE)
    assert {row.time for row in alone} == {ADDON_DAY, *(row.time for row in rows if row.time >= first)}
    for row in rows:
        if of_events(row):
            continue
        hours = moved_in.hours(GARDEN, row.time, next_day(row.time))
        assert row.source == "statistics"
        assert row.time_weighted_avg == pytest.approx(math.fsum(one.mean or 0 for one in hours) / len(hours), rel=1e-9)
        assert row.covered_seconds == len(hours) * 3600
        assert (row.min_value, row.max_value) == (
            min(one.low for one in hours if one.low is not None),
            max(one.high for one in hours if one.high is not None),
        )
        # What statistics cannot know is not said to be 0.
        assert (row.event_count, row.value_count, row.avg_value, row.last_holds) == (None, None, None, None)
        assert row.device_class == "temperature"
        assert row.complete


async def test_hours_of_statistics_end_where_events_begin(moved_in: MovedIn) -> None:
    start, stop = FIRST_STATE.replace(minute=0) - timedelta(hours=5), FIRST_STATE.replace(minute=0) + timedelta(hours=4)
    async with moved_in.reader() as reader:
        rows = await reader.hourly(METER, start=start, stop=stop, now=NOW)
        assert await reader.hourly(METER, start=start, stop=stop, statistics=False, now=NOW) == rows[5:]
    assert [row.source for row in rows] == ["statistics"] * 5 + ["events"] * 4
    assert [row.increase for row in rows[:5]] == [0.25] * 5
    assert [row.last_value for row in rows[:5]] == [one.state for one in moved_in.hours(METER, start, rows[5].time)]


def by_period(rows: Iterable[SummaryRow], period: Any) -> dict[date, list[SummaryRow]]:
    found: dict[date, list[SummaryRow]] = defaultdict(list)
    for row in rows:
        found[first_day(day_of(row.time, ZONE), period)].append(row)
    return found


@pytest.mark.parametrize(
    ("query", "period"), [("weekly", "week"), ("monthly", "month"), ("seasonal", "season"), ("yearly", "year")]
)
async def test_longer_spans_are_exact_for_what_both_can_answer(moved_in: MovedIn, query: str, period: str) -> None:
    """Rolled up from days of both sorts; what only one sort knows is left out where they are mixed."""
    async with moved_in.reader() as reader:
        for entity_id in (GARDEN, METER):
            days = by_period(await reader.daily(entity_id, start=BEGIN, running=True, now=NOW), period)
            rows = await getattr(reader, query)(entity_id, start=BEGIN, running=True, now=NOW)
            assert [day_of(row.time, ZONE) for row in rows] == sorted(days)
            assert "mixed" in {row.source for row in rows}
            for row in rows:
                inside = days[day_of(row.time, ZONE)]
                sources = {one.source for one in inside}
                assert row.source == (sources.pop() if len(sources) == 1 else "mixed"), row
                checked = ("value_seconds", "covered_seconds") if entity_id == GARDEN else ("increase", "total_energy")
                for name in checked:
                    wanted = math.fsum(getattr(one, name) or 0 for one in inside)
                    assert getattr(row, name) == pytest.approx(wanted, rel=1e-9), (row, name)
                if entity_id == GARDEN:
                    assert row.time_weighted_avg == pytest.approx(row.value_seconds / row.covered_seconds, rel=1e-12)
                    assert row.max_value == max(one.max_value for one in inside if one.max_value is not None)
                    assert row.device_class == "temperature"
                if row.source == "mixed":
                    counts = (row.event_count, row.value_count, row.sum_value, row.avg_value, row.first_value)
                    assert counts == (None,) * 5
                    if entity_id == METER:
                        # The statistics of a meter have no mean and no extremes: those of its events are no month's.
                        assert (row.time_weighted_avg, row.min_value, row.covered_seconds) == (None, None, None)
                        assert row.last_value == inside[-1].last_value


async def test_a_state_of_statistics_is_not_held_over_silent_days(moved_in: MovedIn) -> None:
    async with moved_in.reader() as reader:
        days = await reader.daily(CELLAR, start=days_ago(102), stop=days_ago(95), now=NOW)
        years = await reader.yearly(CELLAR, "3y", now=NOW, running=True)
    assert [row.time for row in days] == [days_ago(n) for n in (102, 101, 97, 96)]
    # What it rose by in them is in the first hour after them.
    assert days[2].increase == pytest.approx(0.5 * 24 * 4, abs=1.0)
    assert {(row.time_weighted_avg, row.covered_seconds, row.source) for row in years} == {(None, None, "statistics")}


async def test_an_entity_of_which_there_are_statistics_only(moved_in: MovedIn) -> None:
    async with moved_in.reader() as reader:
        assert await reader.entities(now=NOW) == sorted((GARDEN, METER, CELLAR))
        first, last = await reader.spoken(CELLAR, now=NOW) or (NOW, NOW)
        assert first == BEGIN
        assert last >= NOW - timedelta(hours=3)
        rows = await reader.daily(CELLAR, "30d", now=NOW)
        assert {row.source for row in rows} == {"statistics"}
        assert await reader.daily(CELLAR, "30d", statistics=False, now=NOW) == []
        assert reader.stats.last is not None
        assert "daily_statistics" not in reader.stats.last.tiers
        assert reader.stats.tier_rows["daily_statistics"] >= len(rows)


async def test_patterns_over_statistics_and_events(moved_in: MovedIn) -> None:
    async with moved_in.reader() as reader:
        days = {row.time: row for row in await reader.daily(GARDEN, start=BEGIN, now=NOW)}
        cold = await reader.heating_degree_days(GARDEN, start=BEGIN, now=NOW)
        assert [(row.time, row.source) for row in cold] == [(time, row.source) for time, row in days.items()]
        assert [row.mean_temperature for row in cold] == [row.time_weighted_avg for row in days.values()]
        years = await reader.year_over_year(METER, "2mo", measure="increase", now=NOW)
        assert (years[0].source, years[0].before_source) == ("statistics", "statistics")
        assert all(row.before == pytest.approx(0.25 * days_of(row.before_label) * 24, abs=0.26) for row in years)
        seasons = await reader.season_against_season(GARDEN, "1y", against="previous", running=True, now=NOW)
        assert {row.measure for row in seasons} == {"time_weighted_avg"}
        weekdays = await reader.weekday_profile(METER, start=BEGIN, now=NOW)
        assert {row.source for row in weekdays} == {"mixed"}
        assert all(row.event_count is None and row.energy for row in weekdays)
        bands = await reader.anomaly_bands(GARDEN, "3d", weeks=8, now=NOW)
        assert [(row.source, row.history) for row in bands] == [("mixed", 8)] * 3
        hours = await reader.hour_profile(GARDEN, start=FIRST_STATE - 2 * DAY, stop=FIRST_STATE + 2 * DAY, now=NOW)
        assert {row.source for row in hours} == {"mixed"}
        without = await reader.heating_degree_days(GARDEN, start=BEGIN, statistics=False, now=NOW)
        assert [row.time for row in without] == [time for time, row in days.items() if of_events(row)]


def days_of(month: str) -> float:
    """Days of 24 hours in a month such as 2026-03."""
    begin = date.fromisoformat(f"{month}-01")
    following = (begin + timedelta(days=32)).replace(day=1)
    return (day_start(following, ZONE) - day_start(begin, ZONE)) / DAY


async def test_energy_of_the_home_with_that_of_the_years_before(moved_in: MovedIn) -> None:
    async with moved_in.reader() as reader:
        rows = await reader.energy_by("entity_id", start=BEGIN, now=NOW)
        classes = await reader.energy_by_device_class(start=BEGIN, now=NOW)
        recent = await reader.energy_by("entity_id", "5d", statistics=False, now=NOW)
        for row in rows:
            days = await reader.daily(row.name, start=BEGIN, now=NOW)
            assert row.energy == pytest.approx(math.fsum(one.total_energy or 0 for one in days), rel=1e-9)
    assert {row.name: row.source for row in rows} == {METER: "mixed", CELLAR: "statistics"}
    # The meter's class is that of its events; of the cellar's there are none that would say it.
    assert {row.name: row.source for row in classes} == {"energy": "mixed", "": "statistics"}
    assert {row.name: row.source for row in recent} == {METER: "events"}


async def test_data_frames_say_the_source(moved_in: MovedIn) -> None:
    async with moved_in.reader() as reader:
        rows = await reader.monthly(GARDEN, start=BEGIN, running=True, now=NOW)
    for frame in (to_polars(rows), to_pandas(rows)):
        assert list(frame["source"]) == [row.source for row in rows]
    assert to_polars(rows)["event_count"].to_list() == [row.event_count for row in rows]
    assert to_pandas(rows)["event_count"].isna().sum() == sum(row.event_count is None for row in rows)


Query = Callable[..., str]


@pytest.fixture
def query(moved_in: MovedIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Query:
    found = moved_in.settings
    given = {
        "INFLUXDB_URL": found.url,
        "INFLUXDB_TOKEN": str(found.token),
        "INFLUXDB_ORG": found.org,
        "HOME_BUCKET_PREFIX": moved_in.home.prefix,
        "HOME_TIME_ZONE": ZONE.key,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["query", *words])
        assert not end.value.code
        return capsys.readouterr().out

    return run


def test_the_command_marks_them_in_every_form(query: Query, tmp_path: Path) -> None:
    table = query("monthly", GARDEN, "14mo", "--running")
    assert "statistics" in table
    assert "mixed" in table
    rows = json.loads(query("monthly", GARDEN, "14mo", "--json", "--running"))
    assert {"statistics", "mixed"} <= {row["source"] for row in rows}
    written = list(csv.DictReader(io.StringIO(query("monthly", GARDEN, "14mo", "--csv", "--running"))))
    assert [row["source"] for row in written] == [row["source"] for row in rows]
    assert written[0]["event_count"] == ""
    assert "s: statistics" in query("daily", GARDEN, "30d", "--plot")
    assert "statistics" in query("season-against-season", GARDEN, "1y", "--against", "previous", "--plot")
    query("daily", GARDEN, "30d", "--plot-to", str(tmp_path / "days.json"))
    drawn = (tmp_path / "days.json").read_text()
    assert '"from": "events"' in drawn
    assert '"from": "statistics"' in drawn


def test_the_command_leaves_them_out(query: Query) -> None:
    rows = json.loads(query("daily", GARDEN, "30d", "--no-statistics", "--json"))
    assert {row["source"] for row in rows} == {"events"}
    assert "statistics" not in query("monthly", METER, "14mo", "--no-statistics", "--running")
