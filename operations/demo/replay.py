"""Replaying events through the writer, so that a second or an interrupted run writes only what is not there yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from event_schema import TIERS, Event
from flux_tasks import SummaryServer
from operations.errors import UserError
from templates.render import flux_string, flux_time
from writer import BatchWriter, WriterSettings

CHUNK = 5000
NS_PER_DAY = 86_400 * 1_000_000_000
EPOCH_DAY = date(1970, 1, 1)
FLUSH_SECONDS = 300.0


def day_of(event: Event) -> int:
    """Days since 1970 in UTC."""
    return event.time_ns // NS_PER_DAY


def midnight(day: int) -> datetime:
    return datetime.fromordinal(EPOCH_DAY.toordinal() + day).replace(tzinfo=UTC)


async def stored_by_day(server: SummaryServer, integration: str, first: int, last: int) -> dict[int, int]:
    """How many events of this integration the server has, by UTC day; counted by the server."""
    flux = (
        f"from(bucket: {flux_string(TIERS.raw.bucket)})"
        f" |> range(start: {flux_time(midnight(first))}, stop: {flux_time(midnight(last + 1))})"
        f" |> filter(fn: (r) => r._measurement == {flux_string(TIERS.raw.measurement)}"
        f' and r._field == "state_value" and r.integration == {flux_string(integration)})'
        ' |> aggregateWindow(every: 1d, fn: count, createEmpty: false, timeSrc: "_start")'
        ' |> group(columns: ["_time"]) |> sum()'
    )
    rows = await server.rows(flux)
    return {int(row["_time"].timestamp()) // 86_400: int(row["_value"]) for row in rows}


async def count_rows(server: SummaryServer, tier: str, first: datetime, stop: datetime) -> int:
    """How many summary rows (series and window) a tier has in [first, stop); counted by the server."""
    chosen = TIERS[tier]
    flux = (
        f"from(bucket: {flux_string(chosen.bucket)})"
        f" |> range(start: {flux_time(first)}, stop: {flux_time(stop)})"
        f" |> filter(fn: (r) => r._measurement == {flux_string(chosen.measurement)}"
        ' and r._field == "event_count") |> count() |> group() |> sum()'
    )
    return sum(int(row["_value"]) for row in await server.rows(flux))


async def rows_of(server: SummaryServer, start: datetime, stop: datetime) -> dict[str, int]:
    """`hourly_rows` and `daily_rows` in [start, stop)."""
    return {f"{tier}_rows": await count_rows(server, tier, start, stop) for tier in ("hourly", "daily")}


def missing(events: Sequence[Event], stored: dict[int, int]) -> list[Event]:
    """The events of the days on which the server has not as many as there are."""
    expected = Counter(map(day_of, events))
    incomplete = {day for day, count in expected.items() if stored.get(day, 0) != count}
    return [event for event in events if day_of(event) in incomplete]


async def replay(
    events: Sequence[Event],
    settings: WriterSettings,
    server: SummaryServer,
    integration: str,
    progress: Callable[[int, int], None],
) -> tuple[dict[str, int], int]:
    """Bring all events to the server. Returns the counts of summary.json, `delivered` as the server counts them, and
    how many events were written in this run.

    What an interrupted run left in the spool is delivered first; then the days that are not whole are written
    (again: the same point once more changes nothing). `progress(done, total)` counts delivered events.
    Raises UserError where the server has not all of them in the end.
    """
    first, last = day_of(events[0]), day_of(events[-1])
    Path(settings.spool_path).parent.mkdir(parents=True, exist_ok=True)
    async with BatchWriter(settings) as writer:
        await writer.flush(FLUSH_SECONDS)
        recovered = writer.stats.delivered
        todo = missing(events, await stored_by_day(server, integration, first, last))
        progress(0, len(todo))
        for begin in range(0, len(todo), CHUNK):
            await writer.write_many(todo[begin : begin + CHUNK])
            progress(max(0, writer.stats.delivered - recovered), len(todo))
        report = await writer.flush(FLUSH_SECONDS)
        progress(max(0, report.delivered - recovered), len(todo))
        health = writer.health()
    stored = await stored_by_day(server, integration, first, last)
    counts = {
        "accepted": len(events),
        "delivered": sum(stored.values()),
        "dead_lettered": report.dead_lettered,
        "dropped": report.dropped,
        "pending": report.pending,
    }
    if counts["delivered"] != len(events):
        raise UserError(
            f"The server has {counts['delivered']} of {len(events)} events (dead letters {report.dead_lettered}, "
            f"dropped {report.dropped}, pending {report.pending}; writer {health}); run the demo again to go on."
        )
    return counts, recovered + len(todo)


def span(events: Sequence[Event]) -> tuple[datetime, datetime]:
    """From the first event's midnight to the midnight after the last, UTC."""
    return midnight(day_of(events[0])), midnight(day_of(events[-1])) + timedelta(days=1)
