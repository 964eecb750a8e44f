"""`--rate` holds an import back; on the way it tells how far it is, how many a second, how long it may still take."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from rich.console import Console

from operations.imports.influxdb1_export import InfluxDB1Export
from operations.imports.influxdb1_server import InfluxDB1Server, Server1x
from operations.imports.layout import Layout
from operations.imports.mapping import Mapping1x
from operations.imports.pacing import Progress
from operations.imports.reading import Pace
from operations.imports.recorder import Recorder
from operations.imports.report import Report
from operations.imports.shown import Shown, left
from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, SECOND, State, a_home, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.test_influxdb1 import database
from tests.operations.imports.test_recorder import sqlite_file

__all__ = ["database"]
NOW = time.time_ns() // SECOND * SECOND
RATE = 400.0


@pytest.fixture
def states() -> list[State]:
    return a_home(NOW - 3 * DAY, NOW, step=900 * SECOND)


@pytest.mark.parametrize("way", ["recorder", "live", "export"])
def test_not_faster_than_the_rate_with_progress_and_an_estimate(
    new_home: NewHome, influxdb1: InfluxDB1, database: str, states: list[State], way: str
) -> None:
    new_home.make_buckets(None, None, None)
    told: list[tuple[float, Progress]] = []
    path = sqlite_file(new_home.folder / "db", 43, states)
    influxdb1.write(database, lines(states))
    export = influxdb1.export(database, new_home.folder / "export")
    server, layout = Server1x(url=influxdb1.url, database=database), Layout(Mapping1x())
    make: dict[str, Callable[[], Any]] = {
        "recorder": partial(Recorder, str(path), pace=Pace(wanted=50)),
        "live": partial(InfluxDB1Server, server, layout, pace=Pace(wanted=50)),
        "export": partial(InfluxDB1Export, export, layout, new_home.folder / "parts"),
    }

    async def go() -> Report:
        async with make[way]() as source:
            importer = new_home.importer(source, rate=RATE, summaries=False)
            importer.progress = lambda one: told.append((time.monotonic(), one))
            return await importer.run()

    began = time.monotonic()
    report = asyncio.run(go())
    assert report.written == len(states)
    # Whatever was told of at any moment was not there before its time; the last slice need not wait for another.
    for at, one in told[1:]:
        before = max(past.readings for _, past in told if past.readings < one.readings) if one.readings else 0
        assert at - began >= before / RATE
    assert len(told) > 5
    shares = [one.done for _, one in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert [one.readings for _, one in told][-1] == len(states)
    estimates = [one.seconds_left for _, one in told]
    assert all(one is not None for one in estimates)
    assert estimates[-1] == pytest.approx(0.0, abs=0.1)
    # Not a timing: of a throttled import it is known how long the rest takes at least.
    half = next(one for _, one in told if one.done >= 0.5)
    assert half.seconds_left is not None
    assert half.seconds_left >= 0.4 * (len(states) - half.readings) / RATE
    late = next(one for _, one in told if one.done >= 0.9)
    assert late.seconds_left is not None
    assert late.seconds_left < half.seconds_left
    assert all(one.per_second <= 2 * RATE for at, one in told if at - began > 1.0)


def test_progress_where_no_terminal_is() -> None:
    """A line now and then, with the share, the day, the speed and what is left."""
    log = io.StringIO()
    shown = Shown("import", Console(file=log), every=0.0)
    with shown.bar:
        shown.staged(1, 4)
        for done, seconds in ((0.25, 30_000.0), (0.5, 1_200.0), (1.0, 0.0)):
            shown.told(Progress(done, 1_795_496_400 * SECOND, 10, 1234.5, seconds))
    assert log.getvalue().splitlines() == [
        "import: 25%, sorting the file",
        "import: 25%, 2026-11-24, 1,234 states/s, 8 h 20 min left",
        "import: 50%, 2026-11-24, 1,234 states/s, 20 min left",
        "import: 100%, 2026-11-24, 1,234 states/s, 0 s left",
    ]
    assert left(None) == ""


def test_progress_on_a_terminal() -> None:
    screen = io.StringIO()
    shown = Shown("import", Console(file=screen, force_terminal=True, width=100))
    with shown.bar:
        shown.told(Progress(0.5, 1_795_496_400 * SECOND, 10, 1234.5, 70.0))
    assert "50%" in screen.getvalue()
    assert "2026-11-24, 1,234 states/s, 70 s left" in screen.getvalue()
