"""How long each query of the reader takes over a year of a home: `python -m benchmarks.queries`.

A home's hours and days of a year are written as rows, as the tasks would have made them, for a third thermometers and a
third meters, which speak in every hour, and a third lamps, which speak in some. Each query is asked of the year, over
HTTP on one local influxd, once to warm up and then a few times; the median counts. `rows` is how many it answers with,
`read` how many rows of the tiers it is made of.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.result import publish
from benchmarks.summaries import say
from benchmarks.summaries_home import load
from event_schema import TIERS
from event_schema.calendar import Span, hours_between, periods_between
from flux_tasks import SummaryServer
from operations.influxd import LocalInfluxd
from reader import SummaryReader
from reader.settings import ReaderSettings

DAY = timedelta(days=1)
KINDS = (("sensor.room", "temperature"), ("sensor.meter", "energy"), ("light.lamp", ""))


def row(kind: str, span: Span, rng: random.Random) -> str | None:
    """The fields of one window, or None where the entity said nothing in it."""
    width = span.seconds
    level = 20 + 5 * math.sin(span.start.timestamp() / 86_400 * 2 * math.pi) + rng.uniform(-1, 1)
    count = max(1, int(width / 300))
    if kind.startswith("light"):
        if width < 86_400 and not 17 <= span.start.hour <= 22:
            return None
        held = round(rng.uniform(0, width), 1)
        return (
            f"avg_value=0.5,min_value=0,max_value=1,event_count=2i,sum_value=1,value_count=2i,value_seconds={held},"
            f"covered_seconds={width},time_weighted_avg={held / width:.6f},on_seconds={held},first_value=1,"
            "last_value=0,last_holds=1"
        )
    fields = (
        f"avg_value={level:.4f},min_value={level - 1:.4f},max_value={level + 1:.4f},event_count={count}i,"
        f"sum_value={level * count:.4f},value_count={count}i,value_seconds={level * width:.3f},"
        f"covered_seconds={width},"
        f"time_weighted_avg={level:.5f},first_value={level - 0.5:.4f},last_value={level + 0.5:.4f},last_holds=1"
    )
    if kind.startswith("sensor.meter"):
        used = rng.uniform(0, 1) * width / 3600
        fields += f",total_energy={used:.5f},increase={used:.5f}"
    return fields


def lines(tier: str, spans: list[Span], entities: int) -> Iterator[str]:
    rng = random.Random(7)
    measurement = TIERS[tier].measurement
    for number in range(entities):
        kind, device_class = KINDS[number % len(KINDS)]
        tags = f",device_class={device_class}" if device_class else ""
        tags = f"{measurement}{tags},domain={kind.partition('.')[0]},entity_id={kind}_{number // len(KINDS)}"
        for span in spans:
            fields = row(kind, span, rng)
            if fields is not None:
                yield f"{tags} {fields} {int(span.start.timestamp()) * 1000}"


def places(entities: int, now: datetime) -> Iterator[str]:
    """Each entity's newest event, which says the area it is in."""
    for number in range(entities):
        kind, device_class = KINDS[number % len(KINDS)]
        tags = f",device_class={device_class}" if device_class else ""
        tags = f"{TIERS.raw.measurement},area=area{number % 8}{tags},domain={kind.partition('.')[0]}"
        at = int(now.timestamp()) * 1000 - 1000
        yield f'{tags},entity_id={kind}_{number // len(KINDS)} normalized_value=1,state_value="1" {at}'


