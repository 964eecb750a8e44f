"""Energy by area and class, top changers, entities: over the seams, against plain Python."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from reader import InvalidQuery
from tests.reader.conftest import Home, MakeHome
from tests.reader.reference import Said, day_begins

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 4, 2, 10, 37, tzinfo=UTC)
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
# entity -> (device class, area, kWh every two hours)
ENTITIES = {
    "sensor.oven": ("energy", "kitchen", 0.5),
    "sensor.fridge": ("energy", "kitchen", 0.125),
    "sensor.heater": ("power", "bath room", 1.0),
    "sensor.loose": ("", "", 0.25),
}


def spoken(entity_id: str) -> list[Said]:
    device_class, area, energy = ENTITIES[entity_id]
    moved = datetime(2026, 4, 1, 12, tzinfo=UTC)
    return [
        Said(
            at,
            f"{number}",
            device_class,
            energy=energy * (1 + number % 3),
            area="hall" if moving and at > moved else area,
        )
        for number, at in enumerate(BEGIN + timedelta(minutes=40) + n * 2 * HOUR for n in range(24 * 16))
        if at < NOW
        for moving in (entity_id == "sensor.fridge",)
    ]


def used(entity_id: str, start: datetime, stop: datetime) -> float:
    return math.fsum(one.energy or 0 for one in spoken(entity_id) if start <= one.at < stop)


@pytest.fixture(scope="module", params=["Europe/Amsterdam", "America/St_Johns"])
def home(request: pytest.FixtureRequest, make_home: MakeHome) -> Home:
    """Days are stored until the first of April, hours until this morning."""
    made = make_home(request.param)
    for entity_id in ENTITIES:
        made.live(
            entity_id,
            spoken(entity_id),
            days_until=day_begins(date(2026, 4, 1).toordinal(), made.zone),
            hours_until=NOW.replace(hour=6, minute=0),
        )
    # Raw events of the oven's last weeks only; the heater has been silent, and rose from 1 to 9 before that.
    warm = [Said(NOW - 20 * DAY + n * HOUR, str(1 if n < 240 else 9), "temperature") for n in range(24 * 17)]
    made.live("sensor.warm", warm, days_until=NOW - 2 * DAY, hours_until=NOW - 2 * DAY)
    made.write()
    return made


def window(zone: ZoneInfo, days: int) -> tuple[datetime, datetime]:
    today = NOW.astimezone(zone).date().toordinal()
    return day_begins(today - days, zone), day_begins(today, zone)


@pytest.mark.parametrize("days", [1, 2, 30])
@pytest.mark.parametrize("running", [False, True])
async def test_energy_by_area_and_class_over_the_seams(home: Home, days: int, running: bool) -> None:
    start, stop = window(home.zone, days)
    stop = NOW if running else stop
    each = {entity_id: used(entity_id, start, stop) for entity_id in ENTITIES}
    whole = math.fsum(each.values())
    async with home.reader() as reader:
        areas = await reader.energy_by_area(f"{days}d", running=running, now=NOW)
        classes = await reader.energy_by_device_class(f"{days}d", running=running, now=NOW)
        entities = await reader.energy_by("entity_id", f"{days}d", running=running, now=NOW)
    # The fridge has moved to the hall: its energy is where it stands now.
    wanted = {
        "bath room": each["sensor.heater"],
        "kitchen": each["sensor.oven"],
        "hall": each["sensor.fridge"],
        "": each["sensor.loose"],
    }
    assert {row.name: pytest.approx(row.energy, rel=1e-9) for row in areas} == wanted
    assert [row.energy for row in areas] == sorted((row.energy for row in areas), reverse=True)
    assert {row.name: row.share for row in areas} == {
        name: pytest.approx(energy / whole, rel=1e-9) for name, energy in wanted.items()
    }
    by_class = {
        "energy": each["sensor.oven"] + each["sensor.fridge"],
        "power": each["sensor.heater"],
        "": each["sensor.loose"],
    }
    assert {row.name: pytest.approx(row.energy, rel=1e-9) for row in classes} == by_class
    assert {row.name: row.entities for row in classes} == {"energy": 2, "power": 1, "": 1}
    assert {row.name: pytest.approx(row.energy, rel=1e-9) for row in entities} == each


async def test_areas_may_be_named_by_the_user(home: Home) -> None:
    async with home.reader() as reader:
        rows = await reader.energy_by("area", "3d", areas={"sensor.loose": "attic", "sensor.oven": ""}, now=NOW)
    assert {row.name for row in rows} == {"attic", "bath room", "hall", ""}


async def test_what_changed_most_comes_first(home: Home) -> None:
    async with home.reader() as reader:
        rows = await reader.top_changers("8d", now=NOW)
        first = await reader.top_changers("8d", limit=1, now=NOW)
        energy = await reader.top_changers("8d", measure="total_energy", now=NOW)
    # Of a meter it is what it rose by, not where it stands.
    assert {row.measure for row in rows if row.device_class == "energy"} == {"increase"}
    rows = [row for row in rows if row.measure == "time_weighted_avg"]
    assert rows[0].entity_id == "sensor.warm"
    start, stop = window(home.zone, 8)
    before = [1 if n < 240 else 9 for n in range(24 * 17) if start - (stop - start) - HOUR <= NOW - 20 * DAY + n * HOUR]
    assert (rows[0].value, before[0]) == (9, 1)
    assert rows[0].score == pytest.approx(rows[0].change / 8)
    assert rows[0].change == pytest.approx(9 - rows[0].before)
    assert len(first) == 1
    assert {row.entity_id for row in energy} == set(ENTITIES)
    heater = next(row for row in energy if row.entity_id == "sensor.heater")
    assert heater.value == pytest.approx(used("sensor.heater", start, stop), rel=1e-9)


async def test_a_lamp_that_burns_longer_has_changed(make_home: MakeHome) -> None:
    """By value over time, days in which nothing was said included; the mean of what was reported does not see it."""
    made = make_home("Europe/Amsterdam")
    today = day_begins(NOW.astimezone(made.zone).date().toordinal(), made.zone)
    lit = []
    for days, hours in ((13, 1), (10, 1), (6, 30), (3, 20)):
        begin = today - days * DAY + 9 * HOUR
        lit += [Said(begin, "on", "light"), Said(begin + hours * HOUR, "off", "light")]
    made.live("light.porch", lit, days_until=today - DAY, hours_until=NOW - DAY)
    made.write()
    async with made.reader() as reader:
        (row,) = await reader.top_changers("7d", now=NOW)
        (reports,) = await reader.top_changers("7d", measure="avg_value", now=NOW)
    before = (today - 7 * DAY) - lit[0].at
    assert reader.stats.last is not None
    assert reader.stats.last.note == ""
    assert (row.entity_id, row.measure) == ("light.porch", "time_weighted_avg")
    assert row.value == pytest.approx(50 * HOUR / (7 * DAY), rel=0.2)
    assert row.before == pytest.approx(2 * HOUR / before, rel=0.02)
    assert row.score == pytest.approx(row.change)
    assert reports.change == 0


async def test_what_no_task_has_summed_up_is_left_out_with_a_note(make_home: MakeHome) -> None:
    made = make_home()
    warm = [Said(NOW - 20 * DAY + n * HOUR, str(1 if n < 240 else 9), "temperature") for n in range(24 * 20)]
    made.live("sensor.warm", warm, days_until=NOW - 3 * DAY, hours_until=NOW.replace(hour=0, minute=0) - 6 * HOUR)
    made.write()
    async with made.reader() as reader:
        (row,) = await reader.top_changers("8d", now=NOW)
        assert reader.stats.last is not None
        assert reader.stats.last.note == "what came after 2026-04-01 18:00 is not summed up yet, and left out"
    assert row.value == pytest.approx(9)


async def test_every_entity_of_any_tier(home: Home) -> None:
    async with home.reader() as reader:
        assert await reader.entities(now=NOW) == sorted([*ENTITIES, "sensor.warm"])
        first, last = await reader.spoken("sensor.oven", now=NOW) or (NOW, NOW)
        assert first <= BEGIN + HOUR
        assert last == spoken("sensor.oven")[-1].at
        assert await reader.spoken("sensor.nobody", now=NOW) is None


async def test_mistakes_are_sentences(home: Home) -> None:
    async with home.reader() as reader:
        with pytest.raises(InvalidQuery, match="area, device_class, domain or entity_id"):
            await reader.energy_by("room", "1d")  # type: ignore[arg-type]
        with pytest.raises(InvalidQuery, match="auto, time_weighted_avg, avg_value"):
            await reader.top_changers(measure="state")  # type: ignore[arg-type]
        with pytest.raises(InvalidQuery, match="above 0"):
            await reader.top_changers(limit=0)
