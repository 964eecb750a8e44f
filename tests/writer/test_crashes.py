"""What `write` returned for survives the end of its process, however that comes."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.writer.conftest import Home
from writer import BatchWriter
from writer.chunk import Chunk
from writer.spool import Spool

ROOT = Path(__file__).resolve().parents[2]


def start(home: Home, first: int, base: int, **more: str) -> subprocess.Popen[str]:
    arguments = {
        "url": home.server.url,
        "token": home.server.token,
        "org": home.server.org,
        "bucket": home.bucket,
        "spool_path": str(home.folder / "spool.sqlite"),
        "batch_size": 200,
        "batch_timeout": 0.1,
        "first": first,
        "base": base,
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.writer.writing_process", json.dumps(arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


async def test_twenty_kills_of_the_writing_process_lose_nothing(home: Home) -> None:
    dice, base, accepted = random.Random(20), time.time_ns(), 0
    for _ in range(20):
        with start(home, accepted, base) as process:
            assert process.stdout is not None
            accepted = int(process.stdout.readline())
            await asyncio.sleep(dice.uniform(0, 0.5))
            process.kill()
            for line in process.stdout.read().splitlines():
                accepted = int(line)
    async with BatchWriter(home.settings()) as writer:
        report = await writer.flush()
        assert report.pending == 0
        assert report.dead_lettered == 0
    stored = home.values()
    assert len(stored) == len(set(stored))
    assert stored[:accepted] == [f"s{number:07d}" for number in range(accepted)]


@pytest.mark.parametrize("ending", ["no close", "exit", "SIGTERM"])
async def test_no_close_no_loss(home: Home, ending: str) -> None:
    with start(home, 0, time.time_ns(), ending=ending) as process:
        assert process.stdout is not None
        accepted = int(process.stdout.readline())
        if ending == "SIGTERM":
            process.terminate()
        for line in process.stdout.read().splitlines():
            accepted = int(line)
    async with BatchWriter(home.settings()) as writer:
        assert (await writer.flush()).pending == 0
    assert home.values()[:accepted] == [f"s{number:07d}" for number in range(accepted)]


@pytest.mark.parametrize("packed", [False, True])
def test_a_spool_cut_in_mid_page_gives_back_every_whole_row(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "spool.sqlite"
    spool = Spool(path)
    spool.open()
    made = random.Random(1)
    bodies = {n: b"".join(b"m,t=a f=%d 1\n" % made.getrandbits(60) for _ in range(120)) for n in range(1, 101)}
    for number, body in bodies.items():
        chunk = Chunk(number, 1.0, 120, body)
        spool.commit([chunk.packed() if packed else chunk])
    spool.close()
    whole = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(whole - whole // 4 - 1234)
    spool = Spool(path)
    spool.open()
    try:
        assert spool.salvaged_from is not None
        assert spool.salvaged_from.exists()
        waiting = spool.waiting()
        assert 3000 < waiting.lines < 12_000
        rows = spool.read(0, waiting.last, 10**9)
        assert sum(chunk.lines for chunk in rows) == waiting.lines
        assert {chunk.body for chunk in rows} <= set(bodies.values())
    finally:
        spool.close()
