"""One import from its beginning, or from where it stopped, to its end.

Slices of readings come in order of time. Of each, the events that raw events are kept for go to the raw bucket; what is
older goes through the summariser, and its rows to the hours and days that are still kept. Then the position is kept,
together with all that the next slice builds upon. Events and rows are on this machine's disk (in the writers' spools)
before the position is: killed at any moment, the import goes on without a gap, and what it sends twice are the same
points. The next slice is read and taken meanwhile; what a position says is what was known behind its own slice.

The border between the two is a midnight of the home, so that no hour and no day is made of both.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from flux_tasks import SummaryServer, backfill, downsamples
from operations.errors import UserError
from operations.imports.borders import Borders
from operations.imports.existing import Existing, to_datetime, to_ns
from operations.imports.history import History
from operations.imports.intake import FUTURE_TOLERANCE, Intake, Taken
from operations.imports.outlet import Outlet, Refused
from operations.imports.pacing import Clock, Progress, ahead, paced
from operations.imports.position import Position
from operations.imports.reading import Source
from operations.imports.recorder import Recorder
from operations.imports.report import Report
from operations.imports.statistics import StatisticsPass
from operations.imports.summarise import Summariser
from operations.imports.target import Target, Writers
from operations.paths import NO_ROOM
from writer import SpoolError

# The span of a source without states: a recorder may still have long-term statistics.
NO_TIME = (0, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to import. `rate`: events per second at most; None: as fast as the server takes them."""

    zone: tzinfo
    zone_name: str
    start_ns: int | None = None
    stop_ns: int | None = None
    dry_run: bool = False
    rate: float | None = None
    keep_going: bool = False
    summaries: bool = True


