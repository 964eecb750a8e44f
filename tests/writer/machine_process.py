"""A writer in a process of its own, driven by lines of JSON: what the state machine crashes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from writer import BatchWriter, Event, InvalidEvent, WriterSettings


def event(base: int, number: int, kind: str) -> Event:
    values: dict[str, Any] = {"time_ns": base + number * 1000, "state_value": f"s{number:05d}"}
    if kind == "conflict":  # the bucket holds `confidence` as a text
        return Event(**values, entity_id="sensor.conflict", confidence=0.5)
    if kind == "invalid":
        return Event(**values, entity_id="sensor.invalid", normalized_value=float("nan"))
    return Event(**values, entity_id=f"sensor.e{number % 3}")


async def main() -> None:
    arguments = json.loads(sys.argv[1])
    base = arguments.pop("base")
    async with BatchWriter(WriterSettings(**arguments)) as writer:

        def answer() -> None:
            stats = writer.stats
            known = stats.delivered + stats.dead_lettered + stats.dropped + stats.pending
            found = {"accepted": stats.accepted, "known": known, "dropped": stats.dropped, "pending": stats.pending}
            print(json.dumps({**found, "health": str(writer.health())}), flush=True)

        answer()
        while command := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(command)
            if "write" in asked:
                with contextlib.suppress(InvalidEvent):
                    await writer.write_many([event(base, number, asked["kind"]) for number in asked["write"]])
            if "flush" in asked:
                await writer.flush(timeout=asked["flush"])
            answer()


asyncio.run(main())
