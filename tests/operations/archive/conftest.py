"""A bucket with points of every kind, its archive, and an independent look at what the server has."""

from __future__ import annotations

import csv
import io
import json
import os
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from event_schema import HOME_ASSISTANT_EVENTS, Measurement
from influxdb_connection import ConnectionSettings
from operations import cli, logs, paths
from operations.archive import Archive, HomeServer
from operations.archive.manifest import start_ns
from operations.archive.target import Target
from operations.influxd import LocalInfluxd

DAY_SECONDS = 86_400


@dataclass
class ArchivedHome:
    server: LocalInfluxd
    bucket: str
    folder: Path
    org: str

    @property
    def connection(self) -> ConnectionSettings:
        return ConnectionSettings(url=self.server.url, token=self.server.token, org=self.org)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "INFLUXDB_URL": self.server.url,
            "INFLUXDB_TOKEN": self.server.token,
            "INFLUXDB_ORG": self.org,
            "INFLUXDB_BUCKET": self.bucket,
            "HEARTHFLUX_ARCHIVE": str(self.folder),
        }

    def archive(self, measurement: Measurement = HOME_ASSISTANT_EVENTS, **changes: Any) -> Archive:
        return Archive(
            **{
                "target": Target(self.folder),
                "bucket": self.bucket,
                "measurement": measurement,
                "org": self.org,
                **changes,
            }
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[HomeServer]:
        async with HomeServer(self.connection) as server:
            yield server

    def make_bucket(self, name: str | None = None, days: int = 0, shard_days: int = 7) -> str:
        rule = {"type": "expire", "everySeconds": days * DAY_SECONDS}
        rule |= {"shardGroupDurationSeconds": shard_days * DAY_SECONDS}
        made = self.server.api(
            "POST",
            "/api/v2/buckets",
            {"name": name or self.bucket, "orgID": self.server.org_id, "retentionRules": [rule]},
        )
        return str(made["id"])

    def bucket_id(self, name: str | None = None) -> str:
        found = self.server.api("GET", f"/api/v2/buckets?org={self.org}&name={name or self.bucket}")
        return str(found["buckets"][0]["id"])

    def wipe(self) -> None:
        """The bucket is gone with everything in it, and made anew."""
        self.server.api("DELETE", f"/api/v2/buckets/{self.bucket_id()}")
        self.make_bucket()

    def token(self, *actions: str) -> str:
        """A token that may do only that with the bucket."""
        resource = {"type": "buckets", "id": self.bucket_id(), "orgID": self.server.org_id}
        made = self.server.api(
            "POST",
            "/api/v2/authorizations",
            {
                "orgID": self.server.org_id,
                "permissions": [{"action": one, "resource": resource} for one in actions],
            },
        )
        return str(made["token"])

    def write(self, lines: list[str], bucket: str | None = None) -> None:
        self.server.write(bucket or self.bucket, "\n".join(lines), org=self.org)

    def delete(self, start: datetime, stop: datetime, predicate: str) -> None:
        """Delete what fits in [start, stop)."""
        last = stop - timedelta(microseconds=1)
        body = {"start": start.isoformat(), "stop": last.isoformat(), "predicate": predicate}
        self.server.api("POST", f"/api/v2/delete?org={self.org}&bucket={self.bucket}", body)

    def flux(self, script: str) -> str:
        """Run a script; the answer's text."""
        request = urllib.request.Request(
            f"{self.server.url}/api/v2/query?org={self.org}",
            data=json.dumps({"query": script, "type": "flux", "dialect": {"annotations": ["datatype"]}}).encode(),
            headers={"Authorization": f"Token {self.server.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())

    def rows(self, bucket: str | None = None) -> list[tuple[str, ...]]:
        """Every stored value as the server's Flux tells it: tags, field, type, nanoseconds, value; sorted."""
        flux = (
            f'from(bucket: "{bucket or self.bucket}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)'
        )
        text = self.flux(flux)
        found: list[tuple[str, ...]] = []
        kinds: list[str] = []
        header: list[str] = []
        for cells in csv.reader(io.StringIO(text, newline="")):
            if cells and cells[0] == "#datatype":
                kinds = cells
            elif cells[1:3] == ["result", "table"]:
                header = cells
            elif cells:
                row = dict(zip(header, cells, strict=True))
                kind = kinds[header.index("_value")]
                tags = [f"{name}={row[name]}" for name in sorted(row) if name and name[0] != "_" and row[name]]
                tags = [tag for tag in tags if not tag.startswith(("table=", "result="))]
                found.append((row["_measurement"], *tags, row["_field"], kind, row["_time"], row["_value"]))
        return sorted(found)


def lines_of(day: date, points: int = 24) -> list[str]:
    """A day with points of every kind, some of them at the same nanosecond, at its first and at its last one."""
    start = start_ns(day)
    lines = []
    for number in range(points):
        at = start + number * (DAY_SECONDS * 10**9 // points) + number
        lines.append(
            f"home_assistant_events,entity_id=sensor.room_{number % 5},domain=sensor,area=Kü\\ che\\,\\ 1 "
            f'state_value="{number}.5",normalized_value={number}.5,duration_seconds={number}i,'
            f"energy_consumption=1e-{number},confidence=1 {at}"
        )
    lines += [
        f'home_assistant_events,entity_id=climate.hall,domain=climate state_value="warm ❄ \\"x\\" \\\\ , = 日本",'
        f'attribute_current_temperature=21,attribute_hvac_action="idle",attribute_is_volume_muted=true {start}',
        f"home_assistant_events,entity_id=sensor.meter,domain=sensor normalized_value=-0.0,"
        f"duration_seconds=9223372036854775807i {start + DAY_SECONDS * 10**9 - 1}",
        f"home_assistant_events,entity_id=sensor.meter,domain=sensor,device_class=energy "
        f"normalized_value=1.7976931348623157e308,weather_temp=0.1 {start + DAY_SECONDS * 10**9 - 1}",
        f'home_assistant_events,entity_id=sensor.text state_value="two\nlines\t",previous_state=" " {start + 7}',
    ]
    return lines


@pytest.fixture
def home(influxd: LocalInfluxd, tmp_path: Path, unique: str) -> ArchivedHome:
    made = ArchivedHome(influxd, f"events-{unique}", tmp_path / "archive", influxd.org)
    made.make_bucket()
    return made


@pytest.fixture
def today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class Answer:
    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Answer]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs the command in this process, with these environment variables and no others of ours."""
    monkeypatch.setattr(logs, "configure", lambda: None)
    monkeypatch.setattr(paths, "LOCAL", tmp_path / "local")

    def call(*arguments: str, **variables: str) -> Answer:
        for name in [name for name in os.environ if name.startswith(("INFLUXDB_", "HEARTHFLUX_"))]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        try:
            cli.main(list(arguments))
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call


@pytest.fixture
def some_days(home: ArchivedHome, today: date) -> list[date]:
    """Four days that the bucket has points of."""
    days = [today - timedelta(days=number) for number in (9, 8, 6, 5)]
    home.write([line for day in days for line in lines_of(day)])
    return days
