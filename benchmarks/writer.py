# mypy: disable-error-code="no-untyped-call,attr-defined,no-any-return"
"""The writer beside its peers, in one run against a local influxd: `python -m benchmarks.writer`.

Each round runs every contender once on the same events, in turn, into a bucket of its own; CPU is this process's
user and system time from the first call until the server has everything. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from influxdb_client import InfluxDBClient, Point, WriteOptions
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

import writer.encoder
from benchmarks.result import publish
from event_schema import HOME_ASSISTANT_EVENTS, Event
from operations.influxd import LocalInfluxd
from writer import BatchWriter, WriterSettings
from writer.encoder import Encoder
from writer.transport import Transport

BATCH = 5_000
TAGS, FIELDS = HOME_ASSISTANT_EVENTS.tag_names, HOME_ASSISTANT_EVENTS.field_names


@dataclass(frozen=True, slots=True)
class Place:
    server: LocalInfluxd
    bucket: str
    folder: Path

    def settings(self, **changes: Any) -> WriterSettings:
        values: dict[str, Any] = {
            "url": self.server.url,
            "token": self.server.token,
            "org": self.server.org,
            "bucket": self.bucket,
            # One spool for all rounds, as a writer that has run for months has one.
            "spool_path": self.folder / "spool.sqlite",
            "batch_size": BATCH,
            "close_timeout": 60,
        }
        return WriterSettings(**{**values, **changes})


def make_events(count: int) -> list[Event]:
    """8 tags and 10 fields each, 400 entities in three weathers, as in the demo."""
    base = (time.time_ns() // 10**9 - count // 100) * 10**9
    weathers = ("sunny", "cloudy", "rainy")
    return [
        Event(
            time_ns=base + number * 10_000_000,
            entity_id=f"sensor.room_{number % 400}_temperature",
            device_class="temperature",
            area=f"Room {number % 20}",
            device_name=f"Sensor {number % 400}",
            integration="zha",
            weather_condition=weathers[number // 5000 % 3],
            time_of_day="morning",
            state_value=f"{20 + number % 97 / 10:.2f}",
            previous_state=f"{20 + number % 89 / 10:.2f}",
            normalized_value=20 + number % 97 / 10,
            confidence=0.97,
            duration_seconds=number % 600,
            energy_consumption=number % 13 / 1000,
            weather_temp=5 + number % 50 / 10,
            weather_humidity=60 + number % 30 / 1.0,
            weather_pressure=1000 + number % 200 / 10,
            unit_of_measurement="°C",
        )
        for number in range(count)
    ]


def to_point(event: Event) -> Point:
    point = Point(HOME_ASSISTANT_EVENTS.name)
    for name in TAGS:
        point.tag(name, getattr(event, name))
    for name in FIELDS:
        point.field(name, getattr(event, name))
    return point.time(event.time_ns)


async def ours(place: Place, events: list[Event], **changes: Any) -> None:
    async with BatchWriter(place.settings(**changes)) as opened:
        await opened.write_many(events)
        report = await opened.flush(timeout=120)
        if report.delivered != len(events):
            raise RuntimeError(f"the writer delivered {report}")


async def durable(place: Place, events: list[Event]) -> None:
    await ours(place, events)


async def memory(place: Place, events: list[Event]) -> None:
    await ours(place, events, durability="memory")


@contextlib.contextmanager
def pure_python() -> Iterator[None]:
    """The writer as it is where its extension was not compiled."""
    compiled, writer.encoder.Quick = writer.encoder.Quick, None  # type: ignore[misc,assignment]
    try:
        yield
    finally:
        writer.encoder.Quick = compiled  # type: ignore[misc]


async def durable_in_pure_python(place: Place, events: list[Event]) -> None:
    with pure_python():
        await ours(place, events)


async def official(place: Place, events: list[Event]) -> None:
    def run() -> None:
        server = place.server
        with (
            InfluxDBClient(server.url, token=server.token, org=server.org) as client,
            client.write_api(WriteOptions(batch_size=BATCH)) as api,
        ):
            for event in events:
                api.write(place.bucket, record=to_point(event))

    await asyncio.to_thread(run)


async def official_async(place: Place, events: list[Event]) -> None:
    server = place.server
    async with InfluxDBClientAsync(server.url, token=server.token, org=server.org) as client:
        api = client.write_api()
        for start in range(0, len(events), BATCH):
            await api.write(place.bucket, record=[to_point(event) for event in events[start : start + BATCH]])


async def influxdb3(place: Place, events: list[Event]) -> None:
    import influxdb_client_3 as three

    def run() -> None:
        options = three.WriteOptions(batch_size=BATCH)
        with three.InfluxDBClient3(
            host=place.server.url,
            token=place.server.token,
            org=place.server.org,
            database=place.bucket,
            write_client_options=three.write_client_options(write_options=options),
        ) as client:
            for event in events:
                point = three.Point(HOME_ASSISTANT_EVENTS.name)
                for name in TAGS:
                    point.tag(name, getattr(event, name))
                for name in FIELDS:
                    point.field(name, getattr(event, name))
                client.write(point.time(event.time_ns))

    await asyncio.to_thread(run)


def encoded(events: list[Event]) -> list[bytes]:
    encode = Encoder(HOME_ASSISTANT_EVENTS).encode
    lines = [encode(event) for event in events]
    return [b"".join(lines[start : start + BATCH]) for start in range(0, len(lines), BATCH)]


async def limit(place: Place, bodies: list[bytes]) -> None:
    transport = Transport(place.settings())
    queue = list(reversed(bodies))

    async def post() -> None:
        while queue:
            answer = await transport.post(queue.pop())
            if answer.status != 204:
                raise RuntimeError(answer.reason)

    await asyncio.gather(post(), post())
    await transport.close()


CONTENDERS: dict[str, Callable[[Place, list[Event]], Awaitable[None]]] = {
    "official batching": official,
    "official asyncio by hand": official_async,
    "influxdb3-python batching": influxdb3,
    "hearthflux durable": durable,
    "hearthflux memory": memory,
    "hearthflux durable, pure Python": durable_in_pure_python,
}


@contextlib.contextmanager
def timed_callbacks() -> Iterator[list[tuple[float, float]]]:
    """(wall clock, CPU of this thread) seconds of every callback that the event loop runs: what blocks it."""
    found: list[tuple[float, float]] = []
    original = asyncio.events.Handle._run

    def run(self: asyncio.events.Handle) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        original(self)
        found.append((time.perf_counter() - wall, time.thread_time() - cpu))

    asyncio.events.Handle._run = run
    try:
        yield found
    finally:
        asyncio.events.Handle._run = original


async def single_writes(place: Place, seconds: float, per_second: int = 2000) -> dict[str, float]:
    """`await write` one at a time from independent tasks at a steady rate: latency, and the loop's longest callback.

    Wall clock counts also what others on this machine took from the process; CPU is what the callback itself cost.
    """
    events = make_events(int(seconds * per_second))
    latencies: list[float] = []
    async with BatchWriter(place.settings(batch_size=1000)) as opened:
        await opened.write(events[0])
        await opened.flush()

        async def one(event: Event) -> None:
            started = time.perf_counter()
            await opened.write(event)
            latencies.append(time.perf_counter() - started)

        # The benchmark's own heap is not the writer's: without this, a full collection is counted as its pause.
        gc.collect()
        gc.freeze()
        with timed_callbacks() as callbacks:
            start = time.perf_counter()
            tasks: set[asyncio.Task[None]] = set()
            for number, event in enumerate(events):
                ahead = start + number / per_second - time.perf_counter()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                task = asyncio.create_task(one(event))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            while tasks:  # noqa: ASYNC110 - to gather thousands of tasks would itself be the longest callback
                await asyncio.sleep(0.005)
        gc.unfreeze()
    cuts = statistics.quantiles(latencies, n=100)
    walls = sorted(wall for wall, _ in callbacks)
    return {
        "write_p50_ms": cuts[49] * 1e3,
        "write_p99_ms": cuts[98] * 1e3,
        "loop_blocked_p9999_ms": walls[-1 - len(walls) // 10_000] * 1e3,
        "loop_blocked_longest_ms": walls[-1] * 1e3,
        "loop_blocked_longest_cpu_ms": max(cpu for _, cpu in callbacks) * 1e3,
    }


async def drain(place: Place, events: list[Event]) -> float:
    """Events per second of a backlog that a stopped server left in the spool."""
    place.server.pause()
    async with BatchWriter(place.settings(write_timeout=5, close_timeout=0.1)) as opened:
        await opened.write_many(events)
    place.server.resume()
    async with BatchWriter(place.settings()) as opened:
        started = time.perf_counter()
        await opened.flush(timeout=120)
        return opened.stats.delivered / (time.perf_counter() - started)


async def measure(server: LocalInfluxd, folder: Path, count: int, rounds: int) -> dict[str, Any]:
    events = make_events(count)
    bodies = encoded(events)
    cpu: dict[str, list[float]] = {name: [] for name in (*CONTENDERS, "limit")}
    rate: dict[str, list[float]] = {name: [] for name in cpu}

    def place() -> Place:
        bucket = f"b{secrets.token_hex(6)}"
        body = {"name": bucket, "orgID": server.org_id, "retentionRules": []}
        server.api("POST", "/api/v2/buckets", body)
        return Place(server, bucket, folder)

    def forget(used: Place) -> None:
        [found] = server.api("GET", f"/api/v2/buckets?name={used.bucket}")["buckets"]
        server.api("DELETE", f"/api/v2/buckets/{found['id']}")

    await limit(place(), bodies)  # the server's caches and this process's imports are warm
    names = list(cpu)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            used = place()
            work = limit(used, bodies) if name == "limit" else CONTENDERS[name](used, events)
            started, burnt = time.perf_counter(), time.process_time()
            await work
            cpu[name].append((time.process_time() - burnt) / count * 1e6)
            rate[name].append(count / (time.perf_counter() - started))
            forget(used)
        print(f"round {number + 1} of {rounds} done", file=sys.stderr, flush=True)

    compiled = writer.encoder.Quick is not None
    figures: dict[str, Any] = {"events": count, "rounds": rounds, "batch_size": BATCH, "compiled": compiled}
    print(f"{'':32}{'CPU us/event':>14}{'spread':>16}{'events/s':>12}{'spread':>20}")
    for name in names:
        us, per_second = statistics.median(cpu[name]), statistics.median(rate[name])
        spread = f"{min(cpu[name]):.1f}-{max(cpu[name]):.1f}"
        rates = f"{min(rate[name]):,.0f}-{max(rate[name]):,.0f}"
        print(f"{name:32}{us:14.2f}{spread:>16}{per_second:12,.0f}{rates:>20}")
        figures[name] = {"cpu_us_per_event": us, "events_per_second": per_second}
    single = await single_writes(place(), seconds=5)
    drained = await drain(place(), events)
    normal = figures["hearthflux durable"]["events_per_second"]
    figures.update(single, drain_events_per_second=drained, drain_vs_normal=drained / normal)
    for name, value in single.items():
        print(f"{name:32}{value:14.2f}")
    print(f"{'drain vs normal':32}{drained / normal:14.2f}")
    base = figures["official batching"]["cpu_us_per_event"]
    return {
        "bench": "writer",
        "ratios": {
            "cpu_durable_vs_official": figures["hearthflux durable"]["cpu_us_per_event"] / base,
            "cpu_memory_vs_official": figures["hearthflux memory"]["cpu_us_per_event"] / base,
            "throughput_vs_limit": normal / figures["limit"]["events_per_second"],
        },
        "figures": figures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writer", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="events per contender and round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hearthflux-bench-") as folder:
        server = LocalInfluxd(Path(folder) / "influxd")
        try:
            result = asyncio.run(measure(server.start(), Path(folder), arguments.events, arguments.rounds))
        finally:
            server.kill()
    publish(result)


if __name__ == "__main__":
    main()
