"""The tasks as InfluxDB itself runs them: its own scheduler, a short cadence, the server stopped over several runs."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

from event_schema import Event
from tests.conftest import MakeInfluxd
from tests.flux_tasks.lab import Lab
from tests.reference import Home, Key, Row, differences, ns


def over(rows: dict[Key, Row], width: timedelta, now: datetime) -> dict[Key, Row]:
    return {key: row for key, row in rows.items() if key[3] + width // timedelta(microseconds=1) * 1000 <= ns(now)}


def every_second(flux: str) -> str:
    """The same task with a cadence of seconds instead of hours, and no offset."""
    head, _, rest = flux.partition("option task = {")
    options, _, script = rest.partition("}\n")
    options = re.sub(r"every: \w+", "every: 1s", re.sub(r"offset: \w+", "offset: 0s", options))
    return f"{head}option task = {{{options}}}\n{script}"


def test_a_server_that_was_down_catches_up_by_itself(make_influxd: MakeInfluxd) -> None:
    influxd = make_influxd().start()
    lab = Lab(influxd, "home")
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    # Nothing happens in the hour that is running, so that it does not matter when it ends.
    events = [
        Event(
            time_ns=ns(hour - timedelta(minutes=7 * number + 1)),
            entity_id="sensor.meter",
            device_class="energy",
            state_value=str(1000 - number),
            normalized_value=float(1000 - number),
            energy_consumption=0.25,
        )
        for number in range(200)
    ]
    lab.write(events[50:])
    for spec in (lab.hourly, lab.daily):
        for task in spec.tasks():
            # A cron of the home's midnight can't be waited for: the reconciling tasks do its work.
            if "reconcile" in task.name or spec.hourly:
                body = {"orgID": influxd.org_id, "flux": every_second(task.flux), "status": "active"}
                influxd.api("POST", "/api/v2/tasks", body)
    wait_for(lab, events[50:], now)
    influxd.kill()
    time.sleep(2.5)
    influxd.start()
    lab.write(events[:50])
    wait_for(lab, events, now)


def wait_for(lab: Lab, events: list[Event], now: datetime) -> None:
    """Until every row that is over is there and right. The horizon is two whole days, the events fit into one."""
    home = Home(events)
    hourly, daily = home.hourly(), over(home.daily(), timedelta(days=1), now)
    deadline = time.monotonic() + 300
    wrong = ["not looked yet"]
    while wrong and time.monotonic() < deadline:
        time.sleep(0.5)
        wrong = differences(hourly, lab.stored("hourly"))
        wrong += differences(daily, over(lab.stored("daily"), timedelta(days=1), now))
    assert wrong == []
