"""An export is sorted once, whoever asks for it; what was sorted of another file is not taken for this one's."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.errors import UserError
from operations.imports import influxdb1_staging
from operations.imports.influxdb1_export import InfluxDB1Export
from operations.imports.layout import Layout
from operations.imports.mapping import Mapping1x
from operations.imports.reading import SourceError
from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, State, a_home, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.test_influxdb1 import database, expected

__all__ = ["database"]
NOW = time.time_ns() // 10**9 * 10**9
Make = Callable[[], InfluxDB1Export]


class Stopped(Exception):
    """Stands for whatever ends the program while it sorts."""


@pytest.fixture
def states(new_home: NewHome, influxdb1: InfluxDB1, database: str) -> list[State]:
    new_home.make_buckets(None, None, None)
    found = a_home(NOW - 10 * DAY, NOW, step=3600 * 10**9)
    influxdb1.write(database, lines(found))
    return found


class Seen:
    """What the sorting of an export says. `stop_after`: so many steps."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder
        self.steps: list[int] = []
        self.said: list[str] = []
        self.stop_after: int | None = None

    def __call__(self) -> InfluxDB1Export:
        def progress(done: int, total: int) -> None:
            self.steps.append(done)
            if len(self.steps) == self.stop_after:
                raise Stopped

        self.steps.clear()
        self.said.clear()
        return InfluxDB1Export(self.path, Layout(Mapping1x()), self.folder, progress=progress, say=self.said.append)


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def seen(
    request: pytest.FixtureRequest, new_home: NewHome, influxdb1: InfluxDB1, database: str, states: object
) -> Seen:
    path = influxdb1.export(database, new_home.folder / "export", compress=request.param)
    return Seen(path, new_home.folder / "parts")


def test_a_dry_run_sorts_for_the_import(new_home: NewHome, seen: Seen, states: list[State]) -> None:
    assert new_home.bring(seen, dry_run=True).written == len(states)
    assert seen.steps
    assert new_home.bring(seen, summaries=False).written == len(states)
    assert (seen.steps, seen.said) == ([], [])
    assert new_home.stored().keys() == expected(states).keys()


def test_a_file_that_changed_is_sorted_again(
    new_home: NewHome, seen: Seen, influxdb1: InfluxDB1, database: str, states: list[State]
) -> None:
    """Of the same size, too."""
    new_home.bring(seen, dry_run=True)
    other = seen.path.read_bytes()
    seen.path.write_bytes(other)
    new_home.bring(seen, dry_run=True)
    assert seen.said == [
        f"The export {seen.path} is sorted again from its beginning: it has changed since, and may hold more now."
    ]
    next(iter(seen.folder.glob("*.part"))).write_bytes(b"")
    assert new_home.bring(seen, summaries=False).written == len(states)
    assert "of the sorted parts" in seen.said[0]
    assert new_home.stored().keys() == expected(states).keys()


@pytest.mark.parametrize("other", [False, True], ids=["copied again", "another"])
def test_sorting_goes_on_in_the_same_file_only(
    new_home: NewHome,
    seen: Seen,
    influxdb1: InfluxDB1,
    database: str,
    states: list[State],
    monkeypatch: pytest.MonkeyPatch,
    other: bool,
) -> None:
    monkeypatch.setattr(influxdb1_staging, "BLOCK", 4_000)
    monkeypatch.setattr(influxdb1_staging, "BUFFERED_BYTES", 1)
    new_home.bring(seen, dry_run=True)
    whole = len(seen.steps)
    assert whole > 30
    shutil.rmtree(seen.folder)
    seen.stop_after = 20
    with pytest.raises(Stopped):
        new_home.bring(seen, dry_run=True)
    seen.stop_after = None
    if other:
        more = [State(one.time_ns - 20 * DAY, *(one.entity_id, one.state, one.attributes)) for one in states]
        influxdb1.write(database, lines(more))
        states = states + more
        influxdb1.export(database, seen.path, compress=seen.path.read_bytes()[:2] == b"\x1f\x8b")
    else:
        shutil.copy(seen.path, seen.path.with_suffix(".copy"))
        seen.path.with_suffix(".copy").rename(seen.path)
    assert new_home.bring(seen, summaries=False).written == len(states)
    assert bool(seen.said) is other
    if other:
        assert seen.said[0].endswith("it is not the file that was begun with.")
    else:
        assert len(seen.steps) == whole - 20
    assert new_home.stored().keys() == expected(sorted(states, key=lambda one: one.time_ns)).keys()


def test_an_export_that_lacks_what_it_lists_is_cut_off(
    new_home: NewHome, influxdb1: InfluxDB1, database: str, states: list[State]
) -> None:
    """Cut at the end of a line: nothing else gives it away."""
    for policy in ("long", "with space"):
        influxdb1.query(f'CREATE RETENTION POLICY "{policy}" ON "{database}" DURATION INF REPLICATION 1')
        influxdb1.query(f'SELECT * INTO "{database}"."{policy}"."copy" FROM "{database}".."°C" GROUP BY *')
    seen = Seen(influxdb1.export(database, new_home.folder / "export"), new_home.folder / "parts")
    whole = seen.path.read_bytes()
    assert new_home.bring(seen, dry_run=True).readings.count
    last = whole.rindex(b"# CONTEXT-DATABASE")
    seen.path.write_bytes(whole[:last])
    with pytest.raises(SourceError, match=r"is cut off: it begins with a list of what it holds, and .* is not in it"):
        new_home.bring(seen, dry_run=True)


def test_two_at_once(seen: Seen, new_home: NewHome) -> None:
    first = seen()

    async def both() -> None:
        async with first, seen():
            raise AssertionError

    with pytest.raises(UserError, match="This export is read by another process already"):
        asyncio.run(both())
    assert new_home.bring(seen, dry_run=True).written