Query = Callable[[SummaryReader, datetime], Awaitable[list[Any]]]
ROOM, METER, LAMP = (f"{kind}_0" for kind, _ in KINDS)
QUERIES: dict[str, Query] = {
    "hourly, a day": lambda reader, now: reader.query_hourly_summaries(ROOM, "1d", now=now),
    "daily, a year": lambda reader, now: reader.query_daily_summaries(ROOM, "1y", now=now),
    "weekly, a year": lambda reader, now: reader.query_weekly_summaries(ROOM, "52w", now=now),
    "monthly, a year": lambda reader, now: reader.query_monthly_summaries(ROOM, "1y", now=now),
    "hour-profile of a thermometer": lambda reader, now: reader.hour_profile(ROOM, "1y", now=now),
    "hour-profile of a meter": lambda reader, now: reader.hour_profile(METER, "1y", now=now),
    "hour-profile of a lamp": lambda reader, now: reader.hour_profile(LAMP, "1y", now=now),
    "weekday-profile": lambda reader, now: reader.weekday_profile(ROOM, "1y", now=now),
    "season-against-season": lambda reader, now: reader.season_against_season(ROOM, "1y", against="previous", now=now),
    "year-over-year, by month": lambda reader, now: reader.year_over_year(METER, "1y", now=now),
    "heating-degree-days": lambda reader, now: reader.heating_degree_days(ROOM, "1y", now=now),
    "anomaly-bands": lambda reader, now: reader.anomaly_bands(METER, "40w", now=now),
    "energy-by-area": lambda reader, now: reader.energy_by_area("1y", now=now),
    "energy-by-device-class": lambda reader, now: reader.energy_by_device_class("1y", now=now),
    "top-changers": lambda reader, now: reader.top_changers("26w", now=now),
}


async def measure(local: LocalInfluxd, *, entities: int, rounds: int, zone: str) -> dict[str, Any]:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    settings = ReaderSettings(url=local.url, token=local.token, org=local.org, time_zone=zone, read_timeout=60)
    for tier in TIERS:
        rule = {"everySeconds": 0, "shardGroupDurationSeconds": int(tier.shard_group_duration.total_seconds())}
        body = {"orgID": local.org_id, "name": tier.bucket, "retentionRules": [rule]}
        local.api("POST", "/api/v2/buckets", body)
    async with (
        SummaryServer(url=local.url, token=local.token, org=local.org) as server,
        SummaryReader(settings) as reader,
    ):
        say("writing a year of rows")
        since = now - 400 * DAY
        hours = [span for span in hours_between(since, now) if span.stop <= now]
        days = [span for span in periods_between(since, now, "day", reader._zone) if span.stop <= now]
        stored = await load(server, lines("hourly", hours, entities), TIERS.hourly.bucket)
        stored += await load(server, lines("daily", days, entities), TIERS.daily.bucket)
        await load(server, places(entities, now), TIERS.raw.bucket)
        say("asking")
        figures: dict[str, Any] = {"entities": entities, "rows_stored": stored, "rounds": rounds}
        for name, query in QUERIES.items():
            taken = []
            for number in range(rounds + 1):
                begin = time.perf_counter()
                found = await query(reader, now)
                if number:
                    taken.append(time.perf_counter() - begin)
            last = reader.stats.last
            read = sum(last.tiers.values()) if last is not None else 0
            figures[name] = {
                "ms": round(statistics.median(taken) * 1000, 1),
                "rows": len(found),
                "read": read,
            }
    return {"bench": "queries", "ratios": {}, "figures": figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--entities", type=int, default=60, help="a third each: thermometers, meters, lamps (default 60)"
    )
    parser.add_argument("--rounds", type=int, default=9, help="measured rounds after one warm-up (default 9)")
    parser.add_argument("--zone", default="Europe/Amsterdam", help="the home's time zone (default Europe/Amsterdam)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hearthflux-bench-") as folder:
        local = LocalInfluxd(Path(folder) / "influxd")
        try:
            local.start()
            result = asyncio.run(measure(local, entities=given.entities, rounds=given.rounds, zone=given.zone))
        finally:
            local.kill()
    for name, value in result["figures"].items():
        shown = (
            f"{value['ms']:8.1f} ms  {value['rows']:5} rows of {value['read']:6} read"
            if isinstance(value, dict)
            else value
        )
        print(f"{name:32} {shown}")
    publish(result)


if __name__ == "__main__":
    main()
