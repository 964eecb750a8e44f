"""What the tasks make of odd days: of 23, 24½ and 25 hours, at half hours, of entities that change their class within
an hour; and of a run that was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from event_schema import Event
from flux_tasks import SummaryServer, backfill, repair
from operations.influxd import LocalInfluxd
from tests.flux_tasks.lab import Lab
from tests.reference import Home, Key, Row, differences, ns


def said(
    at: datetime, entity: str, value: float | str, device_class: str | None = None, area: str | None = None
) -> Event:
    number = None if isinstance(value, str) else value
    state = value if isinstance(value, str) else str(value)
    return Event(
        time_ns=ns(at.astimezone(UTC)),
        entity_id=entity,
        device_class=device_class,
        state_value=state,
        normalized_value=number,
        area=area,
    )


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at // 10**9, UTC)


def make_hours(lab: Lab, events: list[Event]) -> None:
    for start in sorted({key[3] for key in Home(events, str(lab.zone)).hourly()}):
        lab.run_tasks(lab.hourly, moment(start) + timedelta(hours=1, minutes=5))


def next_run(lab: Lab, day_end: datetime) -> datetime:
    """When the daily task runs after the day has ended: its cron is in UTC; without one at the day's end."""
    if lab.daily.cron is None:
        return day_end
    minute, hour, *_ = map(int, lab.daily.cron.split()[:2])
    at = datetime.combine(day_end.date(), time(hour, minute), UTC)
    return at if at >= day_end else at + timedelta(days=1)


def make_day(lab: Lab, day: date) -> None:
    end = datetime.combine(day + timedelta(days=1), time(), lab.zone).astimezone(UTC)
    lab.run_tasks(lab.daily, next_run(lab, end))


def rows_of_day(rows: dict[Key, Row], day: date, zone: ZoneInfo) -> dict[Key, Row]:
    return {key: row for key, row in rows.items() if moment(key[3]).astimezone(zone).date() == day}


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Amsterdam", date(2026, 3, 29), 23),
        ("Europe/Amsterdam", date(2025, 10, 26), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2025, 11, 2), 25),
        ("Australia/Lord_Howe", date(2025, 10, 5), 23.5),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Asia/Kolkata", date(2026, 3, 29), 24),
    ],
)
def test_the_tasks_make_an_odd_day(influxd: LocalInfluxd, unique: str, zone: str, day: date, hours: float) -> None:
    """A lamp that is on from the evening before until after it, a value that changes all through the night."""
    lab = Lab(influxd, f"odd_{unique}", zone)
    midnight = datetime.combine(day, time(), lab.zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), lab.zone).astimezone(UTC)
    assert end - midnight == timedelta(hours=hours)
    night = [midnight + timedelta(minutes=minutes) for minutes in (-40, 0, 45, 80, 150, 215)]
    events = [
        said(midnight - timedelta(hours=2), "light.hall", 1.0),
        said(end - timedelta(minutes=20), "light.hall", 1.0),
        said(end + timedelta(minutes=10), "light.hall", 0.0),
        *(said(at, "sensor.room", 10.0 * number, "temperature") for number, at in enumerate(night)),
        said(end - timedelta(seconds=1), "sensor.room", "unavailable", "temperature"),
    ]
    try:
        lab.write(events)
        make_hours(lab, events)
        make_day(lab, day)
        made = lab.stored("daily")
        assert differences(rows_of_day(Home(events, zone).daily(), day, lab.zone), made) == []
        (lamp,) = (row for key, row in made.items() if key[0] == "light.hall")
        assert (lamp["on_seconds"], lamp["covered_seconds"]) == (hours * 3600, hours * 3600)
        make_day(lab, day)
        assert lab.stored("daily") == made
    finally:
        lab.close()


@pytest.fixture
def utc(influxd: LocalInfluxd, unique: str) -> Iterator[Lab]:
    lab = Lab(influxd, f"class_{unique}")
    yield lab
    lab.close()


def test_a_class_that_changes_within_an_hour(utc: Lab) -> None:
    """What held before counts for its class until the entity spoke, in hours without a row of that class too; what
    comes late takes that away again."""
    day = datetime(2026, 6, 1, tzinfo=UTC)

    def at(hour: int, minute: int) -> datetime:
        return day + timedelta(hours=hour, minutes=minute)

    events = [
        said(at(8, 10), "sensor.room", 20.0, "temperature", "kitchen"),
        said(at(10, 30), "sensor.room", 50.0, "humidity", "bath"),
        said(at(10, 40), "sensor.room", 55.0, None),
        said(at(15, 20), "sensor.room", "unavailable", None),
        said(at(7, 0), "binary_sensor.door", 1.0, "door"),
        said(at(9, 15), "binary_sensor.door", 0.0, None),
        said(at(9, 45), "binary_sensor.door", 1.0, None),
        said(at(18, 30), "binary_sensor.door", "unavailable", "door"),
        said(at(-20, 0), "sensor.only_before", 5.0, "power"),
        said(at(12, 15), "sensor.only_before", 7.0, "energy"),
    ]
    utc.write(events)
    make_hours(utc, events)
    make_day(utc, day.date())
    assert differences(Home(events).hourly(), utc.stored("hourly")) == []
    expected = rows_of_day(Home(events).daily(), day.date(), utc.zone)
    assert differences(expected, utc.stored("daily")) == []
    assert expected["sensor.room", "sensor", "temperature", ns(day)]["covered_seconds"] == 140 * 60
    assert expected["binary_sensor.door", "binary_sensor", "door", ns(day)]["on_seconds"] == 135 * 60

    late = [
        said(at(10, 20), "sensor.room", 21.0, "temperature"),  # the hour has a row of that class now
        said(at(8, 30), "binary_sensor.door", "unknown", "door"),  # nothing held any more at 9
        said(at(17, 50), "binary_sensor.door", 0.0, "door"),  # and in this hour none of the other class
        said(at(3, 0), "sensor.only_before", "unknown", "power"),
    ]
    utc.write(late)
    utc.reconcile(utc.hourly, at(25, 25))
    utc.reconcile(utc.daily, at(25, 40))
    changed = Home([*events, *late])
    assert differences(changed.hourly(), utc.stored("hourly")) == []
    expected = rows_of_day(changed.daily(), day.date(), utc.zone)
    assert differences(expected, rows_of_day(utc.stored("daily"), day.date(), utc.zone)) == []


