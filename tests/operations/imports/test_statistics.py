"""Long-term statistics beside rows from events: left out where there are such rows, whatever else is known."""

from __future__ import annotations

import time
from datetime import timedelta

from operations.imports.outlet import OF_EVENTS
from operations.imports.recorder import Recorder
from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, HOUR, SECOND, a_home
from tests.operations.imports.recorder_files import Statistic
from tests.operations.imports.test_recorder import sqlite_file

NOW = time.time_ns() // SECOND * SECOND
KITCHEN = "sensor.kitchen_temperature"


def test_with_the_states_purged_the_hours_that_events_made_are_left_out(new_home: NewHome) -> None:
    """The first import sums up states that are gone when the second one reads the statistics of the same time: all
    that is known then is the entity and the hour, not its device class."""
    new_home.make_buckets(timedelta(days=2), None, None)
    begin, until = (NOW - 8 * DAY) // HOUR * HOUR, (NOW - 4 * DAY) // HOUR * HOUR
    states = [one for one in a_home(begin, until, step=600 * SECOND) if one.entity_id == KITCHEN]
    earlier = NewHome(new_home.server, new_home.prefix, new_home.folder / "earlier")
    with_states = sqlite_file(new_home.folder / "earlier.db", 43, states)
    earlier.bring(lambda: Recorder(str(with_states)))
    before = {tier: new_home.stored(tier) for tier in ("hourly", "daily")}
    hours = {at * 1000 for _, at in before["hourly"]}
    assert min(hours) == begin
    assert max(hours) == until - HOUR
    statistics = [
        Statistic(begin - 2 * DAY + n * HOUR, entity, "°C", 10.0, 5.0, 15.0)
        for n in range(8 * 24)
        for entity in (KITCHEN, "sensor.other")
    ]
    path = sqlite_file(new_home.folder / "purged.db", 53, [], statistics)
    report = new_home.bring(lambda: Recorder(str(path)))
    marked = new_home.stored("hourly", "hourly_statistics")
    assert {at for entity, at in marked if entity == "sensor.other"} == {one.time_ns // 1000 for one in statistics}
    assert {at * 1000 for entity, at in marked if entity == KITCHEN} == {
        one.time_ns for one in statistics if one.time_ns not in hours
    }
    days = {at for entity, at in new_home.stored("daily", "daily_statistics") if entity == KITCHEN}
    assert days
    assert not days & {at for _, at in before["daily"]}
    assert report.statistics_skipped[KITCHEN, OF_EVENTS["hourly"]].count == len(hours)
    assert report.statistics_skipped[KITCHEN, OF_EVENTS["daily"]].count == len(before["daily"])
    assert {tier: new_home.stored(tier) for tier in ("hourly", "daily")} == before
