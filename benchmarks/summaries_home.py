"""What the summaries' benchmark measures on: its buckets, its raw events, and the plain scripts that it sets beside."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from event_schema import HOME_ASSISTANT_EVENTS, Tier, Tiers
from flux_tasks import SummaryServer, downsamples
from templates.render import flux_duration, flux_string, flux_time

GROUP = '["entity_id", "domain", "device_class"]'
PLAIN_AGGREGATES = {"mean": "avg_value", "min": "min_value", "max": "max_value", "count": "event_count"}
WEATHERS = ("sunny", "cloudy", "rainy")
PARTS_OF_DAY = ("night", "morning", "afternoon", "evening")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
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


def yearly_lines(start: datetime, stop: datetime) -> Iterator[str]:
    """An event a minute of one entity."""
    rng = random.Random(3)
    begin = int(start.timestamp() * 1000)
    for minute in range((stop - start) // timedelta(minutes=1)):
        tags = (
            f"{HOME_ASSISTANT_EVENTS.name},device_class=temperature,domain=sensor,entity_id={YEARLY_ENTITY},"
            f"time_of_day={PARTS_OF_DAY[minute // 360 % 4]},weather_condition={rng.choice(WEATHERS)}"
        )
        value = round(rng.uniform(-5, 30), 2)
        yield f'{tags} normalized_value={value},state_value="{value}" {begin + minute * 60_000}'


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


def year_flux(start: datetime, stop: datetime, functions: Iterable[str]) -> str:
    """The question by month in the plain shape: an entity's raw events, once per aggregate."""
    outputs = "\n".join(
        f'source |> aggregateWindow(every: 1mo, fn: {function}, createEmpty: false, timeSrc: "_start") '
        f'|> yield(name: "{function}")'
        for function in functions
    )
    return f"""source = from(bucket: {flux_string(BUCKETS["raw"])})
    |> range(start: {flux_time(start)}, stop: {flux_time(stop)})
    |> filter(fn: (r) => r._measurement == "{HOME_ASSISTANT_EVENTS.name}" and r._field == "normalized_value"
        and r.entity_id == {flux_string(YEARLY_ENTITY)})
    |> group(columns: {GROUP})
{outputs}
"""
