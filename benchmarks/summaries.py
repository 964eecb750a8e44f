"""The summaries beside the plain continuous-query shape, in one run: `python -m benchmarks.summaries`.

The plain shape is what most tasks for InfluxDB 2 are: group, then `aggregateWindow`, once per aggregate (mean, min,
max, count), from raw events. What is in the ratios, each the median of rounds that take turns on one local influxd:

- `hourly_vs_plain`: the task `downsample_hourly` as it is scheduled, but for the clock, for one hour;
- `daily_vs_plain`: the task `downsample_daily`, the same fields of one day, which it makes of its hours' rows;
- `backfill_vs_plain`: the 24 hours of a day at once, the fields that the hourly task computes, from raw events, as the
  task `reconcile_hourly` makes hours again;
- `year_speedup`: twelve months of one entity that spoke every minute, four aggregates from raw events, beside
  `SummaryReader.query_monthly_summaries`, every field, from the days' rows. Both have to give the same means.

Not in the ratios, but in `figures`: the tasks of the value over time (`downsample_hourly_weighted` and
`downsample_daily_weighted`), which the plain shape does not have, and both tasks of a window together; the year's mean
alone; the command `backfill`, which computes every field in this process, compares and writes; what puts right what
came late; ten times the entities; memory.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.at_rest import at_rest
from benchmarks.result import publish
from benchmarks.summaries_home import (
    BUCKETS,
    DAY,
    HOUR,
    PARTS_OF_DAY,
    PLAIN_AGGREGATES,
    WEATHERS,
    YEARLY_ENTITY,
    as_if_at,
    bench_tiers,
    busy_lines,
    load,
    plain_flux,
    year_flux,
    yearly_lines,
)
from event_schema import Tiers
from flux_tasks import Downsample, SummaryServer, downsamples
from flux_tasks.backfill import backfill
from operations.influxd import LocalInfluxd
from reader import SummaryReader
from reader.settings import ReaderSettings


async def seconds(work: Callable[[], Awaitable[Any]]) -> float:
    begin = time.perf_counter()
    await work()
    return time.perf_counter() - begin


def memory_mb(pid: int | None, what: str) -> float | None:
    """The server's VmRSS (now) or VmHWM (at most so far)."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{what}:"):
                return round(int(line.split()[1]) / 1024, 1)
    except OSError:
        return None
    return None


