"""The plain Python summariser: row by row what the real tasks make of the same raw events, and what the text says."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from event_schema import SUMMARY_FIELDS, Event
from event_schema.calendar import day_of, day_start
from event_schema.home_assistant import METER_DEVICE_CLASSES, NUMBER_DOMAINS
from flux_tasks import SummaryServer, backfill, downsamples
from operations.imports.summarise import Row, Summariser, ordered
from tests.operations.imports.conftest import ZONE, NewHome
from tests.operations.imports.homes import DAY, HOUR, SECOND, a_home, events
from writer import BatchWriter, WriterSettings

FIELDS = tuple(one.name for one in SUMMARY_FIELDS)
NOW = time.time_ns() // SECOND * SECOND


def summed_up(made: list[Event], until: int) -> dict[tuple[str, str, str, int], Row]:
    summariser = Summariser(ZONE)
    rows = [row for event in ordered(made) for row in summariser.add(event)] + summariser.close(until)
    return {(row.tier, row.entity_id, row.device_class or "", row.time_ns): row for row in rows}


def by_definition(made: list[Event], until: int) -> dict[tuple[str, str, str, int], dict[str, float]]:
    """docs/summaries.md taken at its word, window by window, without a thought of speed."""
    by_entity: dict[str, list[Event]] = defaultdict(list)
    for event in ordered(made):
        by_entity[event.entity_id].append(event)
    found: dict[tuple[str, str, str, int], dict[str, float]] = {}
    for entity, all_events in by_entity.items():
        windows = set()
        for event in all_events:
            begin = event.time_ns - event.time_ns % HOUR
            windows.add(("hourly", begin, begin + HOUR))
            day = day_of(datetime.fromtimestamp(event.time_ns // SECOND, UTC), ZONE)
            start, stop = (int(day_start(one, ZONE).timestamp()) * SECOND for one in (day, day + timedelta(days=1)))
            windows.add(("daily", start, stop))
        for tier, start, stop in windows:
            if stop > until:
                continue
            inside = [one for one in all_events if start <= one.time_ns < stop]
            before = [one for one in all_events if one.time_ns < start and _recent(one, start)]
            for device_class in {one.device_class or "" for one in inside}:
                found[tier, entity, device_class, start] = _row(before, inside, device_class, start, stop)
    return found


def _recent(event: Event, start: int) -> bool:
    days = [day_of(datetime.fromtimestamp(at // SECOND, UTC), ZONE) for at in (event.time_ns, start)]
    return (days[1] - days[0]).days <= 7


def _row(before: list[Event], inside: list[Event], device_class: str, start: int, stop: int) -> dict[str, float]:
    mine = [one for one in inside if (one.device_class or "") == device_class]
    row: dict[str, float] = {"event_count": len([one for one in mine if one.state_value is not None])}
    numbers = [one.normalized_value for one in mine if one.normalized_value is not None]
    if numbers:
        row |= {"value_count": len(numbers), "sum_value": math.fsum(numbers), "min_value": min(numbers)}
        row |= {"max_value": max(numbers), "avg_value": math.fsum(numbers) / len(numbers)}
    energy = [one.energy_consumption for one in mine if one.energy_consumption is not None]
    if energy:
        row["total_energy"] = math.fsum(energy)
    held = covered = on = 0.0
    line = before[-1:] + inside
    for number, one in enumerate(line):
        until = line[number + 1].time_ns if number + 1 < len(line) else stop
        seconds = (until - max(one.time_ns, start)) / SECOND
        if one.normalized_value is not None and (one.device_class or "") == device_class:
            held, covered = held + one.normalized_value * seconds, covered + seconds
            on += seconds if one.normalized_value == 1 else 0
    row |= {"value_seconds": held, "covered_seconds": covered}
    if covered:
        row["time_weighted_avg"] = held / covered
    if mine[0].domain not in NUMBER_DOMAINS:
        row["on_seconds"] = on
    if numbers:
        row |= {"first_value": numbers[0], "last_value": numbers[-1]}
    holds = inside[-1].normalized_value is not None and (inside[-1].device_class or "") == device_class
    row["last_holds"] = 1.0 if holds else 0.0
    if device_class in METER_DEVICE_CLASSES and numbers:
        row["increase"] = 0.0
        earlier = [one.normalized_value for one in before if (one.device_class or "") == device_class]
        chain = [number for number in earlier if number is not None][-1:] + numbers
        for old, new in itertools.pairwise(chain):
            row["increase"] += new if new < 0.9 * old else new - old
    return row


def same(one: dict[str, float], other: dict[str, float]) -> bool:
    return one.keys() == other.keys() and all(
        math.isclose(one[name], other[name], rel_tol=1e-9, abs_tol=1e-9) for name in one
    )


def odd_home(seed: int) -> list[Event]:
    """Texts, gaps of more than a week, a class that changes, two events at one instant."""
    rng = random.Random(seed)
    made = events(a_home(NOW - 30 * DAY, NOW - 12 * DAY, step=2 * 3600 * SECOND, seed=seed), zone=ZONE)
    for number in range(60):
        at = NOW - rng.randrange(30 * 24 * 60) * 60 * SECOND
        device_class = rng.choice(["power", "energy", None])
        state = rng.choice(["1", "0", "5.5", "unavailable", "20"])
        made.append(
            Event.from_home_assistant(
                {
                    "entity_id": "sensor.odd",
                    "state": state,
                    "timestamp": at,
                    "attributes": {"device_class": device_class},
                },
                zone=ZONE,
            )
        )
        made.append(
            Event.from_home_assistant(
                {"entity_id": "lock.door", "state": rng.choice(["on", "off", "jammed"]), "timestamp": at}, zone=ZONE
            )
        )
        if number % 9 == 0:
            made.append(
                Event.from_home_assistant(
                    {"entity_id": "sensor.odd", "state": "7", "timestamp": at, "area": "elsewhere"}, zone=ZONE
                )
            )
    return made


def test_rows_are_what_the_text_says() -> None:
    for seed in range(4):
        made = odd_home(seed)
        found, wanted = summed_up(made, NOW), by_definition(made, NOW)
        assert found.keys() == wanted.keys()
        for key, row in found.items():
            assert same(row.fields, wanted[key]), (seed, key, row.fields, wanted[key])


def test_a_meter_is_set_against_the_last_reading_of_its_own_class() -> None:
    """As the tasks do it: what the entity said under another class in between does not matter."""
    begin = (NOW - 3 * DAY) // HOUR * HOUR
    readings = [
        ("10", "energy"),
        ("500", "gas"),
        ("12", "energy"),
        ("503", "gas"),
        ("unknown", "energy"),
        ("13", "energy"),
    ]
    made = [
        Event.from_home_assistant(
            {
                "entity_id": "sensor.both",
                "state": state,
                "timestamp": begin + n * HOUR,
                "attributes": {"device_class": of},
            },
            zone=ZONE,
        )
        for n, (state, of) in enumerate(readings)
    ]
    rows = summed_up(made, NOW)
    hours = [rows["hourly", "sensor.both", of, begin + n * HOUR] for n, (_, of) in enumerate(readings)]
    assert [row.fields.get("increase") for row in hours] == [0, 0, 2, 3, None, 1]


def test_carried_over_in_the_middle_it_goes_on_the_same() -> None:
    made = list(ordered(odd_home(5)))
    whole = summed_up(made, NOW)
    summariser, rows = Summariser(ZONE), []
    for number, event in enumerate(made):
        rows += summariser.add(event)
        if number % 50 == 0:
            kept = json.loads(json.dumps(summariser.state()))
            summariser = Summariser(ZONE)
            summariser.restore(kept)
    rows += summariser.close(NOW)
    assert {(row.tier, row.entity_id, row.device_class or "", row.time_ns): row.fields for row in rows} == {
        key: row.fields for key, row in whole.items()
    }


def test_rows_are_what_the_tasks_make(new_home: NewHome) -> None:
    new_home.make_buckets(None, None, None)
    states = a_home(NOW - 12 * DAY, NOW, step=1800 * SECOND)
    made = events(states, zone=ZONE)
    wanted = summed_up(made, NOW)
    specs = downsamples(new_home.tiers, "Europe/Amsterdam")

    async def fill() -> None:
        settings = WriterSettings(
            url=new_home.server.url,
            token=new_home.server.token,
            org=new_home.server.org,
            bucket=new_home.tiers.raw.bucket,
            spool_path=new_home.folder / "spool.sqlite",
        )
        async with BatchWriter(settings) as writer:
            await writer.write_many(made)
            assert (await writer.flush()).delivered == len(made)
        async with SummaryServer(url=settings.url, token=new_home.server.token, org=settings.org) as server:
            since = datetime.fromtimestamp(NOW // SECOND - 13 * 86_400, UTC)
            assert (await backfill(server, since, datetime.fromtimestamp(NOW // SECOND, UTC), specs=specs)).ok

    asyncio.run(fill())
    for spec in specs:
        stored: dict[tuple[str, str, str, int], dict[str, Any]] = {}
        for points in new_home.stored(spec.tier).values():
            for point in points:
                key = (spec.tier, point["entity_id"], point.get("device_class", ""), point["time"] * 1000)
                stored[key] = {name: point[name] for name in FIELDS if name in point}
        mine = {
            key: {name: value for name, value in row.fields.items() if name in FIELDS}
            for key, row in wanted.items()
            if key[0] == spec.tier
        }
        assert stored.keys() == mine.keys()
        for key, row in mine.items():
            assert same(row, stored[key]), (key, row, stored[key])
