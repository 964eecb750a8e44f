"""The summaries beside the plain continuous-query shape, in one run: `python -m benchmarks.summaries`.

The plain shape is what most tasks for InfluxDB 2 are: group, then `aggregateWindow`, once per aggregate (mean, min,
max, count), hours and days from raw events. Beside it this project's scheduled scripts as they are, but for the clock:
an hour's aggregates, a whole row of a day made of its hours, a day's hours at once. What the plain shape does not have
(value over time, first and last value, increase) and what puts right what came late are measured for themselves, in
`figures`. Medians of rounds that take turns on one local influxd; prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.result import publish
from event_schema import HOME_ASSISTANT_EVENTS, Tier, Tiers
from flux_tasks import Downsample, SummaryServer, downsamples
from flux_tasks.backfill import backfill
from operations.influxd import LocalInfluxd
from templates.render import flux_duration, flux_string, flux_time

GROUP = '["entity_id", "domain", "device_class"]'
PLAIN_AGGREGATES = {"mean": "avg_value", "min": "min_value", "max": "max_value", "count": "event_count"}
WEATHERS = ("sunny", "cloudy", "rainy")
PARTS_OF_DAY = ("night", "morning", "afternoon", "evening")
DAY = timedelta(days=1)
EVENTS_PER_SERIES_AND_DAY = 40
# One entity that speaks every minute for a year: what the question by month is asked about.
YEARLY_ENTITY = "sensor.outdoor_temperature"

BUCKETS = {"raw": "bench_events", "hourly": "bench_hourly", "daily": "bench_daily", "plain": "bench_plain"}


def bench_tiers(prefix: str = "") -> Tiers:
    plain = downsamples()[0]

    def tier(name: str, measurement: str, every: timedelta | None) -> Tier:
        return Tier(
            name=name,
            bucket=prefix + BUCKETS[name],
            measurement=measurement,
            every=every,
            retention=timedelta(days=3650),
            shard_group_duration=timedelta(days=7 if name == "raw" else 90),
        )

    return Tiers(
        (
            tier("raw", HOME_ASSISTANT_EVENTS.name, None),
            tier("hourly", plain.target_measurement, timedelta(hours=1)),
            tier("daily", "daily_events", DAY),
        )
    )


def busy_lines(day: datetime, entities: int) -> Iterator[str]:
    """A day of `entities` entities in three weathers and four times of day: 12 series and 480 events each."""
    rng = random.Random(day.toordinal())
    begin = int(day.timestamp() * 1000)
    for entity in range(entities):
        for weather in WEATHERS:
            for part in PARTS_OF_DAY:
                tags = (
                    f"{HOME_ASSISTANT_EVENTS.name},device_class=temperature,domain=sensor,entity_id=sensor.s{entity},"
                    f"time_of_day={part},weather_condition={weather}"
                )
                for _ in range(EVENTS_PER_SERIES_AND_DAY):
                    value = round(rng.uniform(15, 25), 2)
                    fields = f'normalized_value={value},state_value="{value}",energy_consumption={value / 1000:.5f}'
                    yield f"{tags} {fields} {begin + rng.randrange(86_400_000)}"


def yearly_lines(stop: datetime, days: int) -> Iterator[str]:
    """An event a minute of one entity."""
    rng = random.Random(3)
    last = int(stop.timestamp() * 1000)
    for minute in range(days * 1440, 0, -1):
        tags = (
            f"{HOME_ASSISTANT_EVENTS.name},device_class=temperature,domain=sensor,entity_id={YEARLY_ENTITY},"
            f"time_of_day={PARTS_OF_DAY[minute // 360 % 4]},weather_condition={rng.choice(WEATHERS)}"
        )
        value = round(rng.uniform(-5, 30), 2)
        yield f'{tags} normalized_value={value},state_value="{value}" {last - minute * 60_000}'


async def load(server: SummaryServer, lines: Iterator[str], bucket: str = BUCKETS["raw"]) -> int:
    """Write lines of millisecond precision in large batches; their number."""
    written = 0
    batch: list[str] = []
    api = server.client.write_api()

    async def send() -> None:
        await api.write(bucket=bucket, record="\n".join(batch), write_precision="ms")  # type: ignore[arg-type]

    for line in lines:
        batch.append(line)
        if len(batch) == 20_000:
            await send()
            written += len(batch)
            batch.clear()
    if batch:
        await send()
        written += len(batch)
    return written


def plain_flux(start: datetime, stop: datetime, every: timedelta) -> str:
    """The shape of a continuous query: a shared source, group, then aggregateWindow per aggregate."""
    outputs = "\n".join(
        f"source |> aggregateWindow(every: {flux_duration(every)}, fn: {function}, createEmpty: false, "
        f'timeSrc: "_start") |> set(key: "_measurement", value: "plain") |> set(key: "_field", value: "{field}") '
        f"|> to(bucket: {flux_string(BUCKETS['plain'])}, tagColumns: {GROUP})"
        for function, field in PLAIN_AGGREGATES.items()
    )
    return f"""source = from(bucket: {flux_string(BUCKETS["raw"])})
    |> range(start: {flux_time(start)}, stop: {flux_time(stop)})
    |> filter(fn: (r) => r._measurement == "{HOME_ASSISTANT_EVENTS.name}" and r._field == "normalized_value")
    |> group(columns: {GROUP})
{outputs}
"""


def as_if_at(flux: str, now: datetime) -> str:
    """A task's script with the clock set: its option now, and none of its options task."""
    head, _, rest = flux.partition("option task = {")
    return f"{head}option now = () => {flux_time(now)}\n{rest.partition(chr(10) + '}' + chr(10))[2]}"


