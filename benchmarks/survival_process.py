# mypy: disable-error-code="no-untyped-call,attr-defined,no-any-return"
"""One writer of the survival benchmark, in a process of its own: it can be killed, and others are not in its way.

It waits for a line on its standard input, hands in numbered events at a steady rate, and prints a line of JSON for each
call: from which number to which, how long it took, and the error if it raised one. After `count` events it waits for
another line and ends: by closing, or (`ending` "exit") by leaving without a close.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.points import point
from event_schema import Event

PER_CALL = 20
NUMBER = re.compile(r'state_value="s(\d+)"')


def make_event(base: int, number: int, conflict: int, malformed: int) -> Event:
    event = Event(
        time_ns=base + number * 1_000_000,
        entity_id=f"sensor.room_{number % 20}",
        device_class="temperature",
        area=f"Room {number % 20}",
        state_value=f"s{number:07d}",
        normalized_value=20 + number % 97 / 10,
    )
    if number == conflict:  # the bucket holds a text under this name
        event.confidence = 0.5
    if number == malformed:  # a counter beyond what the database can hold
        event.duration_seconds = 2**63
    return event


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def said_by_callback(_: object, lines: object, error: BaseException) -> None:
    text = lines.decode() if isinstance(lines, bytes) else str(lines)
    say(callback=[int(number) for number in NUMBER.findall(text)], error=str(error)[:300])


class Hearthflux:
    def __init__(self, place: dict[str, Any], durability: str) -> None:
        from writer import BatchWriter, WriterSettings

        names = {"url", "token", "org", "bucket"}
        self.writer = BatchWriter(
            WriterSettings(
                **{name: place[name] for name in names},
                spool_path=Path(place["folder"]) / "spool.sqlite",
                durability=durability,  # type: ignore[arg-type]
                batch_timeout=1,
                close_timeout=60,
                **place.get("more", {}),
            )
        )

    async def open(self) -> None:
        await self.writer.open()

    async def write(self, events: list[Event]) -> None:
        await self.writer.write_many(events)

    async def close(self) -> None:
        await self.writer.close()
        say(dead_lettered=self.writer.stats.dead_lettered)


class OfficialBatching:
    """influxdb-client's batching WriteApi as it comes, with an error callback."""

    def __init__(self, place: dict[str, Any]) -> None:
        from influxdb_client import InfluxDBClient, Point, WriteOptions

        self.point, self.bucket = Point, place["bucket"]
        self.client = InfluxDBClient(place["url"], token=place["token"], org=place["org"])
        self.api = self.client.write_api(WriteOptions(), error_callback=said_by_callback)

    async def open(self) -> None:
        pass

    async def write(self, events: list[Event]) -> None:
        self.api.write(self.bucket, record=[point(self.point, event) for event in events])

    async def close(self) -> None:
        await asyncio.to_thread(self.api.close)
        self.client.close()


class OfficialAsync:
    """influxdb-client's asyncio API; each call is a batch of its own, and whoever calls sees what it raises."""

    def __init__(self, place: dict[str, Any]) -> None:
        self.place = place

    async def open(self) -> None:
        from influxdb_client import Point
        from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

        place, self.point = self.place, Point
        self.client = InfluxDBClientAsync(place["url"], token=place["token"], org=place["org"])

    async def write(self, events: list[Event]) -> None:
        points = [point(self.point, event) for event in events]
        await self.client.write_api().write(self.place["bucket"], record=points)

    async def close(self) -> None:
        await self.client.close()


class Three:
    """influxdb3-python's batching as it comes, with an error callback."""

    def __init__(self, place: dict[str, Any]) -> None:
        import influxdb_client_3 as three

        self.point = three.Point
        options = three.write_client_options(write_options=three.WriteOptions(), error_callback=said_by_callback)
        self.client = three.InfluxDBClient3(
            host=place["url"],
            token=place["token"],
            org=place["org"],
            database=place["bucket"],
            write_client_options=options,
        )

    async def open(self) -> None:
        pass

    async def write(self, events: list[Event]) -> None:
        self.client.write([point(self.point, event) for event in events])

    async def close(self) -> None:
        await asyncio.to_thread(self.client.close)


class ToTelegraf:
    """Posts lines to Telegraf's listener for InfluxDB 2; whoever posts sees what it answers."""

    def __init__(self, place: dict[str, Any]) -> None:
        self.url = place["telegraf"]

    async def open(self) -> None:
        import aiohttp
        from influxdb_client import Point

        self.point = Point
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))

    async def write(self, events: list[Event]) -> None:
        body = "\n".join(point(self.point, event).to_line_protocol() for event in events)
        async with self.session.post(f"{self.url}/api/v2/write?precision=ns", data=body.encode()) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{answer.status} {(await answer.text())[:200]}")

    async def close(self) -> None:
        await self.session.close()


CONTENDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "hearthflux": lambda place: Hearthflux(place, "fsync"),
    "hearthflux memory": lambda place: Hearthflux(place, "memory"),
    "influxdb-client batching": OfficialBatching,
    "influxdb-client asyncio": OfficialAsync,
    "influxdb3-python batching": Three,
    "Telegraf": ToTelegraf,
    "Telegraf disk buffer": ToTelegraf,
}


async def main(place: dict[str, Any]) -> None:
    contender = CONTENDERS[place["contender"]](place)
    await contender.open()
    base, number, count, rate = place["base"], place["first"], place["count"], place["rate"]
    odd = (place["conflict"], place["malformed"])
    say(ready=True)
    await asyncio.to_thread(sys.stdin.readline)
    started, begun = time.monotonic(), number
    while number < count:
        # An odd event is a call of its own: what it raises is not the others' fault.
        stop = min([number + PER_CALL, count, *(edge for bad in odd for edge in (bad, bad + 1) if edge > number)])
        events = [make_event(base, n, *odd) for n in range(number, stop)]
        called = time.monotonic()
        try:
            await contender.write(events)
            said: dict[str, Any] = {}
        except Exception as error:
            said = {"error": f"{type(error).__name__}: {error}"[:300]}
        say(calls=[number, stop], seconds=time.monotonic() - called, **said)
        number = stop
        await asyncio.sleep(max(0.0, started + (number - begun) / rate - time.monotonic()))
    say(stream="over")
    await asyncio.to_thread(sys.stdin.readline)
    if place["ending"] != "exit":
        await contender.close()
        say(closed=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main(json.loads(sys.argv[1])))
