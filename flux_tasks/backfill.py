"""Computing windows again: a span on request (backfill), or those that are missing or wrong (repair).

Both are safe to interrupt and to run beside the live tasks: a window computed twice is the same points again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flux_tasks.server import SummaryServer
from flux_tasks.specs import Downsample, downsamples
from flux_tasks.windows import Window, due, runs, windows_between
from templates.render import render

Progress = Callable[[int, int], None]

# Windows per script: a week of hours, a month of UTC days. More would hold more rows in the server's memory.
LONGEST_RUN = {"hourly": 168, "daily": 31}
CHECK_RUN = {"hourly": 24 * 31, "daily": 366}
RELATIVE_TOLERANCE = 1e-9


@dataclass(slots=True)
class Report:
    """What was done: windows asked for and due, those computed, those past retention, those still wrong."""

    due: int = 0
    computed: int = 0
    expired: int = 0
    wrong: int = 0
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.wrong == 0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _uniform(spec: Downsample) -> bool:
    """Windows that Flux's own `window(every:)` cuts right: hours, and the days of UTC."""
    return spec.tier == "hourly" or spec.time_zone == "UTC"


async def compute(server: SummaryServer, spec: Downsample, windows: Sequence[Window]) -> int:
    """Write the summaries of neighbouring windows; the number of rows (points) written."""
    if _uniform(spec):
        flux = spec.backfill_flux(windows[0].start, windows[-1].stop, window=True)
        return _most(await server.rows(flux))
    written = 0
    for window in windows:
        written += _most(await server.rows(spec.backfill_flux(window.start, window.stop, window=False)))
    return written


def _most(rows: list[dict[str, Any]]) -> int:
    return max((int(row["_value"]) for row in rows if row.get("_value") is not None), default=0)


async def _due(server: SummaryServer, spec: Downsample, start: datetime, stop: datetime) -> tuple[list[Window], int]:
    return due(
        windows_between(spec, _utc(start), _utc(stop)),
        datetime.now(UTC),
        await server.retention(spec.source_bucket),
        await server.retention(spec.target_bucket),
    )


async def wrong_windows(server: SummaryServer, spec: Downsample, windows: Sequence[Window]) -> list[Window]:
    """Those whose stored totals (events, values, sum, energy) differ from the raw events'."""
    longest = CHECK_RUN[spec.tier] if _uniform(spec) else 1
    wrong: list[Window] = []
    for run in runs(list(windows), longest):
        start, stop = run[0].start, run[-1].stop
        flux = render("downsample/totals.flux.j2", spec=spec, start=start, stop=stop, window=_uniform(spec))
        totals: dict[tuple[str, datetime], float] = {}
        for row in await server.rows(flux):
            moment = row.get("_start") if row["result"].startswith("raw ") else row.get("_time")
            if moment is not None and row.get("_value") is not None:
                totals[row["result"], moment] = float(row["_value"])
        for window in run:
            for one in spec.totals:
                expected = totals.get((f"raw {one.target}", window.start), 0.0)
                stored = totals.get((f"stored {one.target}", window.start), 0.0)
                if not math.isclose(expected, stored, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-6):
                    wrong.append(window)
                    break
    return wrong


async def backfill(
    server: SummaryServer,
    start: datetime,
    stop: datetime,
    *,
    specs: Sequence[Downsample] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Compute every due window that shares time with [start, stop); naive times are UTC.

    `progress(done, total)` counts windows. Raises ServerProblem; what was computed until then stays.
    """
    chosen = downsamples() if specs is None else specs
    report = Report()
    planned = []
    for spec in chosen:
        windows, expired = await _due(server, spec, start, stop)
        planned.append((spec, windows))
        report.due += len(windows)
        report.expired += expired
    if progress is not None:
        progress(0, report.due)
    for spec, windows in planned:
        report.rows[spec.tier] = 0
        for run in runs(windows, LONGEST_RUN[spec.tier] if _uniform(spec) else 1):
            report.rows[spec.tier] += await compute(server, spec, run)
            report.computed += len(run)
            if progress is not None:
                progress(report.computed, report.due)
    for spec, windows in planned:
        report.wrong += len(await wrong_windows(server, spec, windows))
    return report


async def _oldest_raw(server: SummaryServer, spec: Downsample) -> datetime | None:
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
) -> Report:
    """Find the windows that are missing or wrong in [start, stop) (default: all that raw events reach) and compute
    them again; rows that have no events any more are removed with it. Raises ServerProblem."""
    chosen = downsamples() if specs is None else specs
    until = stop or datetime.now(UTC)
    report = Report()
    planned = []
    for spec in chosen:
        since = start or await _oldest_raw(server, spec)
        if since is None:
            continue
        windows, expired = await _due(server, spec, since, until)
        report.due += len(windows)
        report.expired += expired
        planned.append((spec, await wrong_windows(server, spec, windows)))
    total = sum(len(windows) for _, windows in planned)
    for spec, windows in planned:
        report.rows[spec.tier] = 0
        for window in windows:
            await server.delete(
                spec.target_bucket,
                spec.target_measurement,
                window.start,
                window.start + timedelta(microseconds=1),
            )
            report.rows[spec.tier] += await compute(server, spec, [window])
            report.computed += 1
            if progress is not None:
                progress(report.computed, total)
        report.wrong += len(await wrong_windows(server, spec, windows))
    return report
