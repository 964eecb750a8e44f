"""How every query of the reader runs: asked, timed, counted, its rows made."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

from event_schema.calendar import Span, day_start
from influxdb_connection import Connection
from reader import patterns
from reader.asking import Asking, Retained, check_entity
from reader.entity_windows import EntityWindows
from reader.periods import Asked, InvalidQuery, Width, asked, window_at
from reader.rows import SummaryRow, summary_row
from reader.settings import ReaderSettings
from reader.stats import QueryRecord, ReaderStats

log = logging.getLogger("hearthflux.reader")
Moment = date | datetime | None
T = TypeVar("T")
Work = Callable[[Asking], Awaitable[list[T]]]


class Querying:
    """The connection, the counters and the steps that the queries share."""

    def __init__(self, settings: Any = None) -> None:
        """`settings` is a ReaderSettings, or anything with url, token and org such as WriterSettings; None takes the
        environment's."""
        if settings is None:
            settings = ReaderSettings.from_env()
        elif not isinstance(settings, ReaderSettings):
            settings = ReaderSettings.like(settings)
        self.settings: ReaderSettings = settings
        self.stats = ReaderStats()
        self._zone = ZoneInfo(settings.time_zone)
        self._connection = Connection(settings.connection)
        self._retained = Retained(self._connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next query opens new ones."""
        await self._connection.close()

    async def records(self, flux: str) -> list[dict[str, Any]]:
        """The rows of any Flux query. Raises ReaderError."""
        return await self._connection.rows(flux)

    def _asked(
        self,
        width: Width,
        duration: str,
        now: Moment,
        start: Moment = None,
        stop: Moment = None,
        running: bool = False,
        statistics: bool = True,
    ) -> Asked:
        moment = now if now is None or isinstance(now, datetime) else day_start(now, self._zone)
        found = asked(width, duration, self._zone, now=moment, start=start, stop=stop, running=running)
        return dataclasses.replace(found, statistics=statistics)

    async def _answer(self, kind: str, work: Work[T], entity_id: str = "") -> list[T]:
        asking = Asking(self._connection, self.settings.tiers, self._retained)
        begin = time.perf_counter()
        rows: list[T] = []
        error = ""
        try:
            rows = await work(asking)
        except Exception as problem:
            error = str(problem) or type(problem).__name__
            raise
        finally:
            record = QueryRecord(
                kind=kind,
                entity_id=entity_id,
                seconds=time.perf_counter() - begin,
                rows=len(rows),
                requests=asking.requests,
                tiers=asking.tier_rows,
                note=asking.note,
                error=error,
            )
            self.stats.add(record)
            log.debug(
                "%s %s: %d rows in %.1f ms, %d scripts, rows by tier %s%s",
                kind,
                entity_id or "of the home",
                record.rows,
                record.seconds * 1000,
                record.requests,
                record.tiers,
                f", failed: {error}" if error else "",
            )
        return rows

    async def _reach(self, asking: Asking, span: Asked) -> datetime:
        """Since when anything is kept; noted where the span begins earlier, InvalidQuery where it ends earlier."""
        reach = await asking.reach(span.now, span.width, self._zone)
        since = f"nothing from before {reach.astimezone(self._zone):%Y-%m-%d %H:%M} is kept any more"
        if span.stop <= reach:
            raise InvalidQuery(f"the span ends {span.stop.astimezone(self._zone):%Y-%m-%d %H:%M}: {since}")
        if span.start < reach:
            asking.note = since
        return reach

    def _entity(self, asking: Asking, entity_id: str, span: Asked, fields: tuple[str, ...] = ()) -> EntityWindows:
        return EntityWindows(asking, check_entity(entity_id), self._zone, span.now, fields, span.statistics)

    async def _windows(
        self,
        kind: str,
        width: Width,
        entity_id: str,
        duration: str,
        start: Moment,
        stop: Moment,
        running: bool,
        statistics: bool,
        now: Moment,
    ) -> list[SummaryRow]:
        check_entity(entity_id)
        span = self._asked(width, duration, now, start, stop, running, statistics)
        return await self._answer(kind, lambda asking: self._summed(asking, entity_id, span), entity_id)

    async def _summed(self, asking: Asking, entity_id: str, span: Asked, *, check: bool = True) -> list[SummaryRow]:
        """The rows of a span's windows."""
        reach = await self._reach(asking, span) if check else span.start
        entity = self._entity(asking, entity_id, span)
        if span.width in ("hour", "day"):
            # A running window that somebody has stored already comes along, but for spans with a stop of their own.
            until = span.now if span.most is not None and not span.running else None
            read = entity.hours if span.width == "hour" else entity.days
            found = await read(span.start, span.stop, until)
        else:
            found = await entity.rolled_up(span.windows())
        rows = []
        for moment, window in found.items():
            whole = window_at(moment, span.width, self._zone)
            complete = max(reach, whole.start) == whole.start and whole.stop <= span.now
            ends = Span(moment, min(whole.stop, max(span.now, moment)))
            rows.append(summary_row(check_entity(entity_id), ends, window, complete=complete))
        return rows if span.most is None else rows[-span.most :]

    async def _compare(
        self,
        kind: str,
        entity_id: str,
        duration: str,
        width: patterns.By,
        measure: patterns.Measure,
        against: patterns.Against,
        running: bool,
        statistics: bool,
        now: Moment,
    ) -> list[patterns.ComparisonRow]:
        check_entity(entity_id)
        patterns.check_measure(measure)
        span = self._asked(width, duration, now, statistics=statistics)
        pairs = patterns.pairs(span, against, running=running)

        async def work(asking: Asking) -> list[patterns.ComparisonRow]:
            await self._reach(asking, span)
            entity = self._entity(asking, entity_id, span)
            # Those of a year ago overlap those of this year where the span is longer than one.
            spans = sorted({one for pair in pairs.whole for one in pair})
            found = await entity.rolled_up(spans)
            rows = {
                one: summary_row(entity_id, one, found[one.start], complete=True) for one in spans if one.start in found
            }
            for one in (one for pair in pairs.running for one in pair):
                for window in (await entity.rolled_up([one])).values():
                    rows[one] = summary_row(entity_id, one, window, complete=False)
            chosen = patterns.chosen(rows.values(), measure)
            return patterns.compared(rows, pairs, chosen, width, self._zone, self.settings.hemisphere)

        return await self._answer(kind, work, entity_id)
