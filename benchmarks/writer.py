# mypy: disable-error-code="no-untyped-call,attr-defined,no-any-return"
"""The writer beside its peers, in one run against a local influxd: `python -m benchmarks.writer`.

Each round runs every contender once on the same events, in an order of its own, into a bucket of its own, on a server
and a disk at rest. A ratio is the median of the rounds' ratios. Events per second are those from the first call until
the server has everything: opening a writer counts, closing it after that is `close_ms`. CPU is this process's user and
system time from the first call to the end of closing. Peers write a part of the events (at most 50,000), because they
take so much longer; what they cost per event does not depend on it. `fixed_ms` is a whole life of a durable writer with
one event: opening, a commit, a post, closing. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import writer.encoder
from benchmarks.at_rest import at_rest
from benchmarks.result import publish
from benchmarks.writer_contenders import BATCH, LIMIT, NAMES, OURS, PEERS, Place, durable, encoded, limit, make_events
from event_schema import Event
from operations.influxd import LocalInfluxd
from writer import BatchWriter

PEER_EVENTS = 50_000


@contextlib.contextmanager
def timed_callbacks() -> Iterator[list[tuple[float, float]]]:
    """(wall clock, CPU of this thread) seconds of every callback that the event loop runs: what blocks it."""
    found: list[tuple[float, float]] = []
    original = asyncio.events.Handle._run

    def run(self: asyncio.events.Handle) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        original(self)
        found.append((time.perf_counter() - wall, time.thread_time() - cpu))

    asyncio.events.Handle._run = run
    try:
        yield found
    finally:
        asyncio.events.Handle._run = original


async def single_writes(place: Place, seconds: float, per_second: int = 2000) -> dict[str, float]:
    """`await write` one at a time from independent tasks at a steady rate: latency, and the loop's longest callback.

    Wall clock counts also what others on this machine took from the process; CPU is what the callback itself cost.
    """
    events = make_events(int(seconds * per_second))
    latencies: list[float] = []
    async with BatchWriter(place.settings(batch_size=1000)) as opened:
        await opened.write(events[0])
        await opened.flush()

        async def one(event: Event) -> None:
            started = time.perf_counter()
            await opened.write(event)
            latencies.append(time.perf_counter() - started)

        # The benchmark's own heap is not the writer's: without this, a full collection is counted as its pause.
        gc.collect()
        gc.freeze()
        with timed_callbacks() as callbacks:
            start = time.perf_counter()
            tasks: set[asyncio.Task[None]] = set()
            for number, event in enumerate(events):
                ahead = start + number / per_second - time.perf_counter()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                task = asyncio.create_task(one(event))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            while tasks:  # noqa: ASYNC110 - to gather thousands of tasks would itself be the longest callback
                await asyncio.sleep(0.005)
        gc.unfreeze()
    cuts = statistics.quantiles(latencies, n=100)
    walls = sorted(wall for wall, _ in callbacks)
    return {
        "write_p50_ms": cuts[49] * 1e3,
        "write_p99_ms": cuts[98] * 1e3,
        "loop_blocked_p9999_ms": walls[-1 - len(walls) // 10_000] * 1e3,
        "loop_blocked_longest_ms": walls[-1] * 1e3,
        "loop_blocked_longest_cpu_ms": max(cpu for _, cpu in callbacks) * 1e3,
    }


async def drain(place: Place, events: list[Event]) -> float:
    """Events per second of a backlog that a stopped server left in the spool."""
    place.server.pause()
    async with BatchWriter(place.settings(write_timeout=5, close_timeout=0.1)) as opened:
        await opened.write_many(events)
    place.server.resume()
    async with BatchWriter(place.settings()) as opened:
        started = time.perf_counter()
        await opened.flush(timeout=120)
        return opened.stats.delivered / (time.perf_counter() - started)


@dataclass
class Measured:
    """Per round: CPU microseconds per event, events per second, milliseconds of closing."""

    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    close_ms: list[float] = field(default_factory=list)

    def row(self) -> str:
        spread = f"{min(self.cpu):.1f}-{max(self.cpu):.1f}"
        rates = f"{min(self.rate):,.0f}-{max(self.rate):,.0f}"
        return f"{statistics.median(self.cpu):14.2f}{spread:>16}{statistics.median(self.rate):12,.0f}{rates:>20}"

    def figures(self) -> dict[str, float]:
        return {
            "cpu_us_per_event": statistics.median(self.cpu),
            "events_per_second": statistics.median(self.rate),
            "close_ms": statistics.median(self.close_ms),
        }


@contextlib.contextmanager
def fresh_place(server: LocalInfluxd, folder: Path) -> Iterator[Place]:
    bucket = f"b{secrets.token_hex(6)}"
    made = server.api("POST", "/api/v2/buckets", {"name": bucket, "orgID": server.org_id, "retentionRules": []})
    yield Place(server, bucket, folder)
    server.api("DELETE", f"/api/v2/buckets/{made['id']}")


async def run_once(name: str, place: Place, events: list[Event], bodies: list[bytes], measured: Measured) -> None:
    count = len(events)
    started, burnt = time.perf_counter(), time.process_time()
    complete: float | None = None
    if name == LIMIT:
        await limit(place, bodies)
    else:
        complete = await (PEERS | OURS)[name](place, events)
    ended = time.perf_counter()
    complete = complete or ended
    measured.cpu.append((time.process_time() - burnt) / count * 1e6)
    measured.rate.append(count / (complete - started))
    measured.close_ms.append((ended - complete) * 1e3)


async def rounds_of(
    names: list[str], server: LocalInfluxd, folder: Path, events: list[Event], rounds: int
) -> dict[str, Measured]:
    bodies = encoded(events)
    # The benchmark's own heap is not the writer's: a full collection would be counted as its work.
    gc.collect()
    gc.freeze()
    found = {name: Measured() for name in names}
    process = psutil.Process(server.pid)
    with fresh_place(server, folder) as place:
        await limit(place, bodies)  # the server's caches and this process's imports are warm
    for number in range(rounds):
        # In an order that is another one each time: none always has the same one before it.
        for name in random.Random(number).sample(names, len(names)):
            with fresh_place(server, folder) as place:
                await at_rest(server.url, process)
                mine = events[:PEER_EVENTS] if name in PEERS else events
                await run_once(name, place, mine, bodies, found[name])
        print(f"round {number + 1} of {rounds} done", file=sys.stderr, flush=True)
    return found


async def fixed_ms(server: LocalInfluxd, folder: Path, rounds: int) -> float:
    """Of a durable writer's whole life with one event."""
    found = []
    for _ in range(rounds):
        with fresh_place(server, folder) as place:
            await durable(place, make_events(1))  # the bucket has its shard
            started = time.perf_counter()
            await durable(place, make_events(1))
            found.append((time.perf_counter() - started) * 1e3)
    return statistics.median(found)


