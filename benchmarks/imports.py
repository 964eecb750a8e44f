"""Every import beside the writer alone, in one run: `python -m benchmarks.imports`.

The same states come from a recorder (SQLite), from an export and from a running InfluxDB 1.x, and, as ready events,
from memory through the writer. Each has a new bucket, and ends when the server has everything. With the live one a
second server works on the same cores. Memory is this process's: the most in the second half of an import against its
first. CPU is microseconds per state: of this process, of the server, of the old server. Prints a table and one line of
JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import psutil

from benchmarks.result import publish
from event_schema import Event
from influxdb_connection import ConnectionSettings
from operations.imports.engine import Importer, Options
from operations.imports.history import History
from operations.imports.influxdb1_export import InfluxDB1Export
from operations.imports.influxdb1_server import InfluxDB1Server, Server1x
from operations.imports.layout import Layout
from operations.imports.mapping import Mapping1x
from operations.imports.position import Position
from operations.imports.reading import Reading, Source
from operations.imports.recorder import Recorder
from operations.imports.target import BATCH_SIZE, Target, tiers_of
from operations.influxd import LocalInfluxd
from tests.operations.imports.homes import SECOND, State, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.recorder_files import RecorderFile
from writer import BatchWriter, WriterSettings

ZONE = ZoneInfo("Europe/Amsterdam")
ENTITIES = 200


def make_states(count: int) -> list[State]:
    """200 sensors in turn, ten states a second: device class, unit, name and state class as sensors have them."""
    base = (time.time_ns() // 10**9 - count // 10) * 10**9
    attributes = [
        {
            "device_class": "temperature",
            "state_class": "measurement",
            "unit_of_measurement": "°C",
            "friendly_name": f"Room {number}",
        }
        for number in range(ENTITIES)
    ]
    return [
        State(
            base + number * SECOND // 10,
            f"sensor.room_{number % ENTITIES}",
            f"{20 + number % 97 / 10:.1f}",
            attributes[number % ENTITIES],
        )
        for number in range(count)
    ]


@dataclass
class Bench:
    """The two servers, a folder, the states; and what was measured."""

    server: LocalInfluxd
    old: InfluxDB1
    folder: Path
    states: list[State]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def cpu_seconds(self) -> dict[str, float]:
        """User and system time so far of each process that takes part."""
        found = {"here": None, "server": self.server.pid, "source": self.old.pid}
        times = {name: psutil.Process(pid).cpu_times() for name, pid in found.items()}
        return {name: one.user + one.system + one.children_user + one.children_system for name, one in times.items()}

    def new_target(self) -> Target:
        prefix = f"b{secrets.token_hex(3)}_"
        for tier in tiers_of(prefix):
            self.server.api("POST", "/api/v2/buckets", {"name": tier.bucket, "orgID": self.server.org_id})
        connection = ConnectionSettings(
            url=self.server.url, token=self.server.token, org=self.server.org, timeout=600.0
        )
        return Target(connection=connection, tiers=tiers_of(prefix))

    async def timed(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        process = psutil.Process()
        samples: list[int] = []

        async def watch() -> None:
            while True:
                samples.append(process.memory_info().rss)
                await asyncio.sleep(0.2)

        watching = asyncio.create_task(watch())
        burnt = self.cpu_seconds()
        started = time.perf_counter()
        await work()
        self.seconds.setdefault(name, []).append(time.perf_counter() - started)
        per_state = 1e6 / len(self.states)
        self.cpu.setdefault(name, []).append(
            {who: (seconds - burnt[who]) * per_state for who, seconds in self.cpu_seconds().items()}
        )
        watching.cancel()
        half = len(samples) // 2
        grown = (max(samples[half:]) - max(samples[:half], default=samples[-1])) / 1e6
        self.growth[name] = max(self.growth.get(name, 0.0), round(grown, 1))

    async def by_writer(self, events: list[Event]) -> None:
        target = self.new_target()
        settings = WriterSettings(
            url=self.server.url,
            token=self.server.token,
            org=self.server.org,
            bucket=target.tiers.raw.bucket,
            spool_path=self.folder / f"{secrets.token_hex(4)}.sqlite",
            batch_size=BATCH_SIZE,
        )

        async def work() -> None:
            async with BatchWriter(settings) as writer:
                for start in range(0, len(events), 20_000):
                    await writer.write_many(events[start : start + 20_000])
                report = await writer.flush(timeout=300)
                assert report.delivered == len(events), report

        await self.timed("writer", work)

    async def by_import(self, name: str, make: Callable[[Path], Source]) -> None:
        folder = self.folder / secrets.token_hex(4)
        target = self.new_target()

        async def work() -> None:
            async with make(folder) as source:  # type: ignore[attr-defined]
                options = Options(zone=ZONE, zone_name="Europe/Amsterdam", summaries=False)
                importer = Importer(source, target, History(zone=ZONE), Position(folder), options)
                report = await importer.run()
            assert report.written == len(self.states), report.written

        await self.timed(name, work)


async def measure(bench: Bench, rounds: int) -> None:
    old = bench.old
    old.query("CREATE DATABASE bench")
    old.write("bench", lines(bench.states))
    old.stop()
    export = old.export("bench", bench.folder / "export")
    old.start()
    database = bench.folder / "home-assistant_v2.db"
    connection = sqlite3.connect(database)
    made = RecorderFile(connection.execute, 43)
    made.add_states(bench.states)
    connection.commit()
    connection.close()
    history = History(zone=ZONE)
    events = [
        history.event(Reading(one.time_ns, one.entity_id, one.state, one.attributes, None, "")) for one in bench.states
    ]
    sources: dict[str, Callable[[Path], Source]] = {
        "recorder": lambda _: Recorder(str(database)),
        "export": lambda folder: InfluxDB1Export(export, Layout(Mapping1x()), folder / "parts"),
        "live": lambda _: InfluxDB1Server(Server1x(url=old.url, database="bench"), Layout(Mapping1x())),
    }
    for _ in range(rounds):
        await bench.by_writer(events)
        for name, make in sources.items():
            await bench.by_import(name, make)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = LocalInfluxd(folder / "influxd")
        old = InfluxDB1(folder / "influxdb1")
        try:
            bench = Bench(server.start(), old.start(), folder, make_states(arguments.states))
            asyncio.run(measure(bench, arguments.rounds))
        finally:
            old.stop()
            server.kill()
    middle = {name: statistics.median(seconds) for name, seconds in bench.seconds.items()}
    cpu = {
        name: {who: round(statistics.median(one[who] for one in rounds), 2) for who in rounds[0]}
        for name, rounds in bench.cpu.items()
    }
    print(f"{'':<10}{'states/s':>10}{'of the writer':>15}{'memory MB':>11}{'CPU here':>10}{'server':>8}{'source':>8}")
    for name, seconds in middle.items():
        print(
            f"{name:<10}{arguments.states / seconds:>10,.0f}{middle['writer'] / seconds:>15.2f}{bench.growth[name]:>11}"
            f"{cpu[name]['here']:>10.1f}{cpu[name]['server']:>8.1f}{cpu[name]['source']:>8.1f}"
        )
    publish(
        {
            "bench": "imports",
            "ratios": {
                f"{name}_vs_writer": round(middle["writer"] / middle[name], 3) for name in middle if name != "writer"
            },
            "figures": {
                "states": arguments.states,
                "states_per_second": {name: round(arguments.states / seconds) for name, seconds in middle.items()},
                "memory_growth_mb": bench.growth,
                "cpu_us_per_state": cpu,
            },
        }
    )


if __name__ == "__main__":
    main()
