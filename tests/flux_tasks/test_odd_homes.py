"""Odd homes on the real server: every row of every tier is what plain Python computes, from every way to compute it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from event_schema import Event
from flux_tasks import SummaryServer, repair
from operations.influxd import LocalInfluxd
from tests.flux_tasks.lab import Lab
from tests.reference import NS, Home, Key, Row, differences, ns

# The clocks of Europe change within these days: one of them has 25 hours. Each odd day is in test_days.py.
FIRST = datetime(2025, 10, 24, 20, tzinfo=UTC)
ZONES = ("UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "Australia/Lord_Howe")

ENTITIES: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    ("sensor.room", ("temperature", "humidity", None)),  # its class changes
    ("sensor.meter", ("energy",)),
    ("light.lamp", (None,)),
    ("binary_sensor.door", ("door", None)),
    ("sensor.text", (None,)),
)
NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 100.0, 95.0, 90.0, 89.0, 0.001]),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3)),
)


# Hours in which something happens, and some before: within the look-back of seven days, at its end and beyond it.
HOURS = (0, 1, 2, 13, 27, 28, 39)
EARLIER = (-2, -30, -6 * 24, -7 * 24 - 21, -8 * 24 - 5)


@st.composite
def instants(draw: st.DrawFn, earlier: tuple[int, ...]) -> int:
    """Nanoseconds: bursts at few instants, at the very start of hours, anywhere in them."""
    hour = draw(st.one_of(st.sampled_from(HOURS), st.sampled_from(HOURS), st.sampled_from(earlier)))
    second = draw(st.one_of(st.sampled_from([0, 0, 1000, 1000, 1001, 3599]), st.integers(0, 3599)))
    return ns(FIRST) + (hour * 3600 + second) * NS + draw(st.sampled_from([0, 0, 1, 999_999_999]))


@st.composite
def events(draw: st.DrawFn, earlier: tuple[int, ...] = EARLIER) -> Event:
    entity, classes = draw(st.sampled_from(ENTITIES))
    value: float | None
    if entity == "sensor.text":
        state, value = draw(st.sampled_from(["open", "shut"])), None
    elif not entity.startswith("sensor"):
        state, value = draw(st.sampled_from([("on", 1.0), ("off", 0.0), ("unavailable", None)]))
    elif draw(st.integers(0, 4)) == 0:
        state, value = "unavailable", None
    else:
        value = draw(NUMBERS)
        state = str(value)
    return Event(
        time_ns=draw(instants(earlier)),
        entity_id=entity,
        device_class=draw(st.sampled_from(classes)),
        state_value=state,
        normalized_value=value,
        area=draw(st.sampled_from(["kitchen", None])),  # moved from room to room: the summary does not mind
        weather_condition=draw(st.sampled_from(["sunny", None])),
        energy_consumption=draw(st.sampled_from([None, 0.25, 0.1])),
    )


HOMES = st.lists(events(), min_size=1, max_size=45)
FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # each example is seconds of a server: no hunt for a smaller one
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Names:
    def __init__(self) -> None:
        self.count = 0

    def next(self) -> str:
        self.count += 1
        return f"{id(self):x}_{self.count}"


@pytest.fixture(scope="module")
def names() -> Names:
    return Names()


def moment(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at // 1000)


def over(rows: dict[Key, Row], width: timedelta, now: datetime) -> dict[Key, Row]:
    return {key: row for key, row in rows.items() if moment(key[3]) + width <= now}


@FEW
@given(home=HOMES, zone=st.sampled_from(ZONES))
def test_scheduled_tasks(influxd: LocalInfluxd, names: Names, home: list[Event], zone: str) -> None:
    """Each task once per window, as the scheduler runs it, twice for some: none missing, none extra."""
    lab = Lab(influxd, f"tasks_{names.next()}", zone)
    try:
        lab.write(home)
        reference = Home(home, zone)
        hourly, daily = reference.hourly(), reference.daily()
        for start in sorted({key[3] for key in hourly}):
            lab.run_tasks(lab.hourly, moment(start) + timedelta(hours=1, minutes=5))
        lab.run_tasks(lab.hourly, moment(start) + timedelta(hours=1, minutes=5))
        for start in sorted({key[3] for key in daily}):
            lab.run_tasks(lab.daily, moment(start) + timedelta(hours=26))
        assert differences(hourly, lab.stored("hourly")) == []
        assert differences(daily, lab.stored("daily")) == []
    finally:
        lab.close()


@FEW
@given(home=HOMES, late=st.lists(events(HOURS), max_size=30), zone=st.sampled_from(ZONES), data=st.data())
def test_late_doubled_and_missed_is_reconciled(
    influxd: LocalInfluxd, names: Names, home: list[Event], late: list[Event], zone: str, data: st.DataObject
) -> None:
    """Runs that were missed, events that came late or twice: the reconciling tasks make every row right, and `repair`
    what Flux can't (a mean over time whose time is not known any more can't be deleted)."""
    lab = Lab(influxd, f"late_{names.next()}", zone, timedelta(days=3))
    now = FIRST + timedelta(hours=49, minutes=25)
    try:
        lab.write(home)
        for start in sorted({key[3] for key in Home(home, zone).hourly()}):
            # What is missing from before the horizon is `repair`'s. Each of an hour's two tasks may be missed alone.
            within = start >= ns(FIRST - timedelta(hours=40))
            lab.run_tasks(
                lab.hourly,
                moment(start) + timedelta(hours=1, minutes=5),
                missed=lambda within=within: within and data.draw(st.booleans()),  # type: ignore[misc]
            )
        lab.write(late)
        lab.write(late + home[:3])
        reference = Home([*home, *late, *late, *home[:3]], zone)
        hourly = over(reference.hourly(), timedelta(hours=1), now)
        daily = over(reference.daily(), timedelta(hours=25), now)
        lab.reconcile(lab.hourly, now)
        lab.reconcile(lab.daily, now)
        for tier, expected in (("hourly", hourly), ("daily", daily)):
            stored = forget(lab.stored(tier), expected)
            assert differences(recent(expected), recent(stored)) == []
        asyncio.run(mend(lab))
        assert differences(reference.hourly(), lab.stored("hourly")) == []
        assert differences(reference.daily(), lab.stored("daily")) == []
    finally:
        lab.close()


def test_a_run_of_the_value_over_time_that_was_missed_alone_is_made_up_for(influxd: LocalInfluxd, names: Names) -> None:
    lab = Lab(influxd, f"alone_{names.next()}", "UTC", timedelta(days=3))
    try:
        home = [
            Event(
                time_ns=ns(FIRST + timedelta(minutes=50 * n)),
                entity_id="light.hall",
                state_value=state,
                normalized_value=on,
            )
            for n, (state, on) in enumerate([("on", 1.0), ("off", 0.0)] * 6)
        ]
        lab.write(home)
        hourly = Home(home, "UTC").hourly()
        missed = {sorted({key[3] for key in hourly})[4]}
        for start in sorted({key[3] for key in hourly}):
            alone, over_time = (task for task in lab.hourly.tasks() if "reconcile" not in task.name)
            now = moment(start) + timedelta(hours=1, minutes=5)
            lab.run(alone.flux, now)
            if start not in missed:
                lab.run(over_time.flux, now)
        assert differences(hourly, lab.stored("hourly"))
        lab.reconcile(lab.hourly, FIRST + timedelta(hours=30, minutes=25))
        assert differences(hourly, lab.stored("hourly")) == []
    finally:
        lab.close()


def recent(rows: dict[Key, Row]) -> dict[Key, Row]:
    """Rows within every zone's horizon, of windows that are over in every zone."""
    since, until = ns(FIRST - timedelta(hours=12)), ns(FIRST + timedelta(hours=26))
    return {key: row for key, row in rows.items() if since <= key[3] < until}


def forget(stored: dict[Key, Row], expected: dict[Key, Row]) -> dict[Key, Row]:
    """Without means over a time that is not known any more."""
    for key, row in stored.items():
        if expected.get(key, {}).get("covered_seconds") == 0:
            row.pop("time_weighted_avg", None)
    return stored


async def mend(lab: Lab) -> None:
    async with SummaryServer(url=lab.influxd.url, token=lab.influxd.token, org=lab.influxd.org) as server:
        start, stop = FIRST - timedelta(days=10), FIRST + timedelta(days=4)
        report = await repair(server, start, stop, specs=(lab.hourly, lab.daily))
        assert report.ok
        assert (await repair(server, start, stop, specs=(lab.hourly, lab.daily))).computed == 0
