"""A real file system of a few megabytes that is full: `write` says so, nothing accepted is lost, and it goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.writer.conftest import Home

ROOT = Path(__file__).resolve().parents[2]
SMALL = 6 * 1024 * 1024

PROGRAM = """
import asyncio, json, random, resource, signal, sys, time
from writer import BatchWriter, Event, SpoolError, WriterSettings

arguments = json.loads(sys.argv[1])
if (most := arguments.pop("largest_file")) is not None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
base = time.time_ns()

def events(first):
    # What cannot be packed: else a full disk takes long.
    return [
        Event(time_ns=base + n * 1000, entity_id=f"sensor.e{n % 7}", state_value=f"s{n:07d}",
              previous_state=random.randbytes(150).hex())
        for n in range(first, first + 100)
    ]

async def main():
    accepted, number, sentences = [], 0, []
    async with BatchWriter(WriterSettings(**arguments)) as writer:

        async def write():
            nonlocal number
            number += 100
            try:
                await writer.write_many(events(number))
                accepted.append(number)
            except SpoolError as error:
                sentences.append(str(error))

        while len(sentences) < 3:
            await write()
        print(json.dumps({"sentences": sentences, "health": str(writer.health()), "accepted": accepted}), flush=True)
        sys.stdin.readline()  # the server is well again
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await writer.flush(timeout=60)
        written = len(accepted)
        while len(accepted) < written + 20:
            await write()
        report, stats = await writer.flush(timeout=60), writer.stats
        known = stats.delivered + stats.dead_lettered + stats.dropped + stats.pending
        print(json.dumps({"accepted": accepted, "pending": report.pending, "health": str(writer.health()),
                          "stats": stats.accepted, "known": known}))

asyncio.run(main())
"""


def small_disk(folder: Path) -> list[str] | None:
    """What starts a program with a file system of its own mounted at `folder`; None where that is not permitted."""
    mount = f'mount -t tmpfs -o size={SMALL} small "{folder}" && exec "$@"'
    for unshare in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"], ["sudo", "-n", "unshare", "-m"]):
        prefix = [*unshare, "sh", "-c", mount, "sh"]
        try:
            if subprocess.run([*prefix, "true"], capture_output=True, timeout=10).returncode == 0:
                return prefix
        except OSError:
            return None
    return None


def test_a_full_disk_refuses_with_a_sentence_and_loses_nothing(private_home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    prefix = small_disk(folder)
    arguments = {
        "url": private_home.server.url,
        "token": private_home.server.token,
        "org": private_home.server.org,
        "bucket": private_home.bucket,
        "spool_path": str(folder / "spool.sqlite"),
        "batch_timeout": 0.1,
        "write_timeout": 2,
        "retry_longest": 0.5,
        # Without mounts, the kernel's limit on a file's size stands for a full disk; it is lifted in the end.
        "largest_file": None if prefix else SMALL // 2,
    }
    private_home.server.pause()
    with subprocess.Popen(
        [*(prefix or []), sys.executable, "-c", PROGRAM, json.dumps(arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            full = json.loads(process.stdout.readline())
            assert all("cannot be written: " in sentence for sentence in full["sentences"])
            assert "cannot be written" in full["health"]
            assert len(full["accepted"]) > 10
            private_home.server.resume()
            end = json.loads(process.communicate("\n", timeout=60)[0])
        finally:
            process.kill()
    assert process.returncode == 0
    assert (end["pending"], end["health"]) == (0, "healthy")
    expected = [f"s{first + n:07d}" for first in end["accepted"] for n in range(100)]
    assert end["stats"] == end["known"] == len(expected)
    assert private_home.values() == expected