def say(what: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {what} ...", flush=True)


def in_ms(times: dict[str, float]) -> dict[str, float]:
    return {name: round(value * 1000, 1) for name, value in times.items()}


def year_until(stop: datetime) -> datetime:
    return stop.replace(year=stop.year - 1)


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of the measurement, on a server that is filled already."""

    url: str
    server: SummaryServer
    reader: SummaryReader
    today: datetime
    rounds: int
    process: psutil.Process

    async def side_by_side(self, contenders: dict[str, Callable[[], Awaitable[Any]]]) -> dict[str, float]:
        """Median seconds of each, after one warm-up.

        They take turns, every other round backwards, each on a server at rest, as a task finds it that runs once an
        hour: what one leaves behind is not counted as the next one's.
        """
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(self.rounds + 1):
            for name in list(contenders)[:: -1 if number % 2 else 1]:
                await at_rest(self.url, self.process)
                spent = await seconds(contenders[name])
                if number:
                    taken[name].append(spent)
        return {name: statistics.median(values) for name, values in taken.items()}

    @property
    def day(self) -> datetime:
        return self.today - DAY

    async def run(self, spec: Downsample, task: str, now: datetime) -> None:
        await self.server.rows(as_if_at(next(one.flux for one in spec.tasks() if one.name == task), now))

    async def hour(self, spec: Downsample, *, plain: bool) -> dict[str, float]:
        """Noon's hour, in which every series has a few events."""
        start = self.day + 12 * HOUR
        contenders = {"hearthflux": lambda: self.run(spec, "downsample_hourly", start + HOUR)}
        if plain:
            contenders["plain"] = lambda: self.server.rows(plain_flux(start, start + HOUR, HOUR))
        over_time = {"over time": lambda: self.run(spec, "downsample_hourly_weighted", start + HOUR)}
        return await self.side_by_side(contenders) | await self.side_by_side(over_time)

    async def whole_day(self, spec: Downsample, *, plain: bool) -> dict[str, float]:
        contenders = {"hearthflux": lambda: self.run(spec, "downsample_daily", self.today)}
        if plain:
            contenders["plain"] = lambda: self.server.rows(plain_flux(self.day, self.today, DAY))
        over_time = {"over time": lambda: self.run(spec, "downsample_daily_weighted", self.today)}
        return await self.side_by_side(contenders) | await self.side_by_side(over_time)

    async def hours_of_a_day(self, spec: Downsample) -> dict[str, float]:
        return await self.side_by_side(
            {
                "hearthflux": lambda: self.server.rows(spec.backfill_flux(self.day, self.today, window=True)),
                "plain": lambda: self.server.rows(plain_flux(self.day, self.today, HOUR)),
            }
        )

    async def year(self, stop: datetime) -> dict[str, float]:
        """Raises RuntimeError where the summaries have other means than the raw events."""
        start = year_until(stop)

        async def summaries() -> list[float | None]:
            found = await self.reader.query_monthly_summaries(YEARLY_ENTITY, "1y", now=stop)
            return [row.avg_value for row in found]

        mean = year_flux(start, stop, ["mean"])
        from_raw = [row["_value"] for row in await self.server.rows(mean)]
        rolled_up = await summaries()
        if len(from_raw) != 12 or not all(
            one is not None and math.isclose(one, other, rel_tol=1e-9)
            for one, other in zip(rolled_up, from_raw, strict=True)
        ):
            raise RuntimeError(f"by month the summaries have {rolled_up}, the raw events {from_raw}")
        return await self.side_by_side(
            {
                "raw": lambda: self.server.rows(year_flux(start, stop, PLAIN_AGGREGATES)),
                "raw, mean alone": lambda: self.server.rows(mean),
                "hearthflux": summaries,
            }
        )


@dataclass(frozen=True, slots=True)
class Filled:
    """What the server holds, and the specs of it; a tenth of the entities is in buckets of their own (`small`)."""

    hourly: Downsample
    daily: Downsample
    small_hourly: Downsample
    small_daily: Downsample
    of_the_year: Downsample
    year_stop: datetime
    events: int = 0
    events_of_the_year: int = 0


def declare(local: LocalInfluxd, today: datetime) -> Filled:
    tiers, small = bench_tiers(), bench_tiers("small_")
    hourly, daily = downsamples(tiers)
    small_hourly, small_daily = downsamples(small)
    # The yearly entity's days are made of its events alone and stored among the others' days.
    _, of_the_year = downsamples(Tiers((replace(tiers.raw, bucket="year_events"), tiers.hourly, tiers.daily)))
    for bucket in (*BUCKETS.values(), *(tier.bucket for tier in small), "year_events"):
        rule = {"everySeconds": 0, "shardGroupDurationSeconds": (7 if bucket.endswith("_events") else 90) * 86_400}
        local.api("POST", "/api/v2/buckets", {"orgID": local.org_id, "name": bucket, "retentionRules": [rule]})
    return Filled(hourly, daily, small_hourly, small_daily, of_the_year, today.replace(day=1))


async def fill(bench: Bench, of: Filled, entities: int, days: int) -> Filled:
    busy = 0
    for number in range(days, 0, -1):
        busy += await load(bench.server, busy_lines(bench.today - number * DAY, entities))
    await load(bench.server, busy_lines(bench.day, entities // 10), of.small_hourly.source_bucket)
    for bucket in ("year_events", BUCKETS["raw"]):
        yearly = await load(bench.server, yearly_lines(year_until(of.year_stop), of.year_stop), bucket)
    return replace(of, events=busy, events_of_the_year=yearly)


def growth(times: dict[str, float], small: dict[str, float]) -> dict[str, float]:
    return {name: round(times[name] / small[name], 1) for name in ("hearthflux", "over time")}


Result = tuple[dict[str, float], dict[str, Any]]  # ratios, figures


def compared(name: str, times: dict[str, float], small: dict[str, float]) -> dict[str, Any]:
    """The figures of a window's scripts: beside the plain one, and of a tenth of the entities."""
    both = times["hearthflux"] + times["over time"]
    return {
        f"{name}_ms": in_ms(times | {"both": both}),
        f"{name}_both_vs_plain": round(both / times["plain"], 4),
        f"{name}_times_with_10_times_the_entities": growth(times, small),
    }


async def part_hour(bench: Bench, of: Filled) -> Result:
    times = await bench.hour(of.hourly, plain=True)
    small = await bench.hour(of.small_hourly, plain=False)
    return {"hourly_vs_plain": round(times["hearthflux"] / times["plain"], 4)}, compared("hour", times, small)


async def part_day(bench: Bench, of: Filled) -> Result:
    # The day is made of the rows of its hours, which have to be there.
    await backfill(bench.server, bench.day, bench.today, specs=(of.small_hourly,))
    rebuilt = await seconds(lambda: backfill(bench.server, bench.day, bench.today, specs=(of.hourly, of.daily)))
    times = await bench.whole_day(of.daily, plain=True)
    small = await bench.whole_day(of.small_daily, plain=False)
    figures = compared("day", times, small) | {"backfill_command_day_s": round(rebuilt, 1)}
    return {"daily_vs_plain": round(times["hearthflux"] / times["plain"], 4)}, figures


async def part_backfill(bench: Bench, of: Filled) -> Result:
    times = await bench.hours_of_a_day(of.hourly)
    ratio = round(times["hearthflux"] / times["plain"], 4)
    return {"backfill_vs_plain": ratio}, {"backfill_day_ms": in_ms(times)}


async def part_year(bench: Bench, of: Filled) -> Result:
    spans = year_until(of.year_stop), of.year_stop
    made = await seconds(lambda: backfill(bench.server, *spans, specs=(of.of_the_year,)))
    times = await bench.year(of.year_stop)
    figures = {
        "year_ms": in_ms(times),
        "year_speedup_to_mean_alone": round(times["raw, mean alone"] / times["hearthflux"], 1),
        "backfill_command_year_of_one_entity_s": round(made, 1),
    }
    return {"year_speedup": round(times["raw"] / times["hearthflux"], 1)}, figures


async def part_late(bench: Bench, of: Filled) -> Result:
    """The task that puts right what came late: both days of its horizon missing, then nothing late."""
    figures = {}
    for name in ("days_missing", "nothing_late"):
        taken = await seconds(lambda: bench.run(of.hourly, "reconcile_hourly", bench.today))
        figures[f"reconcile_{name}_s"] = round(taken, 1)
    return {}, figures


# The late part first: for it both days' hours have to be missing.
PARTS: dict[str, Callable[[Bench, Filled], Awaitable[Result]]] = {
    "late": part_late,
    "hour": part_hour,
    "backfill": part_backfill,
    "day": part_day,
    "year": part_year,
}


async def measure(
    local: LocalInfluxd, *, entities: int, days: int, rounds: int, parts: Collection[str]
) -> dict[str, Any]:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    of = declare(local, today)
    settings = ReaderSettings(url=local.url, token=local.token, org=local.org, tiers=bench_tiers(), read_timeout=60)
    async with (
        SummaryServer(url=local.url, token=local.token, org=local.org) as server,
        SummaryReader(settings) as reader,
    ):
        bench = Bench(local.url, server, reader, today, rounds, psutil.Process(local.pid))
        say("writing raw events")
        of = await fill(bench, of, entities, days)
        memory = {"filled": memory_mb(local.pid, "VmRSS")}
        ratios: dict[str, float] = {}
        figures: dict[str, Any] = {}
        for name, part in PARTS.items():
            if name in parts:
                say(name)
                found, told = await part(bench, of)
                ratios |= found
                figures |= told
        memory |= {"at the end": memory_mb(local.pid, "VmRSS"), "at most": memory_mb(local.pid, "VmHWM")}
    series = entities * len(WEATHERS) * len(PARTS_OF_DAY)
    filled = {
        "raw_events": of.events,
        "raw_events_of_the_year_beside": of.events_of_the_year,
        "series": series,
        "rounds": rounds,
        "server_memory_mb": memory,
    }
    return {"bench": "summaries", "ratios": ratios, "figures": filled | figures}


def table(result: dict[str, Any]) -> str:
    figures = result["figures"]
    lines = [f"{figures['raw_events']:,} raw events in {figures['series']:,} series"]
    for name, value in figures.items():
        if isinstance(value, dict):
            value = "  ".join(f"{who} {number:,}" for who, number in value.items())
        lines.append(f"{name:38} {value}")
    lines += [f"{name:38} {value}" for name, value in result["ratios"].items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--entities", type=int, default=400, help="12 series each (default 400)")
    parser.add_argument("--days", type=int, default=6, help="busy days of 480 events per entity (default 6)")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds after one warm-up (default 5)")
    parser.add_argument(
        "--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS), help="what is measured (default: all)"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hearthflux-bench-") as folder:
        local = LocalInfluxd(Path(folder) / "influxd")
        try:
            local.start()
            result = asyncio.run(
                measure(local, entities=given.entities, days=given.days, rounds=given.rounds, parts=given.parts)
            )
        finally:
            local.kill()
    print(table(result))
    publish(result)


if __name__ == "__main__":
    main()
