"""One import from its beginning, or from where it stopped, to its end.

Slices of readings come in order of time. Of each, the events that raw events are kept for go to the raw bucket; what is
older goes through the summariser, and its rows to the hours and days that are still kept. Then the position is kept,
together with all that the next slice builds upon. Events and rows are on this machine's disk (in the writers' spools)
before the position is: killed at any moment, the import goes on without a gap, and what it sends twice are the same
points.

The border between the two is a midnight of the home, so that no hour and no day is made of both.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from event_schema import Event, InvalidEvent
from event_schema.calendar import day_of, day_start
from flux_tasks import SummaryServer, backfill, downsamples
from operations.errors import UserError
from operations.imports.existing import Existing, to_datetime, to_ns
from operations.imports.history import History
from operations.imports.position import Position
from operations.imports.reading import SECOND, Reading, Slice, Source
from operations.imports.recorder import Recorder
from operations.imports.report import EntityReport, Report
from operations.imports.statistics import MEASUREMENTS as STATISTICS
from operations.imports.statistics import StatisticRows
from operations.imports.summarise import MEASUREMENTS, Row, Summariser, ordered
from operations.imports.target import Target, Writers, first_refusals
from writer import SpoolError

FUTURE_TOLERANCE = 86_400 * SECOND
# Long enough for an import to end before its oldest raw day is past its retention.
MARGIN = timedelta(days=1)
# Events on their way to the server while the next slice is read.
MOST_PENDING = 100_000
REFUSED_AT_MOST = 20

IN_THE_FUTURE = "in the future: a clock was wrong"
TOO_OLD = "older than any summary is kept"
OUTSIDE = "outside --from and --to"


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


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an import is: `done` of 1.0, at a time of the history, and how long it may still take."""

    done: float
    at_ns: int
    readings: int
    per_second: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Borders:
    """From when on each tier takes something, in nanoseconds; `raw` is a midnight of the home."""

    raw: int
    hourly: int
    daily: int

    @classmethod
    def at(cls, now: datetime, retentions: dict[str, timedelta | None], zone: tzinfo) -> Borders:
        def since(tier: str) -> int:
            kept = retentions[tier]
            return 0 if kept is None else to_ns(now - kept)

        kept = retentions["raw"]
        if kept is None:
            return cls(0, since("hourly"), since("daily"))
        oldest = now - kept + min(MARGIN, kept / 10)
        first_day = day_of(oldest, zone) + timedelta(days=1)
        return cls(to_ns(day_start(first_day, zone)), since("hourly"), since("daily"))

    def takes(self, row: Row) -> bool:
        return row.time_ns >= (self.hourly if row.tier == "hourly" else self.daily)

    @property
    def oldest(self) -> int:
        """Nothing before this ends up anywhere."""
        return min(self.raw, self.hourly, self.daily) if self.raw else 0


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
    _summariser: Summariser = field(init=False)
    _borders: Borders = field(init=False)
    _existing: Existing = field(init=False)
    _done_to: int = 0
    _began: float = 0.0
    _began_at: int = 0
    _began_readings: int = 0
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
                self._summariser = Summariser(options.zone)
                report.source, report.dry_run = self.source.name, options.dry_run
                report.raw_from_ns = self._borders.raw
                if kept is not None and not options.dry_run:
                    self._take_up(kept)
                span = await self.source.span()
                if span is not None:
                    await self._run_span(server, span, to_ns(now))
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
        self._done_to = kept["done_to"]
        self.history.restore(kept["history"])
        self._summariser.restore(kept["summariser"])
        self.report.take_up(kept["report"])

    async def _run_span(self, server: SummaryServer, span: tuple[int, int], now_ns: int) -> None:
        options = self.options
        start = max(span[0], self._done_to, options.start_ns or span[0])
        stop = min(span[1] + 1, options.stop_ns or span[1] + 1)
        self._existing = Existing(server, self.target.tiers)
        self._began, self._began_at, self._began_readings = time.monotonic(), start, self.report.readings.count
        before = self.report.seconds
        first = max(options.start_ns or span[0], span[0])
        if start < stop:
            await self._existing.look(max(start, self._borders.oldest), min(stop, now_ns + FUTURE_TOLERANCE))
        try:
            async with contextlib.AsyncExitStack() as stack:
                writers = None
                if not options.dry_run:
                    writers = await stack.enter_async_context(Writers(self.target, self.position.folder))
                    # What an interrupted run left in the spools.
                    await self._open_spools(writers)
                for begin, end in self._parts(start, stop):
                    async for found in self._paced(self.source.slices(begin, end)):
                        await self._take(found, writers, now_ns)
                        self.report.seconds = before + time.monotonic() - self._began
                        self._keep(found.stop_ns)
                        self._tell(found.stop_ns, first, stop)
                await self._finish(writers, now_ns)
                if isinstance(self.source, Recorder):
                    await self._statistics(self.source, writers)
        except Refused as refused:
            raise self._refusal(list(refused.args)) from None
        except SpoolError as error:
            raise UserError(f"{error} Run the same command again: it goes on here.") from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise UserError(
                    f"The disk of {self.position.folder} is full: make room and run the same command again, "
                    "it goes on here."
                ) from None
            raise
        if not options.dry_run and options.summaries:
            await self._backfill(server, max(first, self._borders.raw), min(stop, now_ns))

    def _parts(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The span cut at the border, so that no slice lies on both sides of it."""
        border = self._borders.raw
        if start < border < stop:
            return [(start, border), (border, stop)]
        return [(start, stop)] if start < stop else []

    async def _open_spools(self, writers: Writers) -> None:
        for tier in self.target.tiers:
            if (self.position.folder / f"{tier.name}.sqlite").exists():
                await writers.writer(tier.name, MEASUREMENTS.get(tier.name))

    async def _paced(self, slices: AsyncIterator[Slice]) -> AsyncIterator[Slice]:
        """The slices, so slowly that not more than `rate` readings come per second."""
        rate = self.options.rate
        began, readings = time.monotonic(), 0
        async for found in ahead(slices):
            yield found
            readings += len(found.readings)
            if rate is not None:
                await asyncio.sleep(max(0.0, readings / rate - (time.monotonic() - began)))

    # one slice --------------------------------------------------------------------------------------------

    async def _take(self, found: Slice, writers: Writers | None, now_ns: int) -> None:
        report = self.report
        report.skipped.merge(found.skipped)
        events = self._events(found.readings, now_ns)
        border = self._borders.raw
        if found.start_ns < border:
            await self._sum_up([event for event in events if event.time_ns < border], found, writers)
            events = [event for event in events if event.time_ns >= border]
        if not events:
            return
        stored = await self._existing.events(events[0].time_ns, events[-1].time_ns + 1)
        new = stored.new_of(events)
        report.already_there += len(events) - len(new)
        report.written += len(new)
        if writers is not None and new:
            for error in await writers.write_events(new):
                report.written -= 1
                report.skipped.add("states", f"{error.field}: {error.rule}")
            await self._hold_back(writers, MOST_PENDING)

    def _events(self, readings: list[Reading], now_ns: int) -> list[Event]:
        report, history = self.report, self.history
        oldest, latest = self._borders.oldest, now_ns + FUTURE_TOLERANCE
        events: list[Event] = []
        counted = 0
        make, take = history.event, events.append
        entities = report.entities
        for reading in readings:
            time_ns = reading.time_ns
            if time_ns > latest:
                report.skipped.add(reading.entity_id, IN_THE_FUTURE, time_ns)
                continue
            try:
                event = make(reading)
            except InvalidEvent as error:
                report.skipped.add(reading.entity_id, f"{error.field}: {error.rule}", time_ns)
                continue
            take(event)
            if time_ns < oldest:
                # Its value may still hold when the first window begins that is kept.
                report.skipped.add(reading.entity_id, TOO_OLD, time_ns)
                continue
            counted += 1
            entity = entities.get(reading.entity_id)
            if entity is None:
                entity = entities[reading.entity_id] = EntityReport()
            entity.see(time_ns, reading, event)
        if counted:
            report.readings.add(events[-counted].time_ns, 0)
            report.readings.add(events[-1].time_ns, counted)
        return list(ordered(events))

    async def _sum_up(self, events: list[Event], found: Slice, writers: Writers | None) -> None:
        report, summariser = self.report, self._summariser
        rows: list[Row] = []
        for event in events:
            rows += summariser.add(event)
        report.summed_up += sum(1 for event in events if event.time_ns >= self._borders.oldest)
        if found.stop_ns == self._borders.raw:
            rows += summariser.close(self._borders.raw)
        await self._write_rows(rows, writers)

    async def _write_rows(self, rows: list[Row], writers: Writers | None) -> None:
        kept = [row for row in rows if self._borders.takes(row)]
        new = await self._existing.new_rows(kept)
        self.report.rows_already_there += len(kept) - len(new)
        for row in new:
            self.report.rows[row.tier] += 1
        if writers is not None and new:
            await writers.write_rows(new)
            await self._hold_back(writers, MOST_PENDING)

    async def _hold_back(self, writers: Writers, most: int) -> None:
        await writers.settle(most)
        self.report.refused = writers.refused()
        dead = sum(stats.dead_lettered for stats in writers.stats)
        if dead >= (REFUSED_AT_MOST if most else 1) and not self.options.keep_going:
            raise Refused(*self.report.refused)

    # the end ----------------------------------------------------------------------------------------------

    async def _finish(self, writers: Writers | None, now_ns: int) -> None:
        if self._done_to and self._borders.raw:
            # Windows that are over; one that is still open at the source's end stays open for the next run.
            await self._write_rows(self._summariser.close(min(now_ns, self._borders.raw)), writers)
        if writers is not None:
            await self._hold_back(writers, 0)
        if self._done_to:
            self._keep(self._done_to)

    def _refusal(self, refused: list[str]) -> UserError:
        reasons = "; ".join(first_refusals(self.position.folder))
        return UserError(
            f"InfluxDB refused for good {' and '.join(refused)}: {reasons}. Mend the cause and run the same command "
            "again: they are sent again first. With --keep-going the import passes over them."
        )

    # long-term statistics -----------------------------------------------------------------------------------

    async def _statistics(self, source: Recorder, writers: Writers | None) -> None:
        """Rows of the time before the states, in measurements of their own."""
        span = await source.statistics_span()
        if span is None:
            return
        report, options = self.report, self.options
        made = StatisticRows(options.zone, report.entities, await source.first_states())
        start = span[0]
        if self._statistics_kept is not None:
            start = self._statistics_kept["done_to"]
            made.restore(self._statistics_kept["state"])
        start = max(start, options.start_ns or start)
        stop = min(span[1] + 1, options.stop_ns or span[1] + 1)
        if start >= stop:
            return
        await self._existing.look(start, stop)
        async for until, hours, skipped in source.statistics(start, stop):
            report.skipped.merge(skipped)
            rows = [row for hour in hours for row in made.add(hour, report.skipped)]
            await self._write_statistics(rows + (made.close() if until >= stop else []), writers)
            self._statistics_kept = {"done_to": until, "state": made.state()}
            self._keep(self._done_to)
            self._tell(until, span[0], stop)
        if writers is not None:
            await self._hold_back(writers, 0)

    async def _write_statistics(self, rows: list[Row], writers: Writers | None) -> None:
        kept = [row for row in rows if self._borders.takes(row)]
        new = await self._existing.new_rows(kept)
        report = self.report
        report.rows_already_there += len(kept) - len(new)
        if len(kept) < len(rows):
            report.skipped.add("rows of long-term statistics", TOO_OLD, count=len(rows) - len(kept))
        for row in new:
            report.statistics[row.tier] += 1
        if writers is not None and new:
            await writers.write_rows(new, STATISTICS)
            await self._hold_back(writers, MOST_PENDING)

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

    def _keep(self, done_to: int) -> None:
        self._done_to = done_to
        if self.options.dry_run:
            return
        content = {
            "done_to": done_to,
            "history": self.history.state(),
            "summariser": self._summariser.state(),
            "report": self.report.kept(),
        }
        if self._crossing is None and 0 < self._borders.raw <= done_to:
            self._crossing = {**content, "border": self._borders.raw}
        self.position.keep({**content, "crossing": self._crossing, "statistics": self._statistics_kept})

    def _tell(self, at_ns: int, first: int, stop: int) -> None:
        elapsed = max(time.monotonic() - self._began, 1e-9)
        done = (at_ns - first) / max(stop - first, 1)
        share = (at_ns - self._began_at) / max(stop - self._began_at, 1)
        self.progress(
            Progress(
                done=done,
                at_ns=at_ns,
                readings=self.report.readings.count,
                per_second=(self.report.readings.count - self._began_readings) / elapsed,
                seconds_left=elapsed / share * (1 - share) if share > 0 else None,
            )
        )


async def ahead(slices: AsyncIterator[Slice]) -> AsyncIterator[Slice]:
    """The slices, each read while the one before it is at work. Raises what the source raises, in its place."""
    ready: asyncio.Queue[Slice | BaseException | None] = asyncio.Queue(1)

    async def read() -> None:
        try:
            async for one in slices:
                await ready.put(one)
            await ready.put(None)
        except Exception as error:
            await ready.put(error)

    reading = asyncio.create_task(read())
    try:
        while (found := await ready.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class Refused(Exception):
    """The server refuses points for good; why is read once the spools are closed."""
