"""One slice of readings: which become events, which do not and why; counted in the report."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from operator import attrgetter

from event_schema import Event, InvalidEvent
from operations.imports.borders import TOO_OLD, Borders
from operations.imports.history import History
from operations.imports.reading import SECOND, Run, Slice, by_entity
from operations.imports.report import Report
from operations.imports.summarise import without_twins

FUTURE_TOLERANCE = 86_400 * SECOND
IN_THE_FUTURE = "in the future: a clock was wrong"


@dataclass(slots=True)
class Intake:
    history: History
    report: Report
    borders: Borders

    def events(self, found: Slice, now_ns: int) -> list[list[Event]]:
        """The events of each entity in order of time."""
        self.report.skipped.merge(found.skipped)
        latest = now_ns + FUTURE_TOLERANCE
        possible = [self._up_to(run, latest) for run in found.runs]
        series: dict[str, set[str]] = {}
        for run in possible:
            series.setdefault(run.entity_id, set()).add(run.series)
        runs = by_entity(possible)
        made = []
        for run, events in zip(runs, self.history.events(runs, self._refused), strict=True):
            self._see(run.entity_id, events, series[run.entity_id])
            made.append(without_twins(events))
        return made

    def _up_to(self, run: Run, latest: int) -> Run:
        if not run.times or run.times[-1] <= latest:
            return run
        for time_ns in run.times[bisect_right(run.times, latest) :]:
            self.report.skipped.add(run.entity_id, IN_THE_FUTURE, time_ns)
        return run.between(run.times[0], latest + 1)

    def _refused(self, entity_id: str, time_ns: int, error: InvalidEvent) -> None:
        self.report.skipped.add(entity_id, f"{error.field}: {error.rule}", time_ns)

    def _see(self, entity_id: str, events: list[Event], series: set[str]) -> None:
        """Count those that end up somewhere. What is older makes events too: its value may still hold when the first
        window begins that is kept."""
        oldest = self.borders.oldest
        first = 0
        if events and events[0].time_ns < oldest:
            first = bisect_left(events, oldest, key=_time)
            for event in events[:first]:
                self.report.skipped.add(entity_id, TOO_OLD, event.time_ns)
        if first < len(events):
            self.report.see(entity_id, events[first:] if first else events, series)


_time = attrgetter("time_ns")