async def measure(
    server: LocalInfluxd, folder: Path, count: int, rounds: int, names: list[str], *, streams: bool
) -> dict[str, Any]:
    events = make_events(count)
    found = await rounds_of(names, server, folder, events, rounds)
    print(f"{'':32}{'CPU us/event':>14}{'spread':>16}{'events/s':>12}{'spread':>20}")
    for name, measured in found.items():
        print(f"{name:32}{measured.row()}")
    figures: dict[str, Any] = {name: measured.figures() for name, measured in found.items()}

    def ratio(ours: str, theirs: str, values: Callable[[Measured], list[float]]) -> list[float]:
        """Round by round: what slows a whole round down is in both."""
        if not {ours, theirs} <= found.keys():
            return []
        return [mine / other for mine, other in zip(values(found[ours]), values(found[theirs]), strict=True)]

    each = {
        "cpu_durable_vs_official": ratio("hearthflux durable", "official batching", lambda one: one.cpu),
        "cpu_memory_vs_official": ratio("hearthflux memory", "official batching", lambda one: one.cpu),
        "throughput_vs_limit": ratio("hearthflux durable", LIMIT, lambda one: one.rate),
        "throughput_memory_vs_limit": ratio("hearthflux memory", LIMIT, lambda one: one.rate),
    }
    ratios = {name: statistics.median(values) for name, values in each.items() if values}
    for name in ratios:
        print(f"{name:32}{ratios[name]:14.3f}{min(each[name]):10.3f}-{max(each[name]):.3f}")
    more: dict[str, float] = {"fixed_ms": await fixed_ms(server, folder, rounds)}
    if streams:
        with fresh_place(server, folder) as place:
            more.update(await single_writes(place, seconds=5))
        with fresh_place(server, folder) as place:
            more["drain_events_per_second"] = await drain(place, events)
        if "hearthflux durable" in figures:
            normal = figures["hearthflux durable"]["events_per_second"]
            more["drain_vs_normal"] = more["drain_events_per_second"] / normal
    for name, value in more.items():
        print(f"{name:32}{value:14,.2f}")
    compiled = writer.encoder.Quick is not None
    settings = {"events": count, "peer_events": min(count, PEER_EVENTS), "rounds": rounds, "batch_size": BATCH}
    return {
        "bench": "writer",
        "ratios": ratios,
        "figures": {**settings, "compiled": compiled, **figures, **more},
    }


def chosen(text: str) -> list[str]:
    """The contenders whose names hold one of the words, and the limit."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    names = [name for name in NAMES if name == LIMIT or any(word in name for word in words)]
    for word in words:
        if not any(word in name for name in NAMES):
            raise argparse.ArgumentTypeError(f"{word!r} is in none of the names: {', '.join(NAMES)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writer", description=__doc__)
    # Fewer, and it is chance how much of the server's compaction, which it looks for once a second, falls into a run.
    parser.add_argument("--events", type=int, default=600_000, help="events per round, of the writer and the limit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only",
        type=chosen,
        default=list(NAMES),
        metavar="WORDS",
        help="contenders whose names hold one of these words, such as 'durable,memory'; the limit runs always, the "
        "streams (single writes, drain) do not",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hearthflux-bench-") as folder:
        server = LocalInfluxd(Path(folder) / "influxd")
        try:
            work = measure(
                server.start(),
                Path(folder),
                arguments.events,
                arguments.rounds,
                arguments.only,
                streams=arguments.only == list(NAMES),
            )
            result = asyncio.run(work)
        finally:
            server.kill()
    publish(result)


if __name__ == "__main__":
    main()
