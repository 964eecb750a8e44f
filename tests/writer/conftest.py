"""A bucket per test, settings for it, and what the server holds in the end."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from operations.influxd import LocalInfluxd
from writer import Event, WriterSettings


@dataclass
class Home:
    """One bucket on a server, and a spool folder."""

    server: LocalInfluxd
    bucket: str
    folder: Path

    def settings(self, **changes: Any) -> WriterSettings:
        values: dict[str, Any] = {
            "url": self.server.url,
            "token": self.server.token,
            "org": self.server.org,
            "bucket": self.bucket,
            "spool_path": self.folder / "spool.sqlite",
            "batch_timeout": 0.2,
            "retry_first": 0.05,
            "retry_longest": 0.5,
            "close_timeout": 0.2,
        }
        return WriterSettings(**{**values, **changes})

    def make_bucket(self, retention_seconds: int = 0) -> str:
        rules = [{"type": "expire", "everySeconds": retention_seconds}] if retention_seconds else []
        made = self.server.api(
            "POST",
            "/api/v2/buckets",
            {"name": self.bucket, "orgID": self.server.org_id, "retentionRules": rules},
        )
        return str(made["id"])

    def post(self, lines: str) -> None:
        """Write past the writer, as another program does."""
        self.server.write(self.bucket, lines)

    def bucket_id(self) -> str:
        return str(self.server.api("GET", f"/api/v2/buckets?name={self.bucket}")["buckets"][0]["id"])

    def delete_everything(self) -> None:
        """The bucket anew: types that a field has had are forgotten too."""
        self.server.api("DELETE", f"/api/v2/buckets/{self.bucket_id()}")
        self.make_bucket()

    def query(self, flux: str) -> list[dict[str, str]]:
        request = urllib.request.Request(
            f"{self.server.url}/api/v2/query?org={self.server.org}",
            data=json.dumps({"query": flux, "type": "flux"}).encode(),
            headers={"Authorization": f"Token {self.server.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode()
        # Tables follow each other, each with its own header, which begins like every row with an empty cell.
        rows: list[dict[str, str]] = []
        header: list[str] = []
        for cells in csv.reader(io.StringIO(text, newline="")):
            if cells[1:3] == ["result", "table"]:
                header = cells
            elif cells:
                rows.append(dict(zip(header, cells, strict=True)))
        return rows

    def values(self, field: str = "state_value") -> list[str]:
        """Every stored value of a field, sorted."""
        rows = self.query(
            f'from(bucket: "{self.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
            f' |> filter(fn: (r) => r._field == "{field}") |> keep(columns: ["_value"])'
        )
        return sorted(row["_value"] for row in rows)


def hearthflux(home: Home, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, for the home's bucket and spool."""
    known = {
        "INFLUXDB_URL": home.server.url,
        "INFLUXDB_TOKEN": home.server.token,
        "INFLUXDB_ORG": home.server.org,
        "INFLUXDB_BUCKET": home.bucket,
        "INFLUXDB_SPOOL_PATH": str(home.folder / "spool.sqlite"),
    }
    return subprocess.run(
        [str(Path(sys.executable).with_name("hearthflux")), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **known, **environment},
        timeout=120,
    )


async def until(true: Callable[[], object], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


@pytest.fixture
def home(influxd: LocalInfluxd, tmp_path: Path, unique: str) -> Home:
    made = Home(influxd, f"events-{unique}", tmp_path)
    made.make_bucket()
    return made


@pytest.fixture
def private_home(make_influxd: Callable[..., LocalInfluxd], tmp_path: Path) -> Home:
    """On a server that the test may kill."""
    made = Home(make_influxd().start(), "events", tmp_path)
    made.make_bucket()
    return made


@pytest.fixture
def make_events() -> Callable[..., list[Event]]:
    base = time.time_ns()

    def make(count: int, first: int = 0) -> list[Event]:
        return [
            Event(
                time_ns=base + number * 1000,
                entity_id=f"sensor.room_{number % 20}",
                device_class="temperature",
                area="living room",
                state_value=f"s{number:07d}",
                normalized_value=float(number),
            )
            for number in range(first, first + count)
        ]

    return make
