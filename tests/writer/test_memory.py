"""A long outage: the backlog is on the disk, not in the process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import asyncio, json, sys, time
import psutil
from writer import BatchWriter, Event, WriterSettings

async def main():
    settings = WriterSettings(url="http://127.0.0.1:9", token="t", org="o", spool_path=sys.argv[1], close_timeout=0.1)
    base, process = time.time_ns(), psutil.Process()

    def events(first, count):
        return [
            Event(time_ns=base + n, entity_id=f"sensor.room_{n % 400}", area=f"room {n % 20}", state_value=f"{n}",
                  previous_state=f"{n - 1}", normalized_value=n / 7, unit_of_measurement="W")
            for n in range(first, first + count)
        ]

    async with BatchWriter(settings) as writer:
        await writer.write_many(events(0, 20_000))
        await asyncio.sleep(1.5)
        before = process.memory_info().rss
        for first in range(20_000, 520_000, 1000):
            await writer.write_many(events(first, 1000))
        stats = writer.stats
        print(json.dumps({"grown": process.memory_info().rss - before, "pending": stats.pending,
                          "accepted": stats.accepted, "bytes": stats.pending_bytes}))

asyncio.run(main())
"""


def test_half_a_million_events_while_the_server_is_away_stay_on_the_disk(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "spool.sqlite")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["accepted"] == found["pending"] == 520_000
    assert found["bytes"] > 60_000_000
    assert found["grown"] < 40_000_000
