"""Runs that are repeated, killed, late or mistaken."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from operations.archive import ArchiveProblem, export, restore, verify
from operations.archive.manifest import midnight, start_ns
from operations.archive.status import expiring
from operations.archive.target import Target
from tests.operations.archive.conftest import ArchivedHome, Command, lines_of
from tools.find import ROOT


async def test_late_events_are_found_and_added(home: ArchivedHome, some_days: list[date], tmp_path: Path) -> None:
    """Also when the server has lost other points of that day meanwhile: an archived point stays."""
    day = some_days[1]
    async with home.connected() as server:
        assert (await export(server, home.archive(), some_days)).exported == 4
        nothing_new = await export(server, home.archive(), some_days)
        assert (nothing_new.exported, nothing_new.again, nothing_new.looked_at) == (0, 0, 4)
        complete = home.rows()
        home.delete(midnight(day), midnight(day) + timedelta(days=1), 'entity_id="sensor.room_3"')
        fewer = await export(server, home.archive(), some_days)
        assert (fewer.again, fewer.kept) == (0, [day.isoformat()])
        late = f'home_assistant_events,entity_id=late.one state_value="here",attribute_new=1 {start_ns(day) + 5}'
        home.write([late])
        report = await export(server, home.archive(), some_days)
        assert (report.exported, report.again) == (0, 1)
        assert home.archive().manifests()[day].revision == 2
        assert len(list(home.folder.rglob("*.parquet"))) == 4
        home.wipe()
        await restore(server, home.archive(), some_days, spool=tmp_path / "spool.sqlite")
        assert len(home.rows()) == len(complete) + 2
        assert set(complete) < set(home.rows())
        home.delete(midnight(day), midnight(day) + timedelta(days=1), 'entity_id="late.one"')
        replaced = await export(server, home.archive(), some_days, replace=True)
        assert (replaced.again, replaced.kept) == (1, [])
        assert home.archive().manifests()[day].rows == 28


async def test_days_that_expire_and_are_not_archived(influxd: object, home: ArchivedHome, today: date) -> None:
    home.server.api("DELETE", f"/api/v2/buckets/{home.bucket_id()}")
    home.make_bucket(days=10, shard_days=1)
    days = [today - timedelta(days=number) for number in (8, 7, 2)]
    home.write([line for day in days for line in lines_of(day, 3)])
    async with home.connected() as server:
        bucket = await server.bucket(home.bucket)
        assert await expiring(server, home.archive(), bucket, timedelta(days=4)) == days[:2]
        await export(server, home.archive(), days[1:])
        assert await expiring(server, home.archive(), bucket, timedelta(days=4)) == days[:1]


def killed_at_random(home: ArchivedHome, times: int, progress: Callable[[], int], *arguments: str) -> None:
    """SIGKILL the command `times` times, each at a random moment after it got something done."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("INFLUXDB_", "HEARTHFLUX_"))}
    for _ in range(times):
        before = progress()
        process = subprocess.Popen(
            [sys.executable, "-m", "operations.cli", "archive", *arguments, "--rows-per-second", "25"],
            cwd=ROOT,
            env={**inherited, **home.environment, "HEARTHFLUX_LOCAL": str(home.folder.parent / "local")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        try:
            end = time.monotonic() + 300
            while progress() == before and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(random.random() * 0.4)
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()


async def test_killed_at_random_moments_and_run_again(home: ArchivedHome, today: date, tmp_path: Path) -> None:
    """Whatever is under a final name is whole; the runs together archive and restore everything."""
    days = [today - timedelta(days=number) for number in range(40, 10, -1)]
    home.write([line for day in days for line in lines_of(day, 6)])
    before = home.rows()

    def archived() -> int:
        while True:
            try:
                return whole_days()
            except FileNotFoundError:
                continue  # what is not whole yet got its final name while we looked

    def whole_days() -> int:
        archive = home.archive()
        for path in home.folder.rglob("*.parquet"):
            assert pq.read_metadata(path).num_rows == 10
        for manifest in archive.manifests().values():
            with archive.opened(manifest, tmp_path):
                pass
        return len(archive.manifests())

    killed_at_random(home, 3, archived, "run", "--all")
    assert 0 < archived() < 30
    async with home.connected() as server:
        assert (await export(server, home.archive(), days)).ok
        assert await verify(home.archive(), days, server=server) == []
        left = [path.name for path in (home.folder / home.bucket).rglob("*") if path.name.startswith(".")]
        assert left == [".lock"]
        home.wipe()
        span = ("--from", days[0].isoformat(), "--to", today.isoformat())
        killed_at_random(home, 2, lambda: len(home.rows()), "restore", *span)
        assert 0 < len(home.rows()) < len(before)
        assert (await restore(server, home.archive(), days, spool=tmp_path / "spool.sqlite")).ok
    assert home.rows() == before


def test_the_command_from_run_to_restore(home: ArchivedHome, some_days: list[date], command: Command) -> None:
    variables = {**home.environment, "INFLUXDB_TOKEN": home.token("read", "write")}
    span = ("--from", some_days[0].isoformat(), "--to", some_days[2].isoformat())
    nothing = command("archive", "run", **variables)
    assert "keeps for ever: --all archives every whole day" in nothing.stdout
    first = command("archive", "run", "--all", "--json", **variables)
    assert json.loads(first.stdout)["exported"] == 4, first.stderr
    assert json.loads(command("archive", "status", "--json", **variables).stdout)["days"] == 4
    verified = command("archive", "verify", "--server", **variables)
    assert "4 of 4 days are whole" in verified.stdout, verified.stderr
    before = home.rows()
    for day in some_days[:2]:
        home.delete(midnight(day), midnight(day) + timedelta(days=1), '_measurement="home_assistant_events"')
    assert len(home.rows()) < len(before)
    assert "2 days restored (56 points), 0 were there" in command("archive", "restore", *span, **variables).stdout
    assert home.rows() == before


def test_statistics_beside_the_summaries_are_archived_too(
    home: ArchivedHome, today: date, command: Command, tmp_path: Path
) -> None:
    day = today - timedelta(days=3)
    home.write(
        [
            f"hourly_events,entity_id=sensor.a avg_value=1,event_count=2i {start_ns(day)}",
            f"hourly_statistics,entity_id=sensor.a avg_value=3 {start_ns(day)}",
            f"somebody_elses x=1 {start_ns(day)}",
        ]
    )
    before = [row for row in home.rows() if row[0] != "somebody_elses"]
    options = ("--tier", "hourly", "--bucket", home.bucket)
    run = command("archive", "run", "--all", *options, **home.environment)
    assert "2 archived, 0 archived again" in run.stdout, run.stderr
    assert "not archived: the measurements somebody_elses," in run.stdout
    home.wipe()
    span = ("--from", day.isoformat(), "--to", today.isoformat())
    assert "2 days restored (2 points)" in command("archive", "restore", *span, *options, **home.environment).stdout
    assert home.rows() == before


@pytest.mark.parametrize(
    ("arguments", "changes", "code", "sentence"),
    [
        (("run",), {"HEARTHFLUX_ARCHIVE": ""}, 2, "Name a folder or a URL with --target or HEARTHFLUX_ARCHIVE"),
        (("run", "--target", "nope://x"), {}, 1, "is not a folder or a URL that fsspec knows"),
        (("run", "--target", "/nowhere/at/all"), {}, 1, "There is no folder /nowhere/at for the archive"),
        (("run", "--target", "/dev/null"), {}, 1, "/dev/null"),
        (("run", "--target", "s3://key:hidden@bucket/x"), {}, 1, "needs another package"),
        (("run", "--tier", "weekly"), {}, 2, "the tiers are raw, hourly, daily"),
        (("run", "--from", "2026-02-30"), {}, 2, "--from '2026-02-30' is not a day"),
        (("run", "--from", "2026-02-02", "--to", "2026-02-01"), {}, 2, "the span is empty"),
        (("run", "--bucket", "nowhere"), {}, 1, "There is no bucket 'nowhere'"),
        (("run",), {"INFLUXDB_TOKEN": "wrong"}, 1, "does not know this token"),
        (("run",), {"INFLUXDB_URL": "http://127.0.0.1:9"}, 1, "No answer from InfluxDB at http://127.0.0.1:9"),
        (("run",), {"INFLUXDB_TOKEN": ""}, 1, "INFLUXDB_TOKEN not set"),
        (("verify",), {}, 1, "'hearthflux archive run' makes one"),
        (("restore", "--from", "2026-01-01", "--to", "2026-02-01"), {}, 1, "'hearthflux archive run' makes one"),
    ],
)
def test_mistakes_get_a_sentence(
    home: ArchivedHome,
    some_days: list[date],
    command: Command,
    arguments: tuple[str, ...],
    changes: dict[str, str],
    code: int,
    sentence: str,
) -> None:
    answer = command("archive", *arguments, **{**home.environment, **changes})
    assert (answer.returncode, sentence in answer.stderr) == (code, True), answer.stderr
    assert "Traceback" not in answer.stderr
    assert "hidden" not in answer.stderr


def test_a_token_that_may_only_write_is_told_so(home: ArchivedHome, command: Command) -> None:
    answer = command("archive", "run", **{**home.environment, "INFLUXDB_TOKEN": home.token("write")})
    assert answer.returncode == 1
    assert "that this token may read" in answer.stderr


async def test_damage_is_found_and_nothing_of_that_day_is_restored(
    home: ArchivedHome, some_days: list[date], tmp_path: Path
) -> None:
    async with home.connected() as server:
        await export(server, home.archive(), some_days)
        files = sorted(home.folder.rglob("*.parquet"))
        flipped = bytearray(files[0].read_bytes())
        flipped[len(flipped) // 2] ^= 1
        files[0].write_bytes(flipped)
        files[1].write_bytes(files[1].read_bytes()[:-10])
        files[2].unlink()
        problems = [one.problem for one in await verify(home.archive(), some_days)]
        assert len(problems) == 3
        for problem, word in zip(
            problems, ("its checksum is not", "bytes, its manifest says", "not there"), strict=True
        ):
            assert word in problem
        home.wipe()
        report = await restore(server, home.archive(), some_days, spool=tmp_path / "spool.sqlite")
        assert (report.restored, len(report.failed)) == (1, 3)
        assert {row[-2][:10] for row in home.rows()} == {some_days[3].isoformat()}


async def test_manifests_of_something_else_are_refused(
    home: ArchivedHome, some_days: list[date], tmp_path: Path
) -> None:
    async with home.connected() as server:
        await export(server, home.archive(), some_days[:1])
    (manifest,) = home.folder.rglob("*.json")
    told = json.loads(manifest.read_text())
    for change, sentence in (
        ({"bucket": "other"}, "is of bucket 'other', not"),
        ({"org": "other"}, "is of org 'other', not"),
        ({"measurement": "hourly_events"}, "is of measurement 'hourly_events'"),
        ({"layout": 9}, "has layout 9"),
        ({"day": "2026-01-01"}, "it was moved"),
    ):
        manifest.write_text(json.dumps(told | change))
        with pytest.raises(ArchiveProblem, match=sentence):
            home.archive().manifests()
    manifest.write_text(manifest.read_text()[:50])
    with pytest.raises(ArchiveProblem, match="is damaged"):
        home.archive().manifests()


async def test_days_older_than_the_bucket_keeps_are_refused_before_anything_is_written(
    home: ArchivedHome, some_days: list[date], tmp_path: Path
) -> None:
    async with home.connected() as server:
        await export(server, home.archive(), some_days)
        home.make_bucket(f"{home.bucket}-short", days=7, shard_days=1)
        with pytest.raises(ArchiveProblem, match="keeps 7 days: 2 of the days"):
            await restore(
                server, home.archive(), some_days, into=f"{home.bucket}-short", spool=tmp_path / "spool.sqlite"
            )
        home.make_bucket(f"{home.bucket}-long")
        report = await restore(
            server, home.archive(), some_days, into=f"{home.bucket}-long", spool=tmp_path / "spool.sqlite"
        )
        assert report.restored == 4
    assert home.rows(f"{home.bucket}-long") == home.rows()


async def test_two_runs_at_once_in_one_folder(home: ArchivedHome, some_days: list[date]) -> None:
    target = Target(home.folder)
    async with home.connected() as server:
        with target.locked(home.bucket), pytest.raises(ArchiveProblem, match="Another process is writing"):
            await export(server, home.archive(), some_days)


async def test_a_token_of_another_organization_is_not_an_empty_archive(home: ArchivedHome, today: date) -> None:
    """InfluxQL takes the organization from the token and would find nothing, without an error."""
    made = home.server.api("POST", "/api/v2/orgs", {"name": f"org-{home.bucket}"})
    bucket = {"name": home.bucket, "orgID": made["id"], "retentionRules": []}
    home.server.api("POST", "/api/v2/buckets", bucket)
    home.org = made["name"]
    day = today - timedelta(days=3)
    home.write(lines_of(day))
    async with home.connected() as server:
        report = await export(server, home.archive(), [day])
    assert "does the token belong to another organization" in report.failed[day.isoformat()]
    assert home.archive().manifests() == {}


async def test_verify_with_the_server_names_what_differs(home: ArchivedHome, some_days: list[date]) -> None:
    async with home.connected() as server:
        await export(server, home.archive(), some_days)
        start = start_ns(some_days[0])
        hall = "entity_id=climate.hall,domain=climate"
        home.write([f"home_assistant_events,{hall} attribute_current_temperature=22 {start}"])
        home.write([f"home_assistant_events,entity_id=new.one normalized_value=1 {start + 1}"])
        home.delete(midnight(some_days[1]), midnight(some_days[2]), 'entity_id="sensor.text"')
        found = {one.day: one.problem for one in await verify(home.archive(), some_days, server=server)}
    assert list(found) == some_days[:2]
    assert f"attribute_current_temperature: other values at {start} {hall}" in found[some_days[0]]
    assert f"the archive lacks the point {start + 1} entity_id=new.one" in found[some_days[0]]
    assert "the server lacks the point" in found[some_days[1]]
