"""A quick look at which windows are wrong: their totals over all series beside the raw events'."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

from flux_tasks.server import SummaryServer
from flux_tasks.specs import Downsample
from flux_tasks.windows import Window
from templates.render import render

LONGEST_CHECK = {"hourly": 24 * 31, "daily": 366}


def runs(windows: Sequence[Window], longest: int) -> Iterator[list[Window]]:
    """Neighbouring windows together, at most `longest` of them."""
    run: list[Window] = []
    for window in windows:
        if run and (run[-1].stop != window.start or len(run) == longest):
            yield run
            run = []
        run.append(window)
    if run:
        yield run


async def wrong_windows(server: SummaryServer, spec: Downsample, windows: Sequence[Window]) -> list[Window]:
    """Those whose stored totals (events, values, sum, energy) differ from the raw events'; a change that leaves these
    as they are is `repair`'s to find. Raises ServerProblem."""
    # Windows that Flux's own `window(every:)` cuts right: hours, and the days of UTC.
    uniform = spec.hourly or spec.time_zone == "UTC"
    wrong: list[Window] = []
    for run in runs(windows, LONGEST_CHECK[spec.tier] if uniform else 1):
        start, stop = run[0].start, run[-1].stop
        flux = render("downsample/totals.flux.j2", spec=spec, start=start, stop=stop, window=uniform)
        totals: dict[tuple[str, datetime], float] = {}
        for row in await server.rows(flux):
            moment = row.get("_start") if row["result"].startswith("raw ") else row.get("_time")
            if moment is not None and row.get("_value") is not None:
                totals[row["result"], moment] = float(row["_value"])
        for window in run:
            for one in spec.totals:
                expected = totals.get((f"raw {one.target}", window.start), 0.0)
                stored = totals.get((f"stored {one.target}", window.start), 0.0)
                if not math.isclose(expected, stored, rel_tol=1e-9, abs_tol=1e-6):
                    wrong.append(window)
                    break
    return wrong
