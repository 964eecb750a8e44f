"""The storage figures against `du` on a real server, before and after shards expire; what is recorded; the command."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from operations import records
from operations.errors import UserError
from operations.influxd import LocalInfluxd
from operations.sizes import parse_size
from operations.storage.advice import recommendations
from operations.storage.collect import collect_costs, collect_figures, oldest_points, shard_groups
from operations.storage.figures import BucketFigures, figures
from operations.storage.retention import compliance
from operations.storage.shards import read_metrics
from operations.storage_commands import as_json, examine
from tests.operations.conftest import Run
from tests.operations.homes import LiveHome, make_home

DAY = 86_400
WEEKS = 20
WEEKS_LEFT = 5
FILLED = ("events", "events_hourly")


def events(week: int, now: int) -> str:
    """A week before now: ten sensors, one of them chatty, and a tag that changes with the weather."""
    dice = random.Random(week)
    lines = []
    for entity in range(10):
        count = 4000 if entity == 0 else 250
        for number in range(count):
            at = now - week * 7 * DAY - int(number * 6.9 * DAY / count) - 60
            weather = ("sunny", "rainy", "cloudy")[number % 3]
            lines.append(
                f"home_assistant_events,entity_id=sensor.room_{entity},domain=sensor,device_class=temperature,"
                f'weather_condition={weather} state_value="{dice.gauss(20, 3):.2f}",'
                f"normalized_value={dice.gauss(20, 3):.4f} {at}"
            )
    return "\n".join(lines)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHome]:
    """A home of twenty weeks, compacted."""
    server = LocalInfluxd(
        tmp_path_factory.mktemp("influxd"),
        options={
            "storage-retention-check-interval": "1s",
            "storage-cache-snapshot-write-cold-duration": "1s",
        },
    )
    try:
        server.start()
        home = make_home(server, "lived-in")
        now = int(time.time())
        for week in range(WEEKS):
            home.write("events", events(week, now))
        hours = "\n".join(
            f"hourly_events,entity_id=sensor.room_{entity},domain=sensor avg_value=20.5,event_count=4i,sum_value=82.1 "
            f"{(now // 3600 - hour) * 3600}"
            for hour in range(24 * 7 * WEEKS)
            for entity in range(2)
        )
        home.write("events_hourly", hours)
        asyncio.run(settled(home))
        yield home
    finally:
        server.kill()


def du(home: LiveHome, bucket: str) -> int:
    folders = [home.influxd.engine_path / part / home.buckets[bucket] for part in ("data", "wal")]
    answer = subprocess.run(["du", "-s", "-B1", *folders], capture_output=True, text=True, check=True)
    return sum(int(line.split()[0]) for line in answer.stdout.splitlines())


def of(found: tuple[BucketFigures, ...], bucket: str) -> BucketFigures:
    return next(one for one in found if one.name == bucket)


async def test_sizes_are_those_on_disk_also_when_shards_have_expired(lived_in: LiveHome) -> None:
    home = lived_in.settings
    async with lived_in.server() as server:
        before = await collect_figures(server, home)
        for bucket in FILLED:
            assert of(before.buckets, bucket).total_bytes == pytest.approx(du(lived_in, bucket), rel=0.1)
        raw = of(before.buckets, "events")
        assert (raw.tier, raw.shards >= WEEKS, raw.stale_bytes, raw.measured) == ("raw", True, 0, True)
        assert raw.series == 30
        # A steady home: what is new each week is what each week holds, and a year of it is the plateau.
        assert raw.bytes_per_day == pytest.approx(raw.total_bytes / (7 * WEEKS), rel=0.15)
        assert raw.plateau is not None
        assert raw.plateau.expected == pytest.approx(raw.bytes_per_day * 372, rel=0.05)
        assert before.disk is not None

        # Data that really expire: the retention is shortened, and the server looks every second.
        keep = WEEKS_LEFT * 7 * DAY
        rule = {"type": "expire", "everySeconds": keep, "shardGroupDurationSeconds": 7 * DAY}
        lived_in.influxd.api("PATCH", f"/api/v2/buckets/{lived_in.buckets['events']}", {"retentionRules": [rule]})
        await_expiry(lived_in, WEEKS_LEFT + 2)
        await settled(lived_in)
        after = await collect_figures(server, home)
        raw = of(after.buckets, "events")
        assert raw.shards <= WEEKS_LEFT + 2
        assert raw.stale_shards >= WEEKS - WEEKS_LEFT - 2
        assert raw.total_bytes == pytest.approx(du(lived_in, "events"), rel=0.1)
        assert raw.bytes + raw.stale_bytes > 2 * raw.bytes, "the plain sum of the gauges counts what is gone"

        # Without a look at the server's files, the metadata say which shards are gone.
        metrics = read_metrics(await server.metrics_text())
        buckets, groups = await server.buckets(), await shard_groups(server)
        assert groups is not None
        remote = figures(metrics, buckets, groups, home.tiers, now=datetime.now(UTC))
        assert of(remote.buckets, "events").total_bytes == raw.total_bytes

        declared = replace(
            home, tiers=type(home.tiers)((replace(home.tiers.raw, retention=timedelta(days=35)), *home.tiers[1:]))
        )
        oldest = await oldest_points(server, declared, buckets)
        found = compliance(declared.tiers, buckets, oldest, groups, datetime.now(UTC))
        assert [tier.problems for tier in found] == [(), (), ()]
        assert found[0].oldest is not None
        assert datetime.now(UTC) - found[0].oldest < timedelta(days=35 + 7, hours=1)
        (as_before, *_) = compliance(home.tiers, buckets, oldest, groups, datetime.now(UTC))
        assert as_before.problems == (
            "events keeps 35 d, declared is 365 d: 'hearthflux stack preview' shows what would change",
        )


async def settled(home: LiveHome) -> None:
    """Until the server has written its cache out and brought its gauges up to date, which it does every ten seconds."""
    sizes: list[int] = []
    until = time.monotonic() + 300
    async with home.server() as server:
        while True:
            before, sizes = sizes, [du(home, bucket) for bucket in FILLED]
            found = await collect_figures(server, home.settings)
            told = [of(found.buckets, bucket).total_bytes for bucket in FILLED]
            if sizes == before and told == pytest.approx(sizes, rel=0.1):
                return
            assert time.monotonic() < until, (told, sizes)
            await asyncio.sleep(1.5)


def await_expiry(home: LiveHome, most: int) -> None:
    folder: Path = home.influxd.engine_path / "data" / home.buckets["events"] / "autogen"
    until = time.monotonic() + 300
    while len(list(folder.iterdir())) > most:
        assert time.monotonic() < until, "the server did not drop its expired shards"
        time.sleep(0.2)


async def test_what_costs_most_is_named_with_what_to_do(lived_in: LiveHome) -> None:
    home = lived_in.settings
    async with lived_in.server() as server:
        found = await collect_figures(server, home)
        costs = await collect_costs(server, home, found, days=7)
    dearest = costs.entities[0]
    assert dearest.entity_id == "sensor.room_0"
    assert dearest.share == pytest.approx(4000 / (4000 + 9 * 250), rel=0.05)
    assert dearest.seconds_between == pytest.approx(7 * DAY / 4000, rel=0.05)
    assert costs.bytes_per_event is not None
    assert 5 < costs.bytes_per_event < 100
    weather = next(tag for tag in costs.tags if tag.tag == "weather_condition")
    assert (weather.values, weather.series_without) == (3, 10)
    assert weather.factor == pytest.approx(3.0)
    advised = recommendations(found, costs, home.tiers, least_saving=1)
    assert {one.kind for one in advised} >= {"retention"}
    assert all("hearthflux:retentionDays" in one.change for one in advised if one.kind == "retention")


async def test_a_token_that_only_reads_gets_figures_too(lived_in: LiveHome) -> None:
    token = lived_in.monitor_token()
    async with lived_in.server(token) as server:
        found = await collect_figures(server, lived_in.settings)
        assert await shard_groups(server) is None
    raw = of(found.buckets, "events")
    assert not raw.measured
    assert raw.total_bytes == pytest.approx(du(lived_in, "events"), rel=0.1)
    assert raw.bytes_per_day > 0


async def test_what_is_recorded_gives_growth(lived_in: LiveHome) -> None:
    home = lived_in.settings
    async with lived_in.server(lived_in.monitor_token()) as server:
        found = await collect_figures(server, home)
        week_ago = replace(found, at=found.at - timedelta(days=7, hours=3))
        half = tuple(replace(one, bytes=one.bytes // 2) for one in found.buckets)
        await server.write(home.operations_bucket, "\n".join(records.storage_lines(replace(week_ago, buckets=half))))
        again = await collect_figures(server, home)
    raw = of(again.buckets, "events")
    assert raw.grown_in_week == raw.bytes - of(half, "events").bytes


def test_the_command_shows_and_records(hearthflux: Run, lived_in: LiveHome) -> None:
    variables = lived_in.variables()
    shown = hearthflux("storage", "--limit", "1GB", **variables)
    assert shown.returncode == 0, shown.stderr
    for word in ("events_hourly", "Dearest entities", "sensor.room_0", "weather_condition", "The limit of 1.0 GB"):
        assert word in shown.stdout
    recorded = hearthflux("storage", "record", **variables)
    assert recorded.returncode == 0, recorded.stderr
    assert "points written to operations" in recorded.stdout


def test_a_wrong_limit_is_a_sentence() -> None:
    with pytest.raises(UserError, match="--limit 'lots' is not a size: give one such as 20GB"):
        parse_size("lots", "--limit")
    assert [parse_size(text, "--limit") for text in ("20GB", "1.5 MiB", "7")] == [20 * 10**9, 1572864, 7]


async def test_the_figures_are_plain_values(lived_in: LiveHome) -> None:
    figures, costs, advice = await examine(lived_in.settings, 10**9, 7.0, server=lived_in.server())
    told = json.loads(json.dumps(as_json(figures, costs, advice), default=str))
    assert told["total_bytes"] == figures.total_bytes
    assert told["costs"]["entities"][0]["entity_id"] == "sensor.room_0"
    assert {"expected", "low", "high"} == set(told["in_days"]["365"])
