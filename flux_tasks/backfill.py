"""Summaries made right: every row of a span computed from the raw events, compared with what is stored, and mended.

Worked off by days of the home, oldest first. A day is computed whole before anything of it is written; what differs is
written, then what should not be there is deleted. So it may be interrupted at any point, run beside the live tasks, and
run again: what is right is not touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from event_schema import HOLD_DAYS
from event_schema.calendar import Span, day_of, day_start
from flux_tasks.raw import raw_events
from flux_tasks.rows import Key, RawEvents, Row, carried_of, rows_of
from flux_tasks.rows import Window as RowWindow
from flux_tasks.server import ServerProblem, SummaryServer
from flux_tasks.specs import Downsample, downsamples
from flux_tasks.stored import apply, changes, stored_rows, wanted_row
from flux_tasks.windows import Window, due, windows_between
from templates.render import render

Progress = Callable[[int, int], None]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Report:
    """What was done: windows due, those computed (by `repair`: those that were wrong), those past retention and left
    alone, those still wrong; `rows` by tier, of the computed windows. `reached`: all before this instant is done."""

    due: int = 0
    computed: int = 0
    expired: int = 0
    wrong: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    reached: datetime | None = None

    @property
    def ok(self) -> bool:
        return self.wrong == 0

    def as_json(self) -> dict[str, Any]:
        reached = None if self.reached is None else self.reached.isoformat()
        return {**asdict(self), "reached": reached, "ok": self.ok}


@dataclass(frozen=True, slots=True)
class _Day:
    """A day of the home: the windows of it that are due, and whether states that may hold in it are past retention."""

    since: datetime
    windows: Mapping[str, Sequence[Window]]
    edge: bool

    @property
    def span(self) -> Span:
        several = [window for windows in self.windows.values() for window in windows]
        return Span(min(window.start for window in several), max(window.stop for window in several))


@dataclass(frozen=True, slots=True)
class _Mended:
    """What should be stored of some windows, and the starts of those that were not right, before and after."""

    wanted: Mapping[Key, Row]
    touched: set[int]
    wrong: set[int]


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def look_back(window: Span | Window, zone: ZoneInfo) -> datetime:
    """From when on a state may hold in the window: HOLD_DAYS days of the home before the day it begins in."""
    return day_start(day_of(window.start, zone) - timedelta(days=HOLD_DAYS), zone)


async def _days(
    server: SummaryServer, specs: Sequence[Downsample], start: datetime, stop: datetime, report: Report
) -> list[_Day]:
    """The due windows of the span by days of the home; counts them and the expired ones in the report."""
    now = datetime.now(UTC)
    retentions = await server.retentions(
        bucket for spec in specs for bucket in (spec.source_bucket, spec.target_bucket)
    )
    for spec in specs:
        for bucket in (spec.source_bucket, spec.target_bucket):
            if bucket not in retentions:
                raise ServerProblem(
                    f"There is no bucket {bucket!r} in organization {server.org!r} at {server.url} "
                    "that this token may read"
                )
    zone = ZoneInfo(specs[0].home_zone)
    by_day: dict[datetime, dict[str, list[Window]]] = {}
    for spec in specs:
        raw, target = retentions[spec.source_bucket], retentions[spec.target_bucket]
        windows, expired = due(windows_between(spec, start, stop), now, raw, target)
        report.due += len(windows)
        report.expired += expired
        report.rows[spec.tier] = 0
        for window in windows:
            by_day.setdefault(look_back(window, zone), {}).setdefault(spec.tier, []).append(window)
    kept = retentions[specs[0].source_bucket]
    return [
        _Day(since, windows, edge=kept is not None and since < now - kept) for since, windows in sorted(by_day.items())
    ]


async def _expected(server: SummaryServer, spec: Downsample, day: _Day) -> RawEvents:
    return await raw_events(server, spec, day.since, day.span.start, day.span.stop)


def _only(rows: Mapping[Key, Row], windows: Sequence[Window]) -> dict[Key, Row]:
    starts = {_ns(window.start) for window in windows}
    return {key: row for key, row in rows.items() if key.start in starts}


async def _put_right(
    server: SummaryServer, spec: Downsample, windows: Sequence[Window], fresh: Mapping[Key, Row], *, edge: bool
) -> _Mended:
    """Compare, write what differs, and look whether it is right then."""

    async def stored() -> dict[Key, Row]:
        # An hour's row of nothing held is as good as none (templates/macros/over_time.flux.j2).
        found = _only(await stored_rows(server, spec, windows[0].start, windows[-1].stop), windows)
        return {key: row for key, row in found.items() if "last_holds" in row or any(row.values())}

    there = await stored()
    wanted = {key: wanted_row(fresh.get(key), there.get(key), edge=edge) for key in fresh.keys() | there.keys()}
    wanted = {key: row for key, row in wanted.items() if row}
    difference = changes(wanted, there)
    if not difference.starts:
        return _Mended(wanted, set(), set())
    await apply(server, spec, wanted, difference)
    return _Mended(wanted, difference.starts, changes(wanted, await stored()).starts)


async def _mend(
    server: SummaryServer, specs: Sequence[Downsample], day: _Day, report: Report, *, count_all: bool
) -> None:
    """Compute a day, compare, write what differs, and look whether it is right then."""
    events = await _expected(server, specs[0], day)
    for spec in specs:
        windows = day.windows.get(spec.tier)
        if not windows:
            continue
        row_windows = [RowWindow(_ns(window.start), _ns(window.stop)) for window in windows]
        rows = await _put_right(server, spec, windows, rows_of(events, row_windows), edge=day.edge)
        touched, wrong = rows.touched, rows.wrong
        if spec.hourly:
            beside = await _put_right(server, spec.carried, windows, carried_of(events, row_windows), edge=day.edge)
            touched, wrong = touched | beside.touched, wrong | beside.wrong
        report.wrong += len(wrong)
        report.computed += len(windows) if count_all else len(touched)
        report.rows[spec.tier] += len([key for key in rows.wanted if count_all or key.start in touched])


async def _work(
    server: SummaryServer,
    days: Sequence[_Day],
    specs: Sequence[Downsample],
    report: Report,
    *,
    progress: Progress | None,
    pause: float,
    count_all: bool,
) -> Report:
    done = 0
    if progress is not None:
        progress(0, report.due)
    for number, day in enumerate(days):
        if number and pause:
            await asyncio.sleep(pause)
        await _mend(server, specs, day, report, count_all=count_all)
        report.reached = day.span.stop
        done += sum(map(len, day.windows.values()))
        if progress is not None:
            progress(done, report.due)
    return report


async def backfill(
    server: SummaryServer,
    start: datetime,
    stop: datetime,
    *,
    specs: Sequence[Downsample] | None = None,
    progress: Progress | None = None,
    pause: float = 0.0,
    report: Report | None = None,
) -> Report:
    """Make every due window right that shares time with [start, stop); naive times are UTC.

    `progress(done, total)` counts windows; `pause` is in seconds, between days. `report` is filled as the work goes on,
    for who interrupts it. Raises ServerProblem; what was done until then stays.
    """
    chosen = downsamples() if specs is None else specs
    report = Report() if report is None else report
    days = await _days(server, chosen, _utc(start), _utc(stop), report)
    return await _work(server, days, chosen, report, progress=progress, pause=pause, count_all=True)


async def oldest_raw(server: SummaryServer, spec: Downsample) -> datetime | None:
    """When the oldest raw event that is still there happened; None where there is none."""
    rows = await server.rows(
        render("queries/oldest.flux.j2", bucket=spec.source_bucket, measurement=spec.source_measurement)
    )
    return min((row["_time"] for row in rows), default=None)


async def repair(
    server: SummaryServer,
    start: datetime | None = None,
    stop: datetime | None = None,
    *,
    specs: Sequence[Downsample] | None = None,
    progress: Progress | None = None,
    pause: float = 0.0,
    report: Report | None = None,
) -> Report:
    """Find the windows that are missing or wrong in any field in [start, stop) (default: all that raw events reach) and
    mend them; otherwise like `backfill`."""
    chosen = downsamples() if specs is None else specs
    report = Report() if report is None else report
    since = start or await oldest_raw(server, chosen[0])
    if since is None:
        report.rows = {spec.tier: 0 for spec in chosen}
        return report
    days = await _days(server, chosen, _utc(since), _utc(stop or datetime.now(UTC)), report)
    return await _work(server, days, chosen, report, progress=progress, pause=pause, count_all=False)
