"""The demo on a day and a half of its data: what reaches the database is what plain Python computes."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from event_schema import TIERS, Event
from flux_tasks import SummaryServer, backfill
from operations.demo import dataset
from operations.demo.page import demo_page
from operations.demo.replay import missing, replay, rows_of, span
from operations.health.checks import HealthReport
from operations.influxd import LocalInfluxd
from operations.report.build import Report
from operations.report.home import read_home
from operations.report.page import html
from templates.render import flux_time
from tests.reference import Home, Key, Row, differences, ns
from writer import WriterSettings

EXCERPT = Path(__file__).with_name("appliances_excerpt.csv")


@pytest.fixture(scope="module")
def events() -> list[Event]:
    data = dataset.rows(EXCERPT)
    weeks = dataset.weeks_until(dataset.row_time(data[-1]), datetime.now(UTC))
    return list(dataset.events(data, timedelta(weeks=weeks)))


def test_the_data_end_in_the_last_week_on_the_same_weekday() -> None:
    last = dataset.row_time(dataset.rows(EXCERPT)[-1])
    now = datetime.now(UTC)
    moved = last + timedelta(weeks=dataset.weeks_until(last, now))
    assert timedelta(0) <= now - moved < timedelta(weeks=1)
    assert moved.weekday() == last.weekday()


def test_events_come_on_change_with_what_came_before(events: list[Event]) -> None:
    last: dict[str, Event] = {}
    for event in events:
        before = last.get(event.entity_id)
        if before is not None:
            assert event.state_value != before.state_value
            assert event.previous_state == before.state_value
            assert event.duration_seconds == (event.time_ns - before.time_ns) // 1_000_000_000
        last[event.entity_id] = event
    assert set(last) == {entity.entity_id for entity in dataset.ENTITIES}


def test_no_energy_is_lost_or_made(events: list[Event]) -> None:
    wh = sum(float(row["Appliances"]) + float(row["lights"]) for row in dataset.rows(EXCERPT))
    assert sum(event.energy_consumption or 0 for event in events) == pytest.approx(wh / 1000, rel=1e-9)


def test_only_days_that_are_not_whole_are_written_again(events: list[Event]) -> None:
    day = events[0].time_ns // (86_400 * 10**9)
    whole = sum(event.time_ns // (86_400 * 10**9) == day for event in events)
    todo = missing(events, {day: whole})
    assert todo
    assert all(event.time_ns // (86_400 * 10**9) != day for event in todo)
    assert missing(events, {day: whole - 1}) == events


async def stored(server: SummaryServer, tier: str, start: datetime, stop: datetime) -> dict[Key, Row]:
    chosen = TIERS[tier]
    rows: dict[Key, Row] = defaultdict(dict)
    for row in await server.rows(
        f'from(bucket: "{chosen.bucket}") |> range(start: {flux_time(start)}, stop: {flux_time(stop)})'
        f' |> filter(fn: (r) => r._measurement == "{chosen.measurement}")'
    ):
        key = (row["entity_id"], row["domain"], row.get("device_class") or "", ns(row["_time"]))
        rows[key][row["_field"]] = row["_value"]
    return dict(rows)


async def test_summaries_equal_an_independent_computation(
    influxd: LocalInfluxd, unique: str, tmp_path: Path, events: list[Event]
) -> None:
    org = f"demo-{unique}"
    org_id = influxd.api("POST", "/api/v2/orgs", {"name": org})["id"]
    for tier in TIERS:
        influxd.api("POST", "/api/v2/buckets", {"orgID": org_id, "name": tier.bucket, "retentionRules": []})
    settings = WriterSettings(url=influxd.url, token=influxd.token, org=org, spool_path=tmp_path / "spool.sqlite")
    start, stop = span(events)
    async with SummaryServer(url=influxd.url, token=influxd.token, org=org) as server:
        arguments = (settings, server, dataset.INTEGRATION, lambda done, total: None)
        counts, written = await replay(events, *arguments)
        assert counts == {
            "accepted": len(events),
            "delivered": len(events),
            "dead_lettered": 0,
            "dropped": 0,
            "pending": 0,
        }
        assert written == len(events)
        assert await replay(events, *arguments) == (counts, 0)

        assert (await backfill(server, start, stop)).ok
        reference = Home(events)
        for name_of_tier, expected in (("hourly", reference.hourly()), ("daily", reference.daily())):
            assert differences(expected, await stored(server, name_of_tier, start, stop)) == []
            assert (await rows_of(server, start, stop))[f"{name_of_tier}_rows"] == len(expected)

        report = Report(
            at=stop,
            home=await read_home(server, pattern=stop - start),
            storage=None,
            past_sizes={},
            advice=(),
            health=HealthReport(at=stop, findings=()),
        )
    summary = {**counts, "hourly_rows": 1, "daily_rows": 1, "preview_changes": 0}
    page = html(demo_page(report, summary))
    assert page.count("<svg") == 2 * page.count('class="plot on-desk"') > 0
    for word in ("Events by day", "Which place is warm when", "Season by season", "By weekday and hour"):
        assert word in page
    assert "http-equiv" not in page
    assert "<script" not in page
    assert "src=" not in page
