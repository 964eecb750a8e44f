"""The raw events that windows are computed from, read from the server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache

from flux_tasks.rows import NS_PER_SECOND, RawEvents, Said
from flux_tasks.server import SummaryServer
from flux_tasks.specs import Downsample
from templates.render import render

# What is read at once is held in memory as the server's text and as rows.
LONGEST_READ = timedelta(hours=6)


@lru_cache(maxsize=4096)
def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp())


def nanoseconds(text: str) -> int:
    """An RFC 3339 time of the server (UTC, up to nine digits behind the point) as nanoseconds since 1970."""
    fraction = text[20:-1]
    return _seconds(text[:19]) * NS_PER_SECOND + (int(fraction.ljust(9, "0")) if fraction else 0)


def _reads(since: datetime, start: datetime, stop: datetime) -> Iterator[tuple[datetime, datetime, bool]]:
    if since < start:
        yield since, start, True
    while start < stop:
        until = min(start + LONGEST_READ, stop)
        yield start, until, False
        start = until


async def raw_events(
    server: SummaryServer, spec: Downsample, since: datetime, start: datetime, stop: datetime
) -> RawEvents:
    """Everything in [start, stop), and of each series the last state in [since, start). Raises ServerProblem."""
    events = RawEvents()
    numbered: set[tuple[int, str, str, str]] = set()
    texts: list[tuple[int, str, str, str]] = []
    for begin, end, before in _reads(since, start, stop):
        script = render("downsample/raw.flux.j2", spec=spec, start=begin, stop=end, before=before)
        for row in await server.rows(script, nanoseconds):
            entity, domain, device_class = row["entity_id"], row["domain"], row.get("device_class") or ""
            at: int = row["_time"]
            match row["result"].partition(" ")[0]:
                case "number":
                    numbered.add((at, entity, domain, device_class))
                    events.said[entity].append(Said(at, True, row["_value"], domain, device_class))
                case "text":
                    texts.append((at, entity, domain, device_class))
                    if not before:
                        events.states[at, entity, domain, device_class] += 1
                case "energy":
                    events.energy.append((at, entity, domain, device_class, row["_value"]))
    for at, entity, domain, device_class in texts:
        # A state beside a number at the same instant is that number, or counts before it.
        if (at, entity, domain, device_class) not in numbered:
            events.said[entity].append(Said(at, False, 0.0, domain, device_class))
    return events
