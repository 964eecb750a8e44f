"""A year written by version 1 becomes version 2 and version 1 again, on a server that is restarted in between."""

from __future__ import annotations

import dataclasses
import urllib.error
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from event_schema import HOME_ASSISTANT_EVENTS, HOURLY_EVENTS, TIERS, Measurement, Tag
from flux_tasks import downsamples
from operations.archive import Archive, ArchiveProblem, HomeServer, export
from operations.archive.manifest import days_between, start_ns
from operations.archive.target import Target
from operations.influxd import LocalInfluxd
from operations.schema.migrate import rewrite
from operations.schema.record import read_version, write_version
from operations.schema.run import migrate
from operations.schema.steps import AddTag, Migration, RenameField, RetypeField
from tests.operations.archive.conftest import ArchivedHome

HOUR = 3600 * 10**9
CONTRACT_2 = Measurement(
    name=HOME_ASSISTANT_EVENTS.name,
    tags=(*HOME_ASSISTANT_EVENTS.tags, Tag(name="floor", description="the floor that the area is on")),
    fields=tuple(
        dataclasses.replace(one, name="weather_temperature") if one.name == "weather_temp" else one
        for one in HOME_ASSISTANT_EVENTS.fields
    ),
)
TO_2 = Migration(
    version=2,
    summary="weather_temp is spelled out, an area tells its floor",
    steps={
        "raw": (
            RenameField("weather_temp", "weather_temperature"),
            AddTag("floor", "area", {"attic": "3", "hall": "1"}),
        ),
    },
    before={"raw": HOME_ASSISTANT_EVENTS},
    after={"raw": CONTRACT_2},
)


def year(today: date) -> list[str]:
    """A small home's year: an event of each of two entities every other day."""
    first = start_ns(today) - 364 * 24 * HOUR
    return [
        f"home_assistant_events,entity_id=sensor.{area},domain=sensor,area={area} "
        f'state_value="{number}",normalized_value={number},duration_seconds={number}i,weather_temp={number}.5 '
        f"{first + number * 48 * HOUR + number}"
        for number in range(182)
        for area in ("attic", "hall")
    ]


