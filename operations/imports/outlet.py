"""What the database has not yet goes to the writers and is counted; in a dry run it is only counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from event_schema import Event, Measurement
from operations.errors import UserError
from operations.imports.borders import TOO_OLD, Borders
from operations.imports.existing import Existing
from operations.imports.report import Report
from operations.imports.summarise import MEASUREMENTS, Row
from operations.imports.target import Writers, first_refusals

# Events on their way to the server while the next slice is read.
MOST_PENDING = 100_000
REFUSED_AT_MOST = 20


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
        times = [event.time_ns for event in events]
        stored = await self.existing.events(min(times), max(times) + 1)
        new = stored.new_of(events)
        report.already_there += len(events) - len(new)
        report.written += len(new)
        if self.writers is not None and new:
            for error in await self.writers.write_events(new):
                report.written -= 1
                report.skipped.add("states", f"{error.field}: {error.rule}")
            await self.hold_back(MOST_PENDING)

    async def rows(self, rows: list[Row]) -> None:
        """Hours and days that were summed up from events."""
        for row in await self._rows(rows, MEASUREMENTS):
            self.report.rows[row.tier] += 1

    async def statistic_rows(self, rows: list[Row], measurements: Mapping[str, Measurement]) -> None:
        """Hours and days that come from statistics, in measurements of their own."""
        too_old = sum(1 for row in rows if not self.borders.takes(row))
        if too_old:
            self.report.skipped.add("rows of long-term statistics", TOO_OLD, count=too_old)
        for row in await self._rows(rows, measurements):
            self.report.statistics[row.tier] += 1

    async def _rows(self, rows: list[Row], measurements: Mapping[str, Measurement]) -> list[Row]:
        """Write those that are kept and not there; they are returned."""
        kept = [row for row in rows if self.borders.takes(row)]
        new = await self.existing.new_rows(kept)
        self.report.rows_already_there += len(kept) - len(new)
        if self.writers is not None and new:
            await self.writers.write_rows(new, measurements)
            await self.hold_back(MOST_PENDING)
        return new

    async def hold_back(self, most: int) -> None:
        """Wait until at most so many points are on their way."""
        if self.writers is None:
            return
        await self.writers.settle(most)
        self.report.refused = self.writers.refused()
        dead = sum(stats.dead_lettered for stats in self.writers.stats)
        if dead >= (REFUSED_AT_MOST if most else 1) and not self.keep_going:
            raise Refused(*self.report.refused)
