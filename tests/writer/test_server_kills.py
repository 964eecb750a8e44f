"""The server's process is killed, again and again, in the middle of a stream."""

from __future__ import annotations

import asyncio
import random
import time

from tests.writer.conftest import Home
from tests.writer.test_batch_writing import check
from writer import BatchWriter, Event

PER_SECOND, AT_ONCE = 5_000, 250
KILLS, LONGEST_OUTAGE = 20, 20.0


def outages(dice: random.Random) -> list[float]:
    """Seconds from 0 to 20, most of them short: an outage costs the test its length."""
    return [LONGEST_OUTAGE * dice.betavariate(0.5, 4.0) for _ in range(KILLS - 2)] + [0.0, LONGEST_OUTAGE]


async def test_twenty_kills_of_the_server_in_a_stream_lose_nothing(private_home: Home) -> None:
    dice = random.Random()
    base, written, stop = time.time_ns(), 0, asyncio.Event()

    async def stream(writer: BatchWriter) -> None:
        nonlocal written
        began = time.monotonic()
        while not stop.is_set():
            events = [
                Event(time_ns=base + number * 1000, entity_id=f"sensor.e{number % 20}", normalized_value=float(number))
                for number in range(written, written + AT_ONCE)
            ]
            await writer.write_many(events)
            written += AT_ONCE
            await asyncio.sleep(max(0.0, began + written / PER_SECOND - time.monotonic()))

    async with BatchWriter(private_home.settings(batch_size=2000, close_timeout=30)) as writer:
        streaming = asyncio.create_task(stream(writer))
        for outage in dice.sample(outages(dice), KILLS):
            await asyncio.sleep(dice.uniform(0.05, 0.8))
            await asyncio.to_thread(private_home.server.kill)
            await asyncio.sleep(outage)
            await asyncio.to_thread(private_home.server.start)
            check(writer)
        stop.set()
        await streaming
        report = await writer.flush(timeout=100)
        assert (report.delivered, report.dead_lettered, report.dropped, report.pending) == (written, 0, 0, 0)
    # As many points as were written, and their numbers add up: every one is there, once.
    shape = f'from(bucket: "{private_home.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
    [count], [total] = (private_home.query(f"{shape} |> group() |> {what}()") for what in ("count", "sum"))
    assert int(count["_value"]) == written
    assert float(total["_value"]) == written * (written - 1) / 2
