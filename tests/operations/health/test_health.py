"""`hearthflux health` on a real server: a home that is well, and each thing that can go wrong with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flux_tasks import backfill, downsamples
from flux_tasks.server import SummaryServer
from operations.health.checks import HealthReport
from operations.health.look import Limits, Look
from operations.influxd import LocalInfluxd
from tests.conftest import MakeInfluxd
from tests.operations.conftest import Run
from tests.operations.homes import LiveHome, make_home
from tools.find import ROOT
from writer.chunk import Chunk
from writer.spool import Spool

MINUTE = timedelta(minutes=1)


async def look(home: LiveHome, *, token: str | None = None, limits: Limits | None = None, **more: Any) -> HealthReport:
    async with home.server(token) as server:
        return await Look(server, home.settings, limits or Limits(), **more).health()


def of(report: HealthReport, check: str) -> tuple[str, tuple[str, ...]]:
    (finding,) = (one for one in report.findings if one.check == check)
    return finding.status, finding.reasons


@pytest.fixture
async def well(influxd: LocalInfluxd, unique: str) -> LiveHome:
    return await home_that_is_well(influxd, f"well-{unique}")


async def home_that_is_well(influxd: LocalInfluxd, name: str) -> LiveHome:
    """A home whose last hours have events and summaries."""
    home = make_home(influxd, name, tasks=True)
    for hour in range(5):
        for minute in (1, 31):
            home.event("sensor.kitchen", timedelta(hours=hour, minutes=minute))
    now = datetime.now(UTC)
    async with SummaryServer(url=influxd.url, token=influxd.token, org=home.org) as server:
        await backfill(server, now - timedelta(days=2), now, specs=downsamples(home.settings.tiers))
    return home


async def test_a_home_that_is_well(well: LiveHome) -> None:
    report = await look(well)
    assert report.reasons == []
    assert report.healthy
    assert {finding.check: finding.status for finding in report.findings} == {
        "server": "healthy",
        "tokens": "healthy",
        "events": "healthy",
        "tasks": "healthy",
        "summaries": "healthy",
        "spool": "unknown",
        "storage": "healthy",
        "retention": "healthy",
    }
    told = report.as_json()
    assert told["status"] == "healthy"
    assert told["checks"]["summaries"]["windows"]["hourly"] >= 3


async def test_the_monitor_token_may_look_at_everything(well: LiveHome) -> None:
    report = await look(well, token=well.monitor_token())
    assert report.reasons == []
    assert [finding.check for finding in report.findings if not finding.looked_at] == ["spool"]


async def test_what_is_wrong_is_named_and_nothing_else(well: LiveHome) -> None:
    api = well.influxd.api
    _, revoked = well.token(("read", "events"))
    gone, identifier = well.token(("read", "events"))
    api("PATCH", f"/api/v2/authorizations/{revoked}", {"status": "inactive"})
    api("DELETE", f"/api/v2/authorizations/{identifier}")
    api("PATCH", f"/api/v2/tasks/{well.tasks['downsample_hourly']}", {"status": "inactive"})
    api("DELETE", f"/api/v2/tasks/{well.tasks['downsample_daily']}")
    # Events that come after their hour was summed up.
    well.event("sensor.kitchen", timedelta(hours=3, minutes=10))
    report = await look(well, tokens={"reader": gone, "writer": gone})
    status, reasons = of(report, "tokens")
    assert status == "unhealthy"
    assert [reason.split(":")[0] for reason in reasons] == ["the reader token", "the writer token"]
    assert gone not in json.dumps(report.as_json(), default=str)
    _, reasons = of(report, "tasks")
    assert any("downsample_hourly is inactive" in reason for reason in reasons)
    assert any("downsample_daily is not on the server" in reason for reason in reasons)
    _, reasons = of(report, "summaries")
    assert "hourly windows are missing or wrong" in reasons[0]
    assert {finding.check for finding in report.findings if finding.reasons} == {"tokens", "tasks", "summaries"}


async def test_silence_a_full_disk_and_another_retention(well: LiveHome) -> None:
    limits = Limits(longest_silence=timedelta(seconds=1), limit_bytes=1000)
    api = well.influxd.api
    rule = {"type": "expire", "everySeconds": 30 * 86_400, "shardGroupDurationSeconds": 86_400}
    api("PATCH", f"/api/v2/buckets/{well.buckets['events']}", {"retentionRules": [rule]})
    report = await look(well, limits=limits)
    assert "nothing comes in" in of(report, "events")[1][0]
    assert "hearthflux storage" in of(report, "storage")[1][0]
    problems = of(report, "retention")[1]
    assert problems[0].startswith("events keeps 30 d, declared is 365 d")
    assert problems[1] == "events has shard groups of 1 d, declared are 7 d"


async def test_data_that_should_have_expired_and_did_not(make_influxd: MakeInfluxd, unique: str) -> None:
    """The server looks every half hour here: what a shortened retention cuts off is still there."""
    home = make_home(make_influxd().start(), f"late-{unique}")
    home.event("sensor.kitchen", timedelta(days=40))
    home.event("sensor.kitchen", MINUTE)
    rule = {"type": "expire", "everySeconds": 14 * 86_400, "shardGroupDurationSeconds": 7 * 86_400}
    home.influxd.api("PATCH", f"/api/v2/buckets/{home.buckets['events']}", {"retentionRules": [rule]})
    tiers = type(home.settings.tiers)(
        (replace(home.settings.tiers.raw, retention=timedelta(days=14)), *home.settings.tiers[1:])
    )
    home.settings = replace(home.settings, tiers=tiers)
    status, reasons = of(await look(home), "retention")
    assert status == "unhealthy"
    assert "events still holds a point of" in reasons[0]
    assert "does the server's retention check run?" in reasons[0]
    assert "1 shard groups of events are past their retention" in reasons[1]


async def test_a_task_that_stands_still_or_fails(make_influxd: MakeInfluxd) -> None:
    # A server of its own: where the task that is due next goes away, InfluxDB 2.7 spins until the one after it is due.
    well = await home_that_is_well(make_influxd().start(), "well")
    broken = 'option task = {name: "downsample_hourly", every: 1s}\nfrom(bucket: "nowhere") |> range(start: -1h)'
    well.influxd.api("DELETE", f"/api/v2/tasks/{well.tasks['downsample_hourly']}")
    well.influxd.api("POST", "/api/v2/tasks", {"orgID": well.org_id, "flux": broken})
    until = time.monotonic() + 300
    while not (reasons := of(await look(well), "tasks")[1]):
        assert time.monotonic() < until
        await asyncio.sleep(0.5)
    assert "the last run of task downsample_hourly failed" in reasons[0]
    assert "nowhere" in reasons[0]


async def test_a_spool_in_use_is_looked_at_without_its_lock(well: LiveHome, tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    spool = Spool(path)
    spool.open()
    try:
        spool.commit([Chunk(1, time.time(), 3, b"m f=1 1\nm f=1 2\nm f=1 3\n")])
        with sqlite3.connect(path) as other:
            other.execute("UPDATE queue SET born = born - 3600")
            other.execute("INSERT INTO dead_letters (died, status, reason, line) VALUES (1, 400, 'no', 'm')")
        report = await look(well, environment={"INFLUXDB_SPOOL_PATH": str(path)})
    finally:
        spool.close()
    status, reasons = of(report, "spool")
    assert status == "unhealthy"
    assert "3 events wait in the spool, the oldest for 60 min" in reasons[0]
    assert "1 events were refused for good" in reasons[1]
    missing = await look(well, environment={"INFLUXDB_SPOOL_PATH": str(tmp_path / "none")})
    assert "There is no spool at" in of(missing, "spool")[1][0]


def test_the_command_and_its_exit_codes(hearthflux: Run, well: LiveHome, unique: str) -> None:
    fine = hearthflux("health", "--json", **well.variables())
    assert fine.returncode == 0, fine.stdout + fine.stderr
    assert json.loads(fine.stdout)["status"] == "healthy"
    refused = hearthflux("health", **well.variables(f"wrong-{unique}"))
    assert refused.returncode == 1
    assert "does not know this token" in refused.stdout
    assert f"wrong-{unique}" not in refused.stdout + refused.stderr
    nobody = hearthflux("health", "--json", INFLUXDB_URL="http://127.0.0.1:9", INFLUXDB_TOKEN="t", INFLUXDB_ORG="o")
    assert nobody.returncode == 1
    told = json.loads(nobody.stdout)
    assert told["status"] == "unhealthy"
    assert "No answer from InfluxDB" in told["reasons"][0]
    lost = hearthflux("health")
    assert (lost.returncode, "hearthflux server start" in lost.stderr) == (1, True)


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_serve_answers_records_and_logs_once(well: LiveHome, tmp_path: Path) -> None:
    log = tmp_path / "log"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("INFLUXDB_", "LOG_", "HEARTHFLUX_"))}
    environment = {**inherited, **well.variables(well.monitor_token()), "LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "operations.cli", "health", "--serve", "--port", "0"]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stderr=output, stdin=asyncio.subprocess.DEVNULL
        )
    try:
        until = time.monotonic() + 300
        while "/metrics" not in log.read_text():
            assert time.monotonic() < until, log.read_text()
            await asyncio.sleep(0.1)
        url = log.read_text().split("/health")[0].split()[-1]
        status, text = fetch(f"{url}/health")
        assert (status, json.loads(text)["status"]) == (200, "healthy"), text
        status, text = fetch(f"{url}/metrics")
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        assert samples["hearthflux_healthy",] == 1
        assert samples["hearthflux_check_healthy", "retention"] == 1
        assert samples["hearthflux_bucket_index_bytes", "events", "raw"] > 0
        async with well.server() as server:
            recorded: list[Any] = []
            while not recorded:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
                recorded = await server.rows(
                    'from(bucket: "operations") |> range(start: -5m) |> filter(fn: (r) => r._measurement == "health")'
                    ' |> filter(fn: (r) => r._field == "healthy")'
                )
        assert {row["check"] for row in recorded} >= {"server", "tasks", "storage"}
        assert all(row["_value"] for row in recorded)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert "Traceback" not in log.read_text()