async def test_a_day_made_of_hours_that_the_command_made(utc: Lab) -> None:
    """`backfill` keeps beside the hours what the tasks keep there, and takes away what was kept there too much."""
    day = datetime(2026, 6, 1, tzinfo=UTC)
    events = [
        said(day + timedelta(hours=8, minutes=10), "sensor.room", 20.0, "temperature"),
        said(day + timedelta(hours=10, minutes=30), "sensor.room", 50.0, "humidity"),
    ]
    utc.write(events)
    stray = ns(day + timedelta(hours=9))
    async with SummaryServer(url=utc.influxd.url, token=utc.influxd.token, org=utc.influxd.org) as server:
        await server.write_lines(
            utc.tiers.hourly.bucket,
            [
                "hourly_carried,device_class=temperature,domain=sensor,entity_id=sensor.room "
                f"value_seconds=1,covered_seconds=1 {stray}"
            ],
        )
        assert (await backfill(server, day, day + timedelta(days=1), specs=(utc.hourly,))).ok
        make_day(utc, day.date())
        assert differences(Home(events).daily(), utc.stored("daily")) == []
        assert (await repair(server, day, day + timedelta(days=1), specs=(utc.hourly, utc.daily))).computed == 0


def test_an_entity_that_was_silent_for_months(utc: Lab) -> None:
    """What it said then holds for a week and no longer; its meter begins anew."""
    day = datetime(2026, 6, 1, tzinfo=UTC)
    events = [
        said(day - timedelta(days=120), "sensor.cellar", 12.0, "temperature"),
        said(day + timedelta(hours=13, minutes=30), "sensor.cellar", 14.0, "temperature"),
        said(day - timedelta(days=120), "sensor.meter", 100.0, "energy"),
        said(day + timedelta(hours=13, minutes=30), "sensor.meter", 180.0, "energy"),
        said(day - timedelta(days=7), "light.hall", 1.0),
        said(day + timedelta(hours=13, minutes=30), "light.hall", 0.0),
    ]
    utc.write(events)
    make_hours(utc, events)
    make_day(utc, day.date())
    assert differences(Home(events).hourly(), utc.stored("hourly")) == []
    rows = {key[0]: row for key, row in utc.stored("daily").items()}
    assert differences(rows_of_day(Home(events).daily(), day.date(), utc.zone), utc.stored("daily")) == []
    assert rows["sensor.cellar"]["covered_seconds"] == 10.5 * 3600
    assert rows["sensor.meter"]["increase"] == 0
    assert rows["light.hall"]["on_seconds"] == 13.5 * 3600


def test_a_reconciling_run_that_is_cut_off_is_noticed(utc: Lab) -> None:
    """The totals are right already where it ends, between its two writes; the next run finds nothing wrong in them."""
    day = datetime(2026, 6, 1, tzinfo=UTC)
    events = [said(day + timedelta(minutes=50 * n), "light.hall", float(n % 2)) for n in range(12)]
    utc.write(events)
    make_hours(utc, events)
    late = [said(day + timedelta(hours=3, minutes=7), "light.hall", 1.0)]
    utc.write(late)
    expected = Home([*events, *late]).hourly()
    now = day + timedelta(hours=20, minutes=25)
    (task,) = (one.flux for one in utc.hourly.tasks() if "reconcile" in one.name)
    utc.run(task.partition("held_up =")[0], now)
    wrong = differences(expected, utc.stored("hourly"))
    assert wrong
    assert not [one for one in wrong if "_count" in one or "sum_value" in one]
    utc.reconcile(utc.hourly, now)
    assert differences(expected, utc.stored("hourly")) == []
    # Not again and again: nothing is found in the run after it.
    before = marks(utc)
    assert before["finished"] == before["begun"]
    utc.reconcile(utc.hourly, now)
    assert marks(utc) == before


def marks(lab: Lab) -> dict[str, tuple[object, object]]:
    rows = lab.run(
        f'from(bucket: "{lab.tiers.hourly.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
        ' |> filter(fn: (r) => r._measurement == "hourly_marks") |> last()'
    )
    return {str(row["_field"]): (row["_time"], row["_value"]) for row in rows}
