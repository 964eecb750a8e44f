"""Between two measurements: what one leaves behind to a server or to the disk is not counted as the next one's."""

from __future__ import annotations

import asyncio
import os
import urllib.request

import psutil


def collect_garbage(url: str) -> None:
    with urllib.request.urlopen(f"{url}/debug/pprof/heap?gc=1") as answer:
        answer.read()


async def at_rest(url: str, server: psutil.Process) -> None:
    """Have a server collect what the last work left to it, and wait, at most some seconds, until it is done with that
    and with its log, and until the disk is. Else every other one pays for two: medians of the same two scripts were
    0.56 and 1.04."""
    await asyncio.to_thread(os.sync)
    await asyncio.to_thread(collect_garbage, url)
    for _ in range(50):
        before = sum(server.cpu_times()[:2])
        await asyncio.sleep(0.1)
        if sum(server.cpu_times()[:2]) - before <= 0.01:
            return
