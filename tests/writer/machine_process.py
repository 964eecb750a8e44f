"""A writer in a process of its own, driven through a pipe: what the state machine crashes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from multiprocessing.connection import Connection
from typing import Any

# The first request would load these; the fork server has them for every process that it makes.
import aiohttp  # noqa: F401
from influxdb_client.client import influxdb_client_async  # noqa: F401
from influxdb_client.service import write_service  # noqa: F401

from writer import BatchWriter, Event, InvalidEvent, WriterSettings

# kind -> what is odd about it
ODD: dict[str, dict[str, Any]] = {
    "good": {},
    "conflict": {"entity_id": "sensor.conflict", "confidence": 0.5},  # the bucket holds `confidence` as a text
    "poison": {"entity_id": "sensor.poison"},  # the proxy answers 500 to every request with such a line
    "invalid": {"entity_id": "sensor.invalid", "normalized_value": float("nan")},
}


def event(base: int, number: int, kind: str) -> Event:
    values = {"entity_id": f"sensor.e{number % 3}", "state_value": f"s{number:05d}", **ODD[kind]}
    return Event(time_ns=base + number * 1000, **values)


async def work(pipe: Connection, base: int, settings: WriterSettings) -> None:
    async with BatchWriter(settings) as writer:

        def counts() -> dict[str, Any]:
            stats = writer.stats
            found = {name: getattr(stats, name) for name in ("accepted", "dropped", "pending", "rejected")}
            known = stats.delivered + stats.dead_lettered + stats.dropped + stats.pending
            return {**found, "known": known, "health": str(writer.health())}

        pipe.send(counts())
        while True:
            try:
                asked = await asyncio.to_thread(pipe.recv)
            except EOFError:
                return
            if "write" in asked:
                with contextlib.suppress(InvalidEvent):
                    await writer.write_many([event(base, number, kind) for number, kind in asked["write"]])
            if "flush" in asked:
                await writer.flush(timeout=asked["flush"])
            if "die" in asked:
                os.kill(os.getpid(), signal.SIGKILL)
            pipe.send(counts())


def main(pipe: Connection, base: int, arguments: dict[str, Any]) -> None:
    asyncio.run(work(pipe, base, WriterSettings(**arguments)))
