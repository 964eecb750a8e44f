"""The provider beside a stub and plain API calls, in one run: `python -m benchmarks.provider`.

The same Pulumi program declares 20 homes of 15 resources. `influxdb` applies it to a real influxd; `stub` is a
provider that answers at once and does nothing, so what it takes is the engine's and the program's own; `plain` makes,
reads, changes and deletes the same objects by concurrent HTTP calls, without state, diff or check. The three take
turns step by step. Then fleets of 20, 60 and 200 homes in stacks of twenty. About nine minutes on two cores
(`--fleet ""` leaves the fleets out: three). Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.provider_contenders import PER_HOME, PeakMemory, Plain, Runner, environment, write_stub
from benchmarks.provider_fleet import measure
from benchmarks.result import publish
from operations.influxd import LocalInfluxd
from tools import find

STEPS = ("up", "noop", "change", "refresh", "destroy")
CONTENDERS = ("stub", "influxdb", "plain")


def one_round(server: LocalInfluxd, folder: Path, stub: Path, homes: int, number: int) -> dict[str, float]:
    """Seconds by contender and step, and the peak memory of the provider in MB."""

    def prefix(name: str) -> str:
        return f"{name}-{secrets.token_hex(4)}"

    def runner(name: str, plugin: Path) -> Runner:
        return Runner(folder / name, plugin, environment(server.url, server.token, homes, prefix(name)))

    contenders = {
        "stub": runner("stub", stub).steps(),
        "influxdb": runner("influxdb", find.ROOT / "provider").steps(),
        "plain": Plain(server.url, server.token, homes, prefix("plain")).steps(),
    }
    # Who begins changes from round to round.
    order = list(contenders) if number % 2 == 0 else list(reversed(contenders))
    found: dict[str, float] = {}
    peak = 0
    for step in STEPS:
        for name in order:
            if step not in contenders[name]:
                continue
            with PeakMemory() as memory:
                found[f"{name}_{step}"] = contenders[name][step]()
            peak = max(peak, memory.plugin if name == "influxdb" else 0)
    return {**found, "provider_memory_mb": peak / 1e6}


def table(figures: dict[str, float]) -> None:
    print(f"  {'seconds':10}" + "".join(f"{name:>10}" for name in CONTENDERS))
    for step in STEPS:
        cells = (figures.get(f"{name}_{step}") for name in CONTENDERS)
        print(f"  {step:10}" + "".join(f"{'-' if cell is None else format(cell, '.2f'):>10}" for cell in cells))
    print(f"  the provider's memory at most: {figures['provider_memory_mb']:.0f} MB")


def fleet_table(figures: dict[str, float], sizes: list[int]) -> None:
    print(f"  {'homes':>6}{'resources':>11}{'up':>9}{'s a home':>10}{'preview':>9}{'memory':>10}")
    for homes in sizes:
        up = figures[f"fleet_{homes}_up"]
        print(
            f"  {homes:6}{figures[f'fleet_{homes}_resources']:11.0f}{up:8.1f}s{up / homes:10.2f}"
            f"{figures[f'fleet_{homes}_noop']:8.1f}s{figures[f'fleet_{homes}_memory_mb']:7.0f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provider", description=__doc__)
    parser.add_argument("--homes", type=int, default=20, help=f"homes of {PER_HOME} resources (20)")
    parser.add_argument("--rounds", type=int, default=3, help="each contender runs once per round (3)")
    parser.add_argument("--fleet", default="20,60,200", help="sizes of the fleets; empty for none (20,60,200)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="stacks at a time (one for each core)")
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.fleet.split(",") if size.strip()]
    started = time.monotonic()
    rounds: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="hearthflux-bench-") as text:
        folder = Path(text)
        stub = write_stub(folder / "stub-plugin")
        for number in range(chosen.rounds):
            # A server of its own for every round: what an earlier round left would slow down a later one.
            place = folder / f"round-{number}"
            place.mkdir()
            server = LocalInfluxd(place / "influxd").start()
            try:
                rounds.append(one_round(server, place, stub, chosen.homes, number))
            finally:
                server.kill()
        fleets = measure(sizes, folder, chosen.jobs)
    figures = {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]} if rounds else {}
    ratios = {
        f"{step}_vs_stub": round(statistics.median(one[f"influxdb_{step}"] / one[f"stub_{step}"] for one in rounds), 3)
        for step in STEPS
        if rounds
    }
    if rounds:
        print(f"{chosen.homes * PER_HOME} resources, {chosen.rounds} round(s), {os.cpu_count()} cores; medians")
        table(figures)
    if sizes:
        print(f"fleets in stacks of twenty, {chosen.jobs} stacks at a time; memory of all processes but the server's")
        fleet_table(fleets, sizes)
    publish(
        {
            "bench": "provider",
            "ratios": ratios,
            "figures": {
                **figures,
                **{name: round(value, 2) for name, value in fleets.items()},
                "resources": chosen.homes * PER_HOME,
                "rounds": chosen.rounds,
                "took_seconds": round(time.monotonic() - started),
            },
        }
    )


if __name__ == "__main__":
    main()