@dataclass(slots=True)
class Importer:
    """One run. `progress` is called after each slice."""

    source: Source
    target: Target
    history: History
    position: Position
    options: Options
    progress: Callable[[Progress], None] = lambda _: None
    report: Report = field(default_factory=Report)
    _borders: Borders = field(init=False)
    _intake: Intake = field(init=False)
    # How far what is stored comes, and what an import has to know that goes on from there.
    _reached: Mapping[str, Any] = field(init=False)
    _crossing: dict[str, Any] | None = None
    _statistics_kept: dict[str, Any] | None = None

    async def run(self) -> Report:
        """Import all of it. Raises UserError, SourceError, ServerProblem; the position is kept whatever happens."""
        report, options = self.report, self.options
        kept = self.position.open()
        thresholds = gc.get_threshold()
        # Readings and events hold no cycles; looking through a slice of them again and again took half of the time.
        gc.set_threshold(100_000, *thresholds[1:])
        try:
            now = datetime.now(UTC)
            async with self.target.server() as server:
                self._borders = Borders.at(now, await self.target.retentions(server), options.zone)
                self._intake = Intake(self.history, Summariser(options.zone), self._borders, to_ns(now))
                self._reached = self._intake.reached(0)
                report.source, report.dry_run = self.source.name, options.dry_run
                report.raw_from_ns = self._borders.raw
                if kept is not None and not options.dry_run:
                    self._take_up(kept)
                await self._run_span(server, await self.source.span() or NO_TIME, to_ns(now))
            report.left_out |= self.source.left_out()
            report.finished = True
            return report
        finally:
            gc.set_threshold(*thresholds)
            self.position.close()

    def _take_up(self, kept: dict[str, Any]) -> None:
        """Go on where an earlier run stopped. If raw events have expired since, from the border that it had: what it
        wrote as events after that is summed up now."""
        crossing = kept.get("crossing")
        if crossing is not None and crossing["border"] < self._borders.raw:
            kept = crossing
        self._crossing = crossing if crossing is not None and crossing["border"] == self._borders.raw else None
        self._statistics_kept = kept.get("statistics")
        self._reached = {name: kept[name] for name in self._reached}
        self._intake.restore(self._reached)
        self.report.take_up(kept["report"])

    async def _run_span(self, server: SummaryServer, span: tuple[int, int], now_ns: int) -> None:
        options = self.options
        first = max(span[0], options.start_ns or span[0])
        start = max(first, self._reached["done_to"])
        stop = min(span[1] + 1, options.stop_ns or span[1] + 1)
        existing = Existing(server, self.target.tiers)
        if start < stop:
            await existing.look(max(start, self._borders.oldest), min(stop, now_ns + FUTURE_TOLERANCE))
        try:
            async with contextlib.AsyncExitStack() as stack:
                writers = None
                if not options.dry_run:
                    writers = await stack.enter_async_context(Writers(self.target, self.position.folder))
                    await writers.open_kept()
                outlet = Outlet(self._borders, existing, self.report, writers, options.keep_going)
                await self._slices(outlet, Clock(first, start, stop, self.report, self.progress))
                await self._finish(outlet, now_ns)
                if isinstance(self.source, Recorder):
                    await self._statistics(self.source, outlet)
        except Refused as refused:
            raise refused.sentence(self.position.folder) from None
        except SpoolError as error:
            raise UserError(f"{error} Mend that and run the same command again: it goes on here.") from None
        except OSError as error:
            if error.errno in NO_ROOM:
                raise UserError(
                    f"The disk of {self.position.folder} is full: make room and run the same command again, "
                    "it goes on here."
                ) from None
            raise
        if not options.dry_run and options.summaries:
            await self._backfill(server, max(first, self._borders.raw), min(stop, now_ns))

    async def _slices(self, outlet: Outlet, clock: Clock) -> None:
        async with contextlib.aclosing(ahead(self._taken(clock.start, clock.stop))) as coming:
            async for taken in coming:
                self.report.merge(taken.report)
                await outlet.rows(taken.rows)
                await outlet.events(taken.events)
                clock.tick()
                await self._keep(taken.reached)
                clock.tell(taken.stop_ns)

    async def _taken(self, start_ns: int, stop_ns: int) -> AsyncGenerator[Taken, None]:
        for begin, end in self._borders.parts(start_ns, stop_ns):
            async with contextlib.aclosing(paced(self.source.slices(begin, end), self.options.rate)) as slices:
                async for found in slices:
                    yield await self._intake.take(found)

    # the end ----------------------------------------------------------------------------------------------

    async def _finish(self, outlet: Outlet, now_ns: int) -> None:
        done_to = self._reached["done_to"]
        if done_to and self._borders.raw:
            # Windows that are over; one that is still open at the source's end stays open for the next run.
            await outlet.rows(self._intake.summariser.close(min(now_ns, self._borders.raw)))
        await outlet.hold_back(0)
        if done_to:
            await self._keep(self._intake.reached(done_to))

    async def _statistics(self, source: Recorder, outlet: Outlet) -> None:
        span = await source.statistics_span()
        if span is None:
            return
        options = self.options
        start, stop = max(span[0], options.start_ns or span[0]), min(span[1] + 1, options.stop_ns or span[1] + 1)
        found = StatisticsPass(source, outlet, options.zone, self._statistics_kept)
        clock = Clock(start, found.start(start), stop, self.report, self.progress)
        async for until in found.run(clock.start, stop):
            self._statistics_kept = found.kept
            await self._keep(self._reached)
            clock.tell(until)
        await outlet.hold_back(0)

    async def _backfill(self, server: SummaryServer, start_ns: int, stop_ns: int) -> None:
        """The tasks do not look back: sum up what was imported as events."""
        if start_ns >= stop_ns or not self.report.written:
            return
        specs = downsamples(self.target.tiers, self.options.zone_name)
        done = await backfill(server, to_datetime(start_ns), to_datetime(stop_ns), specs=specs)
        self.report.backfilled = dict(done.rows)
        if not done.ok:
            self.report.left_out[f"{done.wrong:,} hours and days"] = "not summed up right: run 'hearthflux repair'"

    # position ---------------------------------------------------------------------------------------------

    async def _keep(self, reached: Mapping[str, Any]) -> None:
        self._reached = reached
        if self.options.dry_run:
            return
        content = {**reached, "report": self.report.kept()}
        if self._crossing is None and 0 < self._borders.raw <= reached["done_to"]:
            self._crossing = {**content, "border": self._borders.raw}
        everything = {**content, "crossing": self._crossing, "statistics": self._statistics_kept}
        await asyncio.to_thread(self.position.keep, everything)