def version_two(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """What the rows of the test's own reading are in version 2."""
    floors = {"area=attic": "floor=3", "area=hall": "floor=1"}
    changed = []
    for measurement, *rest in rows:
        *tags, field, kind, time, value = rest
        found = [floors[tag] for tag in tags if tag in floors]
        name = "weather_temperature" if field == "weather_temp" else field
        changed.append((measurement, *sorted([*tags, *found]), name, kind, time, value))
    return sorted(changed)


class Interrupted(Exception):
    pass


def interrupted_after(groups: int) -> Callable[[int, int, date | None], None]:
    def progress(done: int, total: int, day: date | None) -> None:
        if done == groups:
            raise Interrupted

    return progress


async def test_a_year_to_version_2_and_back(
    make_influxd: Callable[..., LocalInfluxd], tmp_path: Path, unique: str
) -> None:
    today = datetime.now(UTC).date()
    server = make_influxd().start()
    home = ArchivedHome(server, "events", tmp_path / "archive", server.org)
    home.make_bucket(days=365)
    home.make_bucket("operations")
    home.write(year(today))
    before = home.rows()
    days = days_between(today - timedelta(days=364), today)
    target = Target(f"memory://{unique}")

    def archive(tier: str, version: int, measurement: Measurement) -> Archive:
        return Archive(target, "events", measurement, server.org, version)

    async def to(version: int, **more: Any) -> Any:
        return await migrate(
            connected, archive, "events", version, (TO_2,), specs=downsamples(), spool=tmp_path / "spool.sqlite", **more
        )

    async with home.connected() as connected:
        with pytest.raises(ArchiveProblem, match="'hearthflux schema record'"):
            await to(2)
        await write_version(connected.flux, "events", where="operations", version=1)
        with pytest.raises(ArchiveProblem, match=r"182 days are not archived as the server has them"):
            await to(2, really=True)
        assert (await export(connected, archive("raw", 1, HOME_ASSISTANT_EVENTS), days)).exported == 182
        dry = await to(2)
        assert (dry.tiers["raw"].changed, dry.tiers["raw"].points, dry.tiers["raw"].rewritten) == (364, 364, 0)
        assert home.rows() == before

        with pytest.raises(Interrupted):
            await to(2, really=True, progress=interrupted_after(20))
        done = await to(2, really=True)
        assert 0 < done.tiers["raw"].rewritten < done.tiers["raw"].groups
    server.restart()
    assert home.rows() == version_two(before)

    async with home.connected() as connected:
        recorded = await read_version(connected.flux, "events", where="operations")
        assert recorded is not None
        assert recorded.version == 2
        assert (await to(2)).tiers == {}
        with pytest.raises(ArchiveProblem, match="are not archived"):
            await to(1, really=True)
        assert (await export(connected, archive("raw", 2, CONTRACT_2), days)).exported == 182
        assert (await to(1, really=True)).tiers["raw"].rewritten == done.tiers["raw"].groups
    server.restart()
    assert home.rows() == before


async def test_a_type_changes_only_in_a_bucket_made_afterwards(
    make_influxd: Callable[..., LocalInfluxd], tmp_path: Path
) -> None:
    day = datetime.now(UTC).date() - timedelta(days=20)
    server = make_influxd().start()
    home = ArchivedHome(server, "events", tmp_path / "archive", server.org)
    home.make_bucket()
    home.make_bucket("older")
    home.write([f"home_assistant_events,entity_id=a.b duration_seconds={n}i {start_ns(day) + n}" for n in range(50)])
    spool = tmp_path / "spool.sqlite"

    async def retype(connected: HomeServer, old: Any, new: Any, into: str | None, really: bool = True) -> Any:
        steps = [RetypeField("duration_seconds", old, new)]
        return await rewrite(connected, home.archive(), steps, name="t", spool=spool, into=into, really=really)

    async with home.connected() as connected:
        await export(connected, home.archive(), [day])
        for into in (None, "older"):
            with pytest.raises(ArchiveProblem, match="needs a bucket that was made after the archive was written"):
                await retype(connected, "integer", "float", into)
        home.make_bucket("newer")
        report = await retype(connected, "integer", "float", "newer")
        assert (report.rewritten, report.changed) == (1, 50)
        with pytest.raises(ArchiveProblem, match="newer is not empty"):
            await retype(connected, "integer", "float", "newer")
    server.restart()
    assert {(row[-3], row[-1]) for row in home.rows("newer")} == {("double", str(n)) for n in range(50)}
    # The bucket itself made anew is filled from the archive.
    home.wipe()
    async with home.connected() as connected:
        assert (await retype(connected, "integer", "float", None)).rewritten == 1
    server.restart()
    assert home.rows() == home.rows("newer")


async def test_a_value_that_would_lose_something_stops_before_anything_is_touched(
    home: ArchivedHome, today: date, tmp_path: Path
) -> None:
    day = today - timedelta(days=3)
    home.write(
        [
            f'home_assistant_events,entity_id=a.b state_value="{value}" {start_ns(day) + n}'
            for n, value in enumerate(("1", "warm", "2.5"))
        ]
    )
    async with home.connected() as connected:
        await export(connected, home.archive(), [day])
        home.make_bucket(f"{home.bucket}-new")
        with pytest.raises(ArchiveProblem, match=r"1 values can't be changed.*state_value 'warm' as float"):
            await rewrite(
                connected,
                home.archive(),
                [RetypeField("state_value", "string", "float")],
                name="t",
                spool=tmp_path / "spool.sqlite",
                into=f"{home.bucket}-new",
                really=True,
            )
    assert home.rows(f"{home.bucket}-new") == []


async def test_a_damaged_archive_or_a_late_event_stops_a_migration(
    home: ArchivedHome, some_days: list[date], tmp_path: Path
) -> None:
    steps = [RenameField("confidence", "sureness")]

    async def attempt(connected: HomeServer) -> Any:
        return await rewrite(connected, home.archive(), steps, name="t", spool=tmp_path / "spool.sqlite", really=True)

    async with home.connected() as connected:
        await export(connected, home.archive(), some_days)
        home.write([f"home_assistant_events,entity_id=late.one confidence=1 {start_ns(some_days[0])}"])
        before = home.rows()
        with pytest.raises(ArchiveProblem, match="1 days are not archived as the server has them"):
            await attempt(connected)
        await export(connected, home.archive(), some_days)
        damaged = next(iter(sorted(home.folder.rglob("*.parquet"))))
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[:-1] + b"x")
        with pytest.raises(ArchiveProblem, match="is damaged"):
            await attempt(connected)
        assert home.rows() == before
        damaged.write_bytes(whole)
        assert (await attempt(connected)).rewritten > 0
    assert "sureness" in {row[-4] for row in home.rows()}
    assert len(home.rows()) == len(before)