def month_flux(bucket: str, measurement: str, field: str, start: datetime, stop: datetime, function: str) -> str:
    return f"""from(bucket: {flux_string(bucket)})
    |> range(start: {flux_time(start)}, stop: {flux_time(stop)})
    |> filter(fn: (r) => r._measurement == "{measurement}" and r._field == "{field}"
        and r.entity_id == {flux_string(YEARLY_ENTITY)})
    |> group()
    |> aggregateWindow(every: 1mo, fn: {function}, createEmpty: false)"""


def year_from_summaries(start: datetime, stop: datetime) -> str:
    """Sums and counts by month from the daily tier, of which the means by month are made."""
    return f"""from(bucket: {flux_string(BUCKETS["daily"])})
    |> range(start: {flux_time(start)}, stop: {flux_time(stop)})
    |> filter(fn: (r) => r._measurement == "daily_events" and r.entity_id == {flux_string(YEARLY_ENTITY)}
        and (r._field == "sum_value" or r._field == "value_count"))
    |> aggregateWindow(every: 1mo, fn: sum, createEmpty: false)"""


async def seconds(work: Callable[[], Awaitable[Any]]) -> float:
    begin = time.perf_counter()
    await work()
    return time.perf_counter() - begin


async def side_by_side(contenders: dict[str, Callable[[], Awaitable[Any]]], rounds: int) -> dict[str, float]:
    """Median seconds of each, after one warm-up; they take turns within each round."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, work in contenders.items():
            spent = await seconds(work)
            if number:
                taken[name].append(spent)
    return {name: statistics.median(values) for name, values in taken.items()}


def resident_mb(pid: int | None) -> float | None:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return round(int(line.split()[1]) / 1024, 1)
    except OSError:
        return None
    return None


async def measure(local: LocalInfluxd, *, entities: int, days: int, year_days: int, rounds: int) -> dict[str, Any]:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    hourly, daily = downsamples(bench_tiers())
    # A tenth of the entities, in buckets of their own: how the work grows with them.
    small = bench_tiers("small_")
    small_hourly, small_daily = downsamples(small)
    for bucket in (*BUCKETS.values(), *(tier.bucket for tier in small)):
        rule = {"everySeconds": 0, "shardGroupDurationSeconds": (7 if bucket.endswith(BUCKETS["raw"]) else 90) * 86_400}
        local.api("POST", "/api/v2/buckets", {"orgID": local.org_id, "name": bucket, "retentionRules": [rule]})
    async with SummaryServer(url=local.url, token=local.token, org=local.org) as server:
        print("writing raw events ...", flush=True)
        events = 0
        for number in range(days, 0, -1):
            events += await load(server, busy_lines(today - number * DAY, entities))
        await load(server, busy_lines(today - DAY, entities // 10), small.raw.bucket)
        # The year ends before the busy days begin, so that each question meets its own events only.
        year_stop = today - days * DAY
        year_start = year_stop - year_days * DAY
        events += await load(server, yearly_lines(year_stop, year_days))

        day, hour = today - DAY, today - DAY + timedelta(hours=12)
        one_hour, one_day = timedelta(hours=1), DAY

        async def ours(spec: Downsample, task: str, now: datetime) -> None:
            await server.rows(as_if_at(next(one.flux for one in spec.tasks() if one.name == task), now))

        print("measuring ...", flush=True)
        hour_times = await side_by_side(
            {
                "plain": lambda: server.rows(plain_flux(hour, hour + one_hour, one_hour)),
                "hearthflux": lambda: ours(hourly, "downsample_hourly", hour + one_hour),
                "over time": lambda: ours(hourly, "downsample_hourly_weighted", hour + one_hour),
            },
            rounds,
        )
        small_times = await side_by_side(
            {
                "hour": lambda: ours(small_hourly, "downsample_hourly", hour + one_hour),
                "over time": lambda: ours(small_hourly, "downsample_hourly_weighted", hour + one_hour),
            },
            rounds,
        )
        # The day is made of the rows of its hours, which have to be there.
        await backfill(server, day, day + one_day, specs=(small_hourly, small_daily))
        small_times |= await side_by_side({"day": lambda: ours(small_daily, "downsample_daily", day + one_day)}, rounds)
        rebuilt = await seconds(lambda: backfill(server, day, day + one_day, specs=(hourly, daily)))
        day_times = await side_by_side(
            {
                "plain": lambda: server.rows(plain_flux(day, day + one_day, one_day)),
                "hearthflux": lambda: ours(daily, "downsample_daily", day + one_day),
            },
            rounds,
        )
        backfill_times = await side_by_side(
            {
                "plain": lambda: server.rows(plain_flux(day, day + one_day, one_hour)),
                "hearthflux": lambda: server.rows(hourly.backfill_flux(day, day + one_day, window=True)),
            },
            rounds,
        )
        reconciled = await seconds(lambda: ours(hourly, "reconcile_hourly", today))
        checked = await seconds(lambda: ours(hourly, "reconcile_hourly", today))
        await backfill(server, year_start, year_stop, specs=(daily,))
        year_times = await side_by_side(
            {
                "raw": lambda: server.rows(
                    month_flux(
                        BUCKETS["raw"], HOME_ASSISTANT_EVENTS.name, "normalized_value", year_start, year_stop, "mean"
                    )
                ),
                "summaries": lambda: server.rows(year_from_summaries(year_start, year_stop)),
            },
            rounds,
        )
    figures = {
        "raw_events": events,
        "series": entities * len(WEATHERS) * len(PARTS_OF_DAY),
        "server_rss_mb": resident_mb(local.pid),
        "hour_ms": {name: round(value * 1000, 1) for name, value in hour_times.items()},
        "day_ms": {name: round(value * 1000, 1) for name, value in day_times.items()},
        "backfill_day_ms": {name: round(value * 1000, 1) for name, value in backfill_times.items()},
        "year_ms": {name: round(value * 1000, 1) for name, value in year_times.items()},
        "times_with_10_times_the_entities": {
            "hour": round(hour_times["hearthflux"] / small_times["hour"], 1),
            "over time": round(hour_times["over time"] / small_times["over time"], 1),
            "day": round(day_times["hearthflux"] / small_times["day"], 1),
        },
        "backfill_command_day_s": round(rebuilt, 1),
        "reconcile_two_days_missing_s": round(reconciled, 1),
        "reconcile_nothing_late_s": round(checked, 1),
    }
    ratios = {
        "hourly_vs_plain": round(hour_times["hearthflux"] / hour_times["plain"], 4),
        "daily_vs_plain": round(day_times["hearthflux"] / day_times["plain"], 4),
        "backfill_vs_plain": round(backfill_times["hearthflux"] / backfill_times["plain"], 4),
        "year_speedup": round(year_times["raw"] / year_times["summaries"], 1),
    }
    return {"bench": "summaries", "ratios": ratios, "figures": figures}


def table(result: dict[str, Any]) -> str:
    figures = result["figures"]
    lines = [
        f"{figures['raw_events']:,} raw events, {figures['series']:,} series, {figures['server_rss_mb']} MB resident"
    ]
    for name in ("hour_ms", "day_ms", "backfill_day_ms", "year_ms"):
        lines.append(f"{name:16} " + "  ".join(f"{who} {value:,.1f}" for who, value in figures[name].items()))
    growth = figures["times_with_10_times_the_entities"]
    lines.append("10 times the entities take " + ", ".join(f"{value} times ({what})" for what, value in growth.items()))
    for name in ("backfill_command_day_s", "reconcile_two_days_missing_s", "reconcile_nothing_late_s"):
        lines.append(f"{name:30} {figures[name]}")
    lines += [f"{name:20} {value}" for name, value in result["ratios"].items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--entities", type=int, default=400, help="12 series each (default 400)")
    parser.add_argument("--days", type=int, default=3, help="busy days of 480 events per entity (default 3)")
    parser.add_argument("--year-days", type=int, default=365)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hearthflux-bench-") as folder:
        local = LocalInfluxd(Path(folder) / "influxd")
        try:
            local.start()
            result = asyncio.run(
                measure(
                    local,
                    entities=given.entities,
                    days=given.days,
                    year_days=given.year_days,
                    rounds=given.rounds,
                )
            )
        finally:
            local.kill()
    print(table(result))
    publish(result)


if __name__ == "__main__":
    main()
