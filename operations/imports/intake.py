"""One slice of readings: its events, or the rows that they complete; what becomes none and why; and what the next slice
builds upon."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any

from event_schema import Event, InvalidEvent
from operations.imports.borders import TOO_OLD, Borders
from operations.imports.history import History
from operations.imports.reading import SECOND, Run, Slice, by_entity
from operations.imports.report import Report
from operations.imports.summarise import Row, Summariser, ordered, without_twins

FUTURE_TOLERANCE = 86_400 * SECOND
IN_THE_FUTURE = "in the future: a clock was wrong"
TWIN = "another state of the same instant: the later one is kept"
# Then what is being sent has its turn.
SECONDS_AT_ONCE = 0.002


@dataclass(frozen=True, slots=True)
class Taken:
    """What a slice comes to: events of the raw bucket, or rows; what it adds to the report; and how far the history is
    known behind it. Nothing in it changes when the next slice is taken."""

    stop_ns: int
    events: list[Event]
    rows: list[Row]
    report: Report
    reached: Mapping[str, Any]


def count_twins(events: list[Event], stored: list[Event], report: Report) -> None:
    """Count the events that are not among those stored."""
    kept = set(map(id, stored))
    for event in events:
        if id(event) not in kept:
            report.skipped.add(event.entity_id, TWIN, event.time_ns)


@dataclass(slots=True)
class Intake:
    """Takes slices in order of time. `now_ns`: what is much later than that was stamped by a wrong clock."""

    history: History
    summariser: Summariser
    borders: Borders
    now_ns: int

    async def take(self, found: Slice) -> Taken:
        report = Report()
        by_run = await self._events(found, report)
        events, rows = list(chain(*by_run)), []
        if found.start_ns < self.borders.raw:
            rows, events = self._summed_up(list(ordered(events)), found, report), []
        return Taken(found.stop_ns, events, rows, report, self.reached(found.stop_ns))

    def reached(self, done_to: int) -> dict[str, Any]:
        """What an import that goes on from this time has to know, as JSON takes it."""
        return {"done_to": done_to, "history": self.history.state(), "summariser": self.summariser.state()}

    def restore(self, reached: Mapping[str, Any]) -> None:
        self.history.restore(reached["history"])
        self.summariser.restore(reached["summariser"])

    async def _events(self, found: Slice, report: Report) -> list[list[Event]]:
        """The events of each entity in order of time."""

        def refused(entity_id: str, time_ns: int, error: InvalidEvent) -> None:
            report.skipped.add(entity_id, f"{error.field}: {error.rule}", time_ns)

        report.read = found.count + found.skipped.total
        report.skipped.merge(found.skipped)
        report.incomplete.merge(found.incomplete)
        possible = [self._up_to_now(run, report) for run in found.runs]
        series: dict[str, set[str]] = {}
        for run in possible:
            series.setdefault(run.entity_id, set()).add(run.series)
        runs = by_entity(possible)
        made = []
        began = time.perf_counter()
        for run, events in zip(runs, self.history.events(runs, refused), strict=True):
            stored = without_twins(events)
            if len(stored) < len(events):
                count_twins(events, stored, report)
            self._see(run.entity_id, stored, series[run.entity_id], report)
            made.append(stored)
            if time.perf_counter() - began > SECONDS_AT_ONCE:
                await asyncio.sleep(0)
                began = time.perf_counter()
        report.incomplete.merge(self.history.incomplete)
        self.history.incomplete.clear()
        return made

    def _up_to_now(self, run: Run, report: Report) -> Run:
        latest = self.now_ns + FUTURE_TOLERANCE
        if not run.times or run.times[-1] <= latest:
            return run
        for time_ns in run.times[bisect_right(run.times, latest) :]:
            report.skipped.add(run.entity_id, IN_THE_FUTURE, time_ns)
        return run.between(run.times[0], latest + 1)

    def _see(self, entity_id: str, events: list[Event], series: set[str], report: Report) -> None:
        """Count those that end up somewhere. What is older makes events too: its value may still hold when the first
        window begins that is kept."""
        oldest = self.borders.oldest
        first = 0
        if events and events[0].time_ns < oldest:
            first = bisect_left(events, oldest, key=_time)
            for event in events[:first]:
                report.skipped.add(entity_id, TOO_OLD, event.time_ns)
        if first < len(events):
            report.see(entity_id, events[first:] if first else events, series)

    def _summed_up(self, events: list[Event], found: Slice, report: Report) -> list[Row]:
        """The rows that these events complete."""
        rows = [row for event in events for row in self.summariser.add(event)]
        report.summed_up = sum(1 for event in events if event.time_ns >= self.borders.oldest)
        if found.stop_ns == self.borders.raw:
            rows += self.summariser.close(self.borders.raw)
        return rows


_time = attrgetter("time_ns")