def test_a_shard_remembers_a_type_and_loses_the_new_one_at_a_restart(
    make_influxd: Callable[..., LocalInfluxd], tmp_path: Path
) -> None:
    """Why a type never changes in place. Should this fail with a later InfluxDB, the rule can go."""
    day = datetime.now(UTC).date() - timedelta(days=20)
    server = make_influxd().start()
    home = ArchivedHome(server, "events", tmp_path, server.org)
    home.make_bucket()
    home.write([f"m f=1.5 {start_ns(day)}"])
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=14)
    home.delete(start, start + timedelta(days=28), '_measurement="m"')
    home.write([f"m f=1i {start_ns(day)}"])
    assert len(home.rows()) == 1
    server.restart()
    with pytest.raises(urllib.error.HTTPError, match="500"):
        home.rows()


async def test_a_tier_is_computed_again_when_its_rows_are_archived(
    home: ArchivedHome, today: date, tmp_path: Path, unique: str
) -> None:
    tiers = TIERS.prefixed(f"t{unique}_")
    for name in (*(tier.bucket for tier in tiers), f"t{unique}_operations"):
        home.make_bucket(name)
    raw, hourly = tiers.raw.bucket, tiers.hourly.bucket
    days = [today - timedelta(days=2), today - timedelta(days=1)]
    home.write(
        [
            f'home_assistant_events,entity_id=sensor.a,domain=sensor state_value="1",normalized_value=1 '
            f"{start_ns(day) + hour * HOUR}"
            for day in days
            for hour in range(24)
        ],
        raw,
    )
    rebuilding = Migration(version=2, summary="", rebuild=("hourly",))
    buckets = {"raw": raw, "hourly": hourly}

    def archive(tier: str, version: int, measurement: Measurement) -> Archive:
        return home.archive(measurement, bucket=buckets[tier], version=version)

    async def to(connected: HomeServer, version: int) -> Any:
        return await migrate(
            connected,
            archive,
            raw,
            version,
            (rebuilding,),
            specs=downsamples(tiers),
            spool=tmp_path / "spool.sqlite",
            really=True,
        )

    async with home.connected() as connected:
        await write_version(connected.flux, raw, where=f"t{unique}_operations", version=1)
        assert (await to(connected, 2)).rebuilt["hourly"] >= 48
        assert len({row[-2] for row in home.rows(hourly) if row[-4] == "event_count"}) == 48
        with pytest.raises(ArchiveProblem, match=r"days are not archived as the server has them.*--tier hourly"):
            await to(connected, 1)
        await export(connected, archive("hourly", 2, HOURLY_EVENTS), [*days, today])
        assert (await to(connected, 1)).rebuilt["hourly"] >= 48
