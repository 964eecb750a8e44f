"""What is older than raw events are kept becomes rows: those of the tasks, each once, and none twice."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from operations.imports.borders import TOO_OLD
from tests.operations.imports.conftest import ZONE, NewHome
from tests.operations.imports.homes import DAY, HOUR, SECOND, State, a_home, events, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.test_influxdb1 import database, expected, live
from tests.operations.imports.test_summarise import same, summed_up

__all__ = ["database"]
NOW = time.time_ns() // SECOND * SECOND


def check_old_spans(home: NewHome, states: list[State], report: dict[str, Any]) -> None:
    """Raw events from the border on, rows of everything before it, each once and right."""
    border = int(datetime.fromisoformat(report["raw_from"]).timestamp()) * SECOND
    wanted = {key: event for key, event in expected(states).items() if key[1] * 1000 >= border}
    stored = home.stored()
    assert stored.keys() == wanted.keys()
    for key, points in stored.items():
        assert points == [wanted[key]], key
    rows = summed_up(events(states, zone=ZONE), border)
    for tier, kept in (("hourly", 20 * DAY), ("daily", 40 * DAY)):
        oldest = NOW - kept
        mine = {
            (key[1], key[3] // 1000): row.fields
            for key, row in rows.items()
            if key[0] == tier and oldest + HOUR <= key[3] < border
        }
        there = {key: points for key, points in home.stored(tier).items() if oldest + HOUR <= key[1] * 1000 < border}
        assert there.keys() == mine.keys()
        for key, points in there.items():
            (point,) = points
            fields = {name: value for name, value in point.items() if not isinstance(value, str) and name != "time"}
            assert same(fields, mine[key]), (tier, key)


@pytest.fixture
def old_home(new_home: NewHome, influxdb1: InfluxDB1, database: str) -> list[State]:
    new_home.make_buckets(timedelta(days=5), timedelta(days=20), timedelta(days=40))
    states = a_home(NOW - 60 * DAY, NOW, step=3600 * SECOND)
    influxdb1.write(database, lines(states))
    return states


def test_old_spans_become_rows(new_home: NewHome, influxdb1: InfluxDB1, database: str, old_home: list[State]) -> None:
    dry = new_home.bring(live(influxdb1, database), dry_run=True)
    assert not new_home.stored()
    report = new_home.bring(live(influxdb1, database), summaries=False)
    check_old_spans(new_home, old_home, report.as_json())
    assert report.written + report.summed_up == report.readings.count
    too_old = sum(one.count for (_, reason), one in report.skipped.items() if reason == TOO_OLD)
    assert report.readings.count + too_old == len(old_home)
    said = {name: value for name, value in report.as_json().items() if name not in ("dry_run", "seconds")}
    assert said == {name: value for name, value in dry.as_json().items() if name not in ("dry_run", "seconds")}
    # Once more from the beginning: everything is there already.
    again = NewHome(new_home.server, new_home.prefix, new_home.folder / "again")
    other = again.bring(live(influxdb1, database), summaries=False)
    assert (other.written, other.already_there) == (0, report.written)
    assert other.rows == {"hourly": 0, "daily": 0}
    check_old_spans(new_home, old_home, report.as_json())
