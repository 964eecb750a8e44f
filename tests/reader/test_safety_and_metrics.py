"""What a user gives never breaks out of a script; what the reader counts; data frames."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas
import polars
import pytest
from prometheus_client import CollectorRegistry

import templates
from operations.influxd import LocalInfluxd
from reader import (
    AnomalyRow,
    ChangeRow,
    EnergyRow,
    InvalidQuery,
    ReaderCollector,
    ReaderError,
    SummaryRow,
    to_pandas,
    to_polars,
)
from reader.stats import BOUNDS, ReaderStats
from templates.render import render
from tests.reader.conftest import Home, MakeHome
from tests.reader.reference import Said, summary

NOW = datetime(2026, 4, 2, 10, 37, tzinfo=UTC)
DAY = timedelta(days=1)
# Each would read the other entity, or more, if it got out of its literal.
ATTACKS = (
    'sensor.a" or r.entity_id != "',
    'sensor.a") |> yield(name: "more") //',
    "${r.entity_id}",
    '${"sensor.secret"}',
    'sensor.a\\" or true or \\"',
    "sensor.a\n|> drop()",
    "sensor.a\\",
    "sensor.ä ünlaut, with=signs",
    "{{ 7 * 7 }}",
    "sensor.a' OR '1'='1",
)


@pytest.fixture(scope="module")
def home(make_home: MakeHome) -> Home:
    made = make_home()
    said = [Said(NOW - DAY - timedelta(hours=n), str(n), "temperature", energy=1.0) for n in range(48)]
    for entity_id in ("sensor.secret", *(attack for attack in ATTACKS if "\n" not in attack and attack[-1] != "\\")):
        made.live(entity_id, said, days_until=NOW - DAY, hours_until=NOW - DAY)
    made.write()
    return made


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_entitys_name_is_only_ever_a_name(home: Home, attack: str) -> None:
    """On the real server: a name finds what has that name, and nothing else."""
    stored = "\n" not in attack and attack[-1] != "\\"
    async with home.reader() as reader:
        for query in ("hourly", "daily", "weekly", "monthly"):
            rows = await getattr(reader, query)(attack, "4w" if query != "hourly" else "72h", now=NOW, running=True)
            assert {row.entity_id for row in rows} == ({attack} if stored else set()), query
            assert sum(row.event_count for row in rows) == (48 if stored else 0), query
        for pattern in ("hour_profile", "weekday_profile", "anomaly_bands", "heating_degree_days"):
            assert bool(await getattr(reader, pattern)(attack, "30d", now=NOW)) == stored, pattern
        assert (await reader.spoken(attack, now=NOW) is not None) == stored
        areas = await reader.energy_by("area", "5d", areas={attack: "attic"}, now=NOW)
        assert {row.name for row in areas} == ({"attic", ""} if stored else {""})


@pytest.mark.parametrize("wrong", ["", "  ", "sensor.\x00", None, 7, ["sensor.a"]])
async def test_what_is_no_name_is_a_sentence(home: Home, wrong: Any) -> None:
    async with home.reader() as reader:
        with pytest.raises(InvalidQuery, match=r"a name like sensor\.kitchen_temperature"):
            await reader.daily(wrong)


def test_every_value_of_a_query_goes_through_a_filter() -> None:
    """Nothing between double braces but a filtered value, a macro of ours or words of the template itself."""
    import re

    folder = Path(str(templates.__file__)).parent
    allowed = re.compile(r"(\| flux_(string|time|duration)$)|^(measured|one_of)\(|^function$|^['\"]|^end$")
    for path in [*folder.glob("queries/*.j2"), folder / "macros" / "reading.flux.j2"]:
        for found in re.findall(r"{{-?\s*(.*?)\s*-?}}", path.read_text()):
            assert allowed.search(found), (path.name, found)


def test_the_rendered_script_of_a_day(home: Home) -> None:
    """The whole script, as it is sent: one read of one entity, its fields as columns."""
    flux = render(
        "queries/summaries.flux.j2",
        tier=home.tiers.daily,
        entity_id='a"b',
        start=datetime(2026, 1, 1, tzinfo=UTC),
        stop=datetime(2026, 1, 31, 12, tzinfo=UTC),
        fields=("sum_value", "value_count"),
        measurements=[("events", "daily_events")],
    )
    assert flux == (
        f'from(bucket: "{home.tiers.daily.bucket}")\n'
        "    |> range(start: 2026-01-01T00:00:00Z, stop: 2026-01-31T12:00:00Z)\n"
        '    |> filter(fn: (r) => r._measurement == "daily_events" and r.entity_id == "a\\"b"'
        ' and (r["_field"] == "sum_value" or r["_field"] == "value_count"))\n'
        '    |> keep(columns: ["_time", "_field", "_value", "domain", "device_class"])\n'
        "    |> toFloat()\n"
        '    |> group(columns: ["domain", "device_class"])\n'
        '    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n'
        '    |> yield(name: "events")\n'
    )


async def test_the_filters_of_a_read_and_the_sums_of_a_home_are_done_by_the_storage_engine(home: Home) -> None:
    """By the operator profile: no filter of its own, and a total is one ReadGroupAggregate per field."""
    profiled = 'import "profiler"\noption profiler.enabledProfilers = ["operator"]\n'
    span: dict[str, Any] = {"start": NOW - 30 * DAY, "stop": NOW}
    aggregates = [("total_energy", "total_energy", "sum"), ("min_value", "min_value", "min")]
    one: dict[str, Any] = {"entity_id": "a", "fields": (), "measurements": [("events", "daily_events")]}
    sums: dict[str, Any] = {"aggregates": aggregates, "measurement": ""}
    async with home.reader() as reader:
        read = await reader.records(
            profiled + render("queries/summaries.flux.j2", tier=home.tiers.daily, **one, **span)
        )
        totals = await reader.records(
            profiled + render("queries/totals.flux.j2", tier=home.tiers.daily, **sums, **span)
        )
    labels = [row["Type"] for row in read if row.get("_measurement") == "profiler/operator"]
    assert [one for one in labels if "ilter" in one] == ["*influxdb.readFilterSource"]
    operators = [row["Type"] for row in totals if row.get("_measurement") == "profiler/operator"]
    assert len([one for one in operators if "readGroup" in one or "ReadGroup" in one]) == 2, operators


# what is counted --------------------------------------------------------------------------------------------


async def test_queries_are_counted_with_their_time_rows_and_tiers(home: Home, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG, logger="hearthflux.reader")
    async with home.reader() as reader:
        rows = await reader.daily("sensor.secret", "7d", now=NOW)
        await reader.hourly("sensor.secret", "72h", now=NOW)
        with pytest.raises(InvalidQuery):
            await reader.daily("sensor.secret", start=NOW + DAY, now=NOW)
        stats = reader.stats
        assert (stats.queries, stats.failed, stats.requests >= 2) == (2, 0, True)
        assert stats.last is not None
        assert (stats.last.kind, stats.last.entity_id) == ("hourly", "sensor.secret")
        assert next(iter(stats.last.tiers)) == "hourly"
        assert stats.rows == len(rows) + stats.last.rows
        assert stats.tier_reads["daily"] == 1
        assert stats.tier_rows["daily"] == 2
        times = stats.response_times["daily"]
        assert times.count == sum(times.within) == 1
        assert 0 < times.longest == times.seconds < 10
        plain = stats.as_dict()
        assert plain["last"]["tiers"] == stats.last.tiers
        assert plain["tier_rows"] == dict(stats.tier_rows)
        assert json.loads(json.dumps(plain)) == plain
        assert plain["response_times"]["daily"]["mean"] == times.mean
        registry = CollectorRegistry()
        registry.register(ReaderCollector(reader))
    value = registry.get_sample_value
    assert value("hearthflux_reader_queries_total") == 2
    assert value("hearthflux_reader_rows_total", {"kind": "daily"}) == len(rows)
    assert value("hearthflux_reader_tier_reads_total", {"kind": "daily", "tier": "daily"}) == 1
    assert value("hearthflux_reader_tier_reads_total", {"kind": "hourly", "tier": "hourly"}) == 1
    assert value("hearthflux_reader_tier_reads_total", {"kind": "hourly", "tier": "daily"}) is None
    assert value("hearthflux_reader_tier_rows_total", {"tier": "daily"}) == 2
    assert value("hearthflux_reader_response_seconds_count", {"kind": "daily"}) == 1
    assert value("hearthflux_reader_response_seconds_sum", {"kind": "daily"}) == times.seconds
    assert value("hearthflux_reader_response_seconds_bucket", {"kind": "daily", "le": "+Inf"}) == 1
    assert "daily sensor.secret: " in caplog.text
    assert "rows by tier {'daily': 2" in caplog.text


async def test_a_failed_query_is_counted_and_says_no_token(home: Home) -> None:
    async with home.reader(token="not-a-token") as reader:
        with pytest.raises(ReaderError, match="does not know this token"):
            await reader.daily("sensor.secret")
        assert (reader.stats.queries, reader.stats.failed) == (1, 1)
        assert "not-a-token" not in str(reader.stats.as_dict())
    async with home.reader(tiers=home.tiers.prefixed("absent_")) as reader:
        with pytest.raises(ReaderError, match=r"There is no bucket 'absent_.*events_daily'"):
            await reader.daily("sensor.secret")


async def test_a_token_for_the_summaries_alone_is_enough_for_them(home: Home, influxd: LocalInfluxd) -> None:
    tiers = (home.tiers.hourly, home.tiers.daily)
    buckets = [influxd.api("GET", f"/api/v2/buckets?name={tier.bucket}")["buckets"][0]["id"] for tier in tiers]
    may = [{"action": "read", "resource": {"type": "buckets", "id": one, "orgID": influxd.org_id}} for one in buckets]
    made = influxd.api("POST", "/api/v2/authorizations", {"orgID": influxd.org_id, "permissions": may})
    async with home.reader(token=made["token"]) as reader:
        assert await reader.daily("sensor.secret", "7d", now=NOW)
        assert await reader.heating_degree_days("sensor.secret", "7d", now=NOW)
        assert await reader.unit("sensor.secret", now=NOW) == ""
    influxd.api("DELETE", f"/api/v2/authorizations/{made['id']}")


def test_response_times_by_hand() -> None:
    stats = ReaderStats()
    from reader.stats import QueryRecord

    for seconds in (0.001, 0.005, 0.02, 99.0):
        stats.add(QueryRecord(kind="daily", seconds=seconds, rows=1, tiers={"daily": 2, "raw": 0}))
    assert stats.response_times["daily"].within == [2, 0, 1, *[0] * (len(BOUNDS) - 3), 1]
    assert (stats.rows, stats.tier_rows["daily"], stats.tier_reads["raw"]) == (4, 8, 4)


# data frames ------------------------------------------------------------------------------------------------


async def test_rows_as_data_frames(home: Home) -> None:
    async with home.reader() as reader:
        rows = await reader.daily("sensor.secret", "7d", now=NOW)
        energy = await reader.energy_by_device_class("7d", now=NOW)
    for frame in (to_pandas(rows), to_polars(rows)):
        assert list(frame.columns) == list(SummaryRow.__dataclass_fields__)
        assert list(frame["time"]) == [row.time for row in rows]
        assert list(frame["avg_value"]) == [row.avg_value for row in rows]
    assert str(to_pandas(rows)["time"].dtype).endswith("UTC]")
    # A column without any value has its type all the same.
    assert to_polars(rows)["on_seconds"].dtype == polars.Float64
    assert to_polars(energy)["entities"].to_list() == [one.entities for one in energy]
    empty: list[SummaryRow] = []
    assert to_pandas(empty).empty
    assert list(to_polars(empty, EnergyRow).columns) == ["name", "energy", "share", "entities", "source"]
    assert to_polars(empty, AnomalyRow)["day"].dtype == polars.Date
    assert isinstance(to_pandas(empty, ChangeRow), pandas.DataFrame)


async def test_a_stored_row_of_the_running_window_takes_the_place_of_the_oldest(make_home: MakeHome) -> None:
    home = make_home()
    for n in range(31):
        start = (NOW - n * DAY).replace(hour=0, minute=0)
        said = [Said(start + timedelta(hours=1), "5")]
        home.store("daily", "sensor.a", start, said, summary("sensor", said, start, start + DAY, home.zone) or {})
    home.write()
    async with home.reader() as reader:
        rows = await reader.query_daily_summaries("sensor.a", "30d", now=NOW)
    assert len(rows) == 30
    assert rows[-1].time == NOW.replace(hour=0, minute=0)
    assert not rows[-1].complete
