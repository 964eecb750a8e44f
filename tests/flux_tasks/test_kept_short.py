"""What the reconciling tasks leave alone: what looks back past the retention, what is later than the horizon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from event_schema import TIERS, Event, Tiers
from flux_tasks import SummaryServer, backfill, downsamples
from operations.influxd import LocalInfluxd
from stacks.refusals import planned
from stacks.settings import load
from tests.flux_tasks.lab import Lab
from tests.reference import Home, Key, Row, differences, ns

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)


def event(at: datetime, value: float) -> Event:
    return Event(time_ns=ns(at), entity_id="sensor.room", state_value=str(value), normalized_value=value)


@pytest.fixture
def lab(influxd: LocalInfluxd, unique: str) -> Iterator[Lab]:
    made = Lab(influxd, f"short_{unique}")
    yield made
    made.close()


async def fill(lab: Lab, events: list[Event]) -> None:
    lab.write(events)
    async with SummaryServer(url=lab.influxd.url, token=lab.influxd.token, org=lab.influxd.org) as server:
        report = await backfill(server, TODAY - 10 * DAY, TODAY, specs=(lab.hourly, lab.daily))
    assert report.ok


def since(rows: dict[Key, Row], start: datetime, stop: datetime) -> dict[Key, Row]:
    return {key: row for key, row in rows.items() if ns(start) <= key[3] < ns(stop)}


async def test_what_looks_back_past_the_retention_is_left_alone(lab: Lab) -> None:
    """Kept for nine days: yesterday can be made again, the day before can't, as a value may hold in it that is gone."""
    events = [event(TODAY - 9 * DAY, 20.0), event(TODAY - 1.5 * DAY, 22.0), event(TODAY - 0.5 * DAY, 24.0)]
    await fill(lab, events)
    before = {tier: lab.stored(tier) for tier in ("hourly", "daily")}
    (held,) = since(before["daily"], TODAY - 2 * DAY, TODAY - DAY).values()
    assert held["covered_seconds"] == 86_400

    kept = Tiers(replace(tier, retention=9 * DAY if tier.name == "raw" else None) for tier in lab.tiers)
    rule = {"everySeconds": 9 * 86_400, "shardGroupDurationSeconds": 86_400, "type": "expire"}
    lab.influxd.api("PATCH", f"/api/v2/buckets/{lab.bucket_ids['raw']}", {"retentionRules": [rule]})
    # The server looks for what has expired every half hour: this is what it does then.
    lab.delete("raw", TODAY - 20 * DAY, TODAY - 8 * DAY)
    late = [event(TODAY - 1.8 * DAY, 21.0), event(TODAY - 0.8 * DAY, 23.0)]
    lab.write(late)
    now = TODAY + timedelta(hours=5)
    specs = downsamples(kept)
    assert specs[0].horizon_days == 1
    for spec in specs:
        lab.reconcile(spec, now)
    home = Home([*events, *late])
    for tier, expected in (("hourly", home.hourly()), ("daily", home.daily())):
        stored = lab.stored(tier)
        assert since(stored, TODAY - 20 * DAY, TODAY - DAY) == since(before[tier], TODAY - 20 * DAY, TODAY - DAY)
        assert differences(since(expected, TODAY - DAY, TODAY), since(stored, TODAY - DAY, TODAY)) == []
    # Tasks that did not know of the retention would have replaced that row by a poorer one.
    for spec in (lab.hourly, lab.daily):
        lab.reconcile(spec, now)
    (partial,) = since(lab.stored("daily"), TODAY - 2 * DAY, TODAY - DAY).values()
    assert partial["covered_seconds"] < 86_400


def test_kept_for_less_nothing_is_made_again() -> None:
    tiers = Tiers(
        replace(tier, retention=8 * DAY, shard_group_duration=DAY) if tier.name == "raw" else tier for tier in TIERS
    )
    hourly, daily = downsamples(tiers)
    assert [task.name for task in hourly.tasks()] == ["downsample_hourly", "downsample_hourly_weighted"]
    # Days are made of hours, which are kept.
    assert "reconcile_daily" in {task.name for task in daily.tasks()}
    assert downsamples(tiers, "Asia/Kolkata")[1].horizon_days == 0


@pytest.mark.parametrize(("hours", "found"), [(48, False), (72, True)])
async def test_the_setting_late_hours_says_how_late_is_found(lab: Lab, hours: int, found: bool) -> None:
    """From the stack's configuration to the rows: an event that is told two and a half days late."""
    events = [event(TODAY - 2.8 * DAY, 20.0)]
    await fill(lab, events)
    before = lab.stored("hourly"), lab.stored("daily")
    late = [event(TODAY - 2.6 * DAY, 30.0)]
    lab.write(late)
    prefix = lab.tiers.raw.bucket.removesuffix("events")
    home = {"name": "late", "prefix": prefix, "lateHours": hours}
    for task in planned(load({"homes": [home]}, {}))["late"].summaries:
        if "reconcile" in task.name:
            lab.run(task.flux, TODAY + timedelta(hours=5))
    if found:
        home_now = Home([*events, *late])
        assert differences(home_now.hourly(), lab.stored("hourly")) == []
        assert differences(home_now.daily(), lab.stored("daily")) == []
    else:
        assert (lab.stored("hourly"), lab.stored("daily")) == before
