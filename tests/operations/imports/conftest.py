"""A real InfluxDB 1.x for all, the three buckets of a home for each test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from event_schema import TIERS, Tiers
from flux_tasks import SummaryServer
from influxdb_connection import ConnectionSettings
from operations.imports.engine import Importer, Options
from operations.imports.history import History
from operations.imports.position import Position
from operations.imports.reading import Source
from operations.imports.report import Report
from operations.imports.target import Target, tiers_of
from operations.influxd import LocalInfluxd
from tests.operations.imports.influxdb1 import InfluxDB1

ZONE = ZoneInfo("Europe/Amsterdam")


@pytest.fixture(scope="session")
def influxdb1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB1]:
    server = InfluxDB1(tmp_path_factory.mktemp("influxdb1"))
    try:
        yield server.start()
    finally:
        server.stop()


@dataclass
class NewHome:
    """Empty buckets on a real server, an import's folder, and what is in the buckets in the end."""

    server: LocalInfluxd
    prefix: str
    folder: Path

    @property
    def tiers(self) -> Tiers:
        return tiers_of(self.prefix)

    def make_buckets(self, raw: timedelta | None, hourly: timedelta | None, daily: timedelta | None) -> None:
        for tier, kept in zip(self.tiers, (raw, hourly, daily), strict=True):
            rules = [] if kept is None else [{"type": "expire", "everySeconds": int(kept.total_seconds())}]
            self.server.api(
                "POST",
                "/api/v2/buckets",
                {"name": tier.bucket, "orgID": self.server.org_id, "retentionRules": rules},
            )

    def target(self, **changes: Any) -> Target:
        connection = ConnectionSettings(
            url=self.server.url, token=changes.pop("token", self.server.token), org=self.server.org, timeout=60.0
        )
        return Target(connection=connection, tiers=self.tiers, **changes)

    def importer(self, source: Source, *, history: History | None = None, **options: Any) -> Importer:
        target = {name: options.pop(name) for name in ("token", "patience") if name in options}
        chosen = Options(zone=ZONE, zone_name="Europe/Amsterdam", **options)
        return Importer(
            source, self.target(**target), history or History(zone=ZONE), Position(self.folder / "import"), chosen
        )

    def bring(self, make: Callable[[], Any], **options: Any) -> Report:
        """Import everything from the source that `make` gives."""

        async def go() -> Report:
            async with make() as source:
                return await self.importer(source, **options).run()

        return asyncio.run(go())

    def rows(self, flux: str) -> list[dict[str, Any]]:
        async def ask() -> list[dict[str, Any]]:
            async with SummaryServer(url=self.server.url, token=self.server.token, org=self.server.org) as server:
                return await server.rows(flux)

        return asyncio.run(ask())

    def stored(self, tier: str = "raw", measurement: str = "") -> dict[tuple[str, int], list[dict[str, Any]]]:
        """(entity, time in microseconds) -> the points there, each with its tags and fields."""
        chosen = self.tiers[tier]
        points: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in self.rows(
            f'from(bucket: "{chosen.bucket}") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)'
            f' |> filter(fn: (r) => r._measurement == "{measurement or chosen.measurement}")'
        ):
            tags = {
                name: value
                for name, value in row.items()
                if not name.startswith("_") and name not in ("result", "table") and value
            }
            at = round(row["_time"].timestamp() * 1e6)
            point = points.setdefault((at, *sorted(tags.items())), {"time": at, **tags})
            value = row["_value"]
            # The server's CSV has \r\n for every line break inside a text.
            point[row["_field"]] = value.replace("\r\n", "\n") if isinstance(value, str) else value
        found: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for point in points.values():
            found.setdefault((point["entity_id"], point["time"]), []).append(point)
        return found


@pytest.fixture
def new_home(influxd: LocalInfluxd, tmp_path: Path, unique: str) -> NewHome:
    return NewHome(influxd, f"h{unique}_", tmp_path)


__all__ = ["TIERS", "NewHome"]
