"""The tasks as InfluxDB itself runs them: its own scheduler, a short cadence, the server stopped over several runs."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

from event_schema import Event
from operations.influxd import LocalInfluxd
from tests.conftest import MakeInfluxd
from tests.flux_tasks.lab import Lab
from tests.reference import Home, Key, Row, differences, ns


def over(rows: dict[Key, Row], width: timedelta, now: datetime) -> dict[Key, Row]:
    return {key: row for key, row in rows.items() if key[3] + width // timedelta(microseconds=1) * 1000 <= ns(now)}


def every_second(flux: str) -> str:
    """The same task with a cadence of seconds instead of hours, and no offset."""
    head, _, rest = flux.partition("option task = {")
    options, _, script = rest.partition("}\n")
    options = re.sub(r'every: \w+|cron: "[^"]*"', "every: 1s", re.sub(r"offset: \w+", "offset: 0s", options))
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
            schedule(influxd, task.flux)
    wait_for(lab, events[50:], now)
    influxd.kill()
    time.sleep(2.5)
    influxd.start()
    lab.write(events[:50])
    wait_for(lab, events, now)


def schedule(influxd: LocalInfluxd, flux: str) -> str:
    body = {"orgID": influxd.org_id, "flux": every_second(flux), "status": "active"}
    return str(influxd.api("POST", "/api/v2/tasks", body)["id"])


def test_the_daily_tasks_make_the_day_before_again_and_again(make_influxd: MakeInfluxd) -> None:
    """Nothing else runs. The day is the home's; every run after the first changes nothing."""
    influxd = make_influxd().start()
    lab = Lab(influxd, "home", "Europe/Amsterdam")
    today = datetime.now(lab.zone).date()
    # At midnight the day before would become another one, which has no events.
    events = [
        Event(
            time_ns=ns(datetime.combine(today, datetime.min.time(), lab.zone).astimezone(UTC) - timedelta(hours=hours)),
            entity_id="light.hall",
            state_value="on" if hours % 2 else "off",
            normalized_value=float(hours % 2),
        )
        for hours in (1, 4, 5, 11, 22, 27)
    ]
    lab.write(events)
    for key in sorted(Home(events, "Europe/Amsterdam").hourly(), key=lambda key: key[3]):
        lab.run_tasks(lab.hourly, datetime.fromtimestamp(key[3] // 10**9, UTC) + timedelta(hours=1))
    tasks = [schedule(influxd, task.flux) for task in lab.daily.tasks() if "reconcile" not in task.name]
    midnight = datetime.combine(today - timedelta(days=1), datetime.min.time(), lab.zone).astimezone(UTC)
    expected = {key: row for key, row in Home(events, "Europe/Amsterdam").daily().items() if key[3] == ns(midnight)}
    deadline = time.monotonic() + 60
    while differences(expected, lab.stored("daily")) and time.monotonic() < deadline:
        time.sleep(0.3)
    made = lab.stored("daily")
    assert differences(expected, made) == []

    def runs() -> int:
        listed = [influxd.api("GET", f"/api/v2/tasks/{task}/runs?limit=100")["runs"] for task in tasks]
        assert not [run for several in listed for run in several if run["status"] == "failed"]
        return min(sum(str(run["status"]) == "success" for run in several) for several in listed)

    enough = runs() + 2
    while runs() < enough and time.monotonic() < deadline:
        time.sleep(0.3)
    assert runs() >= enough
    assert lab.stored("daily") == made


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
