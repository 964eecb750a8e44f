"""What `repair` and `backfill` find and put right on the real server, and what they leave alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from event_schema import Event
from flux_tasks import Report, SummaryServer, backfill, repair
from operations.influxd import LocalInfluxd
from operations.summary_commands import interrupted
from tests.flux_tasks.lab import Lab
from tests.reference import Home, differences, ns

DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=4)


def event(hours: float, value: float | None) -> Event:
    return Event(
        time_ns=ns(DAY + timedelta(hours=hours)),
        entity_id="sensor.room",
        state_value="unavailable" if value is None else str(value),
        normalized_value=value,
    )


@pytest.fixture
def lab(influxd: LocalInfluxd, unique: str) -> Iterator[Lab]:
    made = Lab(influxd, f"repair_{unique}")
    yield made
    made.close()


@pytest.fixture
async def server(influxd: LocalInfluxd) -> AsyncIterator[SummaryServer]:
    async with SummaryServer(url=influxd.url, token=influxd.token, org=influxd.org) as one:
        yield one


async def put_right(lab: Lab, server: SummaryServer) -> Report:
    return await repair(server, DAY, DAY + timedelta(days=2), specs=(lab.hourly, lab.daily))


async def test_what_keeps_every_total_is_found(lab: Lab, server: SummaryServer) -> None:
    """Two values become two others of the same sum, and one row gets a field that it should not have."""
    events = [event(1.2, 10.0), event(1.4, 30.0), event(5.0, None)]
    lab.write(events)
    await put_right(lab, server)
    changed = [event(1.2, 19.0), event(1.4, 21.0)]
    lab.write(changed)
    bucket, at = lab.tiers.hourly.bucket, ns(DAY + timedelta(hours=5))
    await server.write_lines(
        bucket,
        [
            f"hourly_events,domain=sensor,entity_id=sensor.room time_weighted_avg=3 {at}",
            f"hourly_events,device_class=energy,domain=sensor,entity_id=sensor.room event_count=1i {at}",
            f"hourly_events,domain=sensor,entity_id=sensor.gone event_count=7i {at}",
        ],
    )
    report = await put_right(lab, server)
    assert (report.ok, report.computed) == (True, 3)  # hours 1 and 5, and the day
    home = Home([*events, *changed])
    assert differences(home.hourly(), lab.stored("hourly")) == []
    assert differences(home.daily(), lab.stored("daily")) == []
    assert (await put_right(lab, server)).computed == 0


async def test_interrupted_at_any_point_nothing_is_lost(lab: Lab, server: SummaryServer) -> None:
    events = [event(hours, float(hours)) for hours in range(0, 48, 3)]
    lab.write(events)
    await put_right(lab, server)
    rows = lab.stored("hourly")
    for wait in (0.01, 0.05, 0.12):
        work = asyncio.create_task(put_right(lab, server))
        await asyncio.sleep(wait)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert lab.stored("hourly") == rows
    done: list[tuple[int, int]] = []
    report = await backfill(
        server,
        DAY,
        DAY + timedelta(days=2),
        specs=(lab.hourly, lab.daily),
        pause=0.05,
        progress=lambda *at: done.append(at),
    )
    assert (report.due, report.computed, report.ok) == (50, 50, True)
    assert done == [(0, 50), (25, 50), (50, 50)]
    assert report.reached is not None
    assert f"--from {DAY + timedelta(days=2):%Y-%m-%d}T00:00:00Z" in interrupted("backfill", report)


class Stopping(SummaryServer):
    """Someone presses Ctrl-C right after a row was deleted."""

    deleted = 0

    async def delete_row(self, *where: Any) -> None:
        await super().delete_row(*where)
        Stopping.deleted += 1
        working = [task for task in asyncio.all_tasks() if task.get_name() == "the repair"]
        working[0].cancel()


async def test_stopped_between_a_deletion_and_what_is_written_again(lab: Lab, influxd: LocalInfluxd) -> None:
    """Fields too many, of a row with and of one without a class, and rows too many: no row is ever left out."""
    events = [event(1.2, 10.0), event(5.0, None), event(7.0, 1.0)]
    events[2].device_class = "power"
    lab.write(events)
    one, of_power, gone = (ns(DAY + timedelta(hours=hours)) for hours in (5, 7, 9))
    home = Home(events)
    async with Stopping(url=influxd.url, token=influxd.token, org=influxd.org) as server:
        await put_right(lab, server)
        room = "domain=sensor,entity_id=sensor.room"
        await server.write_lines(
            lab.tiers.hourly.bucket,
            [
                f"hourly_events,{room} time_weighted_avg=3 {one}",
                f"hourly_events,device_class=power,{room} total_energy=3 {of_power}",
                f"hourly_events,device_class=power,{room} event_count=1i {one}",
                f"hourly_events,{room} event_count=1i {gone}",
            ],
        )
        for stops in range(1, 4):
            work = asyncio.create_task(put_right(lab, server), name="the repair")
            await asyncio.gather(work, return_exceptions=True)
            assert (work.cancelled(), Stopping.deleted) == (True, stops)
            assert not [one for one in differences(home.hourly(), lab.stored("hourly")) if one.startswith("missing")]
        assert differences(home.hourly(), lab.stored("hourly")) == []
        assert (await put_right(lab, server)).computed == 0


async def test_beside_the_live_tasks(lab: Lab, server: SummaryServer) -> None:
    """The tasks write the same hours and days while they are repaired, over and over."""
    events = [event(hours / 3, float(hours % 7)) for hours in range(72)]
    lab.write(events)
    done = asyncio.Event()

    async def live() -> None:
        while not done.is_set():
            for hours in (1, 2, 24):
                await asyncio.to_thread(lab.run_tasks, lab.hourly, DAY + timedelta(hours=hours, minutes=5))
            await asyncio.to_thread(lab.run_tasks, lab.daily, DAY + timedelta(hours=24, minutes=15))

    running = asyncio.create_task(live())
    for _ in range(3):
        assert (await put_right(lab, server)).ok
    done.set()
    await running
    home = Home(events)
    assert differences(home.hourly(), lab.stored("hourly")) == []
    assert differences(home.daily(), lab.stored("daily")) == []


async def test_at_the_edge_of_the_retention(influxd: LocalInfluxd, lab: Lab, server: SummaryServer) -> None:
    """A window partly past it is never computed; one whose look-back is keeps what it knows of before."""
    lab.write([event(-24 * 3, 20.0), event(30, None)])
    await repair(server, DAY - timedelta(days=4), DAY + timedelta(days=2), specs=(lab.hourly, lab.daily))
    before = {key: row for key, row in lab.stored("hourly").items() if key[3] == ns(DAY + timedelta(hours=30))}
    assert [row["covered_seconds"] for row in before.values()] == [0.0]
    lab.write([event(30.5, 25.0)])
    raw = lab.bucket_ids["raw"]
    rule = {"everySeconds": 5 * 86_400, "shardGroupDurationSeconds": 86_400, "type": "expire"}
    influxd.api("PATCH", f"/api/v2/buckets/{raw}", {"retentionRules": [rule]})
    report = await repair(server, DAY - timedelta(days=4), DAY + timedelta(days=2), specs=(lab.hourly, lab.daily))
    assert report.ok
    assert report.expired >= 24 * 3
    (row,) = (row for key, row in lab.stored("hourly").items() if key[3] == ns(DAY + timedelta(hours=30)))
    assert (row["event_count"], row["last_value"], row["covered_seconds"]) == (2, 25.0, 0.0)


async def test_a_bucket_that_is_not_there_is_a_sentence(lab: Lab, server: SummaryServer) -> None:
    lab.influxd.api("DELETE", f"/api/v2/buckets/{lab.bucket_ids.pop('daily')}")
    with pytest.raises(Exception, match=f"no bucket '{lab.tiers.daily.bucket}'"):
        await put_right(lab, server)
