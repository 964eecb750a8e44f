"""What the database has not yet goes to the writers and is counted; in a dry run it is only counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from event_schema import Event, Measurement
from operations.errors import UserError
from operations.imports.borders import Borders
from operations.imports.existing import EVENTS, Existing
from operations.imports.report import Report
from operations.imports.summarise import MEASUREMENTS, Row
from operations.imports.target import Writers, first_refusals, unstorable

# Events on their way to the server while the next slice is read.
MOST_PENDING = 100_000
REFUSED_AT_MOST = 20
OF_EVENTS = {
    "hourly": "hours of long-term statistics that have a row from events",
    "daily": "days of long-term statistics that have a row from events",
}


class Refused(Exception):
    """The server refuses points for good; why is read once the spools are closed."""

    def sentence(self, spools: Path) -> UserError:
        """For the user, once the spools in this folder are closed."""
        reasons = "; ".join(first_refusals(spools))
        return UserError(
            f"InfluxDB refused for good {' and '.join(self.args)}: {reasons}. Mend the cause and run the same command "
            "again: they are sent again first. With --keep-going the import passes over them."
        )


@dataclass(slots=True)
class Outlet:
    """`writers` None: a dry run. Raises Refused where the server refuses points, unless it is to `keep_going`."""

    borders: Borders
    existing: Existing
    report: Report
    writers: Writers | None
    keep_going: bool

    async def events(self, events: list[Event]) -> None:
        """Events for the raw bucket."""
        if not events:
            return
        report = self.report
        times = list(map(attrgetter("time_ns"), events))
        stored = await self.existing.events(min(times), max(times) + 1)
        new = stored.new_of(events)
        report.already_there += len(events) - len(new)
        report.written += len(new)
        refused = unstorable(new) if self.writers is None else await self.writers.write_events(new)
        for event, error in refused:
            report.written -= 1
            report.skipped.add(event.entity_id, f"{error.field}: {error.rule}", event.time_ns)
        await self.hold_back(MOST_PENDING)

    async def rows(self, rows: list[Row]) -> None:
        """Hours and days that were summed up from events."""
        kept = self._kept(rows, self.report.rows_too_old)
        new = await self.existing.new_rows(kept)
        self.report.rows_already_there += len(kept) - len(new)
        for row in new:
            self.report.rows[row.tier] += 1
        await self._write(new, MEASUREMENTS)

    async def statistic_rows(self, rows: list[Row], measurements: Mapping[str, Measurement]) -> None:
        """Hours and days that come from statistics, in measurements of their own; not those that events made."""
        report = self.report
        kept = self._kept(rows, report.statistics_too_old)
        of_events = await self.existing.instants(kept, EVENTS)
        there = await self.existing.instants(kept, measurements)
        new = []
        for row in kept:
            key = (row.tier, row.entity_id, row.time_ns)
            if key in of_events:
                report.statistics_skipped.add(row.entity_id, OF_EVENTS[row.tier], row.time_ns)
            elif key in there:
                report.statistics_already_there[row.tier] += 1
            else:
                report.statistics[row.tier] += 1
                new.append(row)
        await self._write(new, measurements)

    def _kept(self, rows: list[Row], too_old: dict[str, int]) -> list[Row]:
        """The rows that their tier keeps; the others are counted."""
        kept = [row for row in rows if self.borders.takes(row)]
        if len(kept) < len(rows):
            for row in rows:
                too_old[row.tier] += not self.borders.takes(row)
        return kept

    async def _write(self, rows: list[Row], measurements: Mapping[str, Measurement]) -> None:
        if self.writers is not None and rows:
            await self.writers.write_rows(rows, measurements)
            await self.hold_back(MOST_PENDING)

    async def hold_back(self, most: int) -> None:
        """Wait until at most so many points are on their way."""
        if self.writers is None:
            return
        await self.writers.settle(most)
        self.report.refused = self.writers.refused()
        self.report.refused_events = self.writers.refused_events
        dead = sum(stats.dead_lettered for stats in self.writers.stats)
        if dead >= (REFUSED_AT_MOST if most else 1) and not self.keep_going:
            raise Refused(*self.report.refused)
