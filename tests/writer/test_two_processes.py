"""One spool, two processes: the second is refused with a sentence, and the first one's death makes room."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from typing import cast

from tests.writer.conftest import Home, hearthflux
from tests.writer.test_crashes import ROOT, start


async def test_the_second_process_is_refused_and_the_first_goes_on(home: Home) -> None:
    base = time.time_ns()
    with start(home, 0, base) as first:
        assert first.stdout is not None
        accepted = int(first.stdout.readline())
        sentence = f"is in use by process {first.pid}: stop that one, or give each writer its own spool_path."

        second = await asyncio.to_thread(hearthflux, home, "spool", "drain")
        assert (second.returncode, second.stdout) == (1, "")
        assert sentence in second.stderr
        assert "Traceback" not in second.stderr

        *program, arguments = cast("list[str]", first.args)
        third = await asyncio.to_thread(
            subprocess.run,
            [*program, json.dumps({**json.loads(arguments), "first": 10_000_000})],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
        )
        assert (third.returncode, third.stdout) == (1, "")
        assert f"SpoolError: The spool {home.folder / 'spool.sqlite'} {sentence}" in third.stderr

        for _ in range(3):
            accepted = int(first.stdout.readline())
        first.kill()
        for line in first.stdout.read().splitlines():
            accepted = int(line)
    # The kernel has given the lock back.
    drained = await asyncio.to_thread(hearthflux, home, "spool", "drain", "--json")
    assert (drained.returncode, json.loads(drained.stdout)["pending"]) == (0, 0)
    stored = home.values()
    assert stored[:accepted] == [f"s{number:07d}" for number in range(accepted)]
    assert all(value < "s10000000" for value in stored)
