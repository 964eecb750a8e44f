# mypy: disable-error-code="no-untyped-call,attr-defined,no-any-return"
"""Who runs in the writer's benchmark, each on the same events: peers, the writer, and the limit."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from influxdb_client import InfluxDBClient, Point, WriteOptions
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

import writer.encoder
from benchmarks.points import point
from event_schema import HOME_ASSISTANT_EVENTS, Event
from operations.influxd import LocalInfluxd
from writer import BatchWriter, WriterSettings, packing
from writer.encoder import Encoder
from writer.transport import Transport

BATCH = 5_000


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


async def ours(place: Place, events: list[Event], **changes: Any) -> float:
    async with BatchWriter(place.settings(**changes)) as opened:
        await opened.write_many(events)
        report = await opened.flush(timeout=120)
        complete = time.perf_counter()
        if report.delivered != len(events):
            raise RuntimeError(f"the writer delivered {report}")
    return complete


async def durable(place: Place, events: list[Event]) -> float:
    return await ours(place, events)


async def memory(place: Place, events: list[Event]) -> float:
    return await ours(place, events, durability="memory")


@contextlib.contextmanager
def pure_python() -> Iterator[None]:
    """The writer as it is where its extensions were not compiled."""
    compiled, writer.encoder.Quick = writer.encoder.Quick, None  # type: ignore[misc,assignment]
    pack, packing._pack = packing._pack, None
    unpack, packing._unpack = packing._unpack, packing.unpack_slowly
    try:
        yield
    finally:
        writer.encoder.Quick, packing._pack, packing._unpack = compiled, pack, unpack  # type: ignore[misc]


async def durable_in_pure_python(place: Place, events: list[Event]) -> float:
    with pure_python():
        return await ours(place, events)


async def official(place: Place, events: list[Event]) -> None:
    def run() -> None:
        server = place.server
        with (
            InfluxDBClient(server.url, token=server.token, org=server.org) as client,
            client.write_api(WriteOptions(batch_size=BATCH)) as api,
        ):
            for event in events:
                api.write(place.bucket, record=point(Point, event))

    await asyncio.to_thread(run)


async def official_async(place: Place, events: list[Event]) -> None:
    server = place.server
    async with InfluxDBClientAsync(server.url, token=server.token, org=server.org) as client:
        api = client.write_api()
        for start in range(0, len(events), BATCH):
            await api.write(place.bucket, record=[point(Point, event) for event in events[start : start + BATCH]])


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
                client.write(point(three.Point, event))

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
            answer = await transport.post([queue.pop()])
            if answer.status != 204:
                raise RuntimeError(answer.reason)

    await asyncio.gather(post(), post())
    await transport.close()


# Each returns when the server had everything, or None where that is when it returns.
Contender = Callable[[Place, list[Event]], Awaitable[float | None]]
PEERS: dict[str, Contender] = {
    "official batching": official,
    "official asyncio by hand": official_async,
    "influxdb3-python batching": influxdb3,
}
OURS: dict[str, Contender] = {
    "hearthflux durable": durable,
    "hearthflux memory": memory,
    "hearthflux durable, pure Python": durable_in_pure_python,
}
LIMIT = "limit"
NAMES = (*PEERS, *OURS, LIMIT)
