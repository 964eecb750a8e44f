"""What the report's figures are made of, worked out by hand."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from operations.errors import UserError
from operations.report.energy import energy_figures
from operations.report.quality import Gap, gaps
from operations.report.reading import EntityInfo, Value, season_name
from operations.report.temperatures import by_place, choose_indoor, choose_outdoor, hours_of_day, seasons, spreads
from operations.spool_view import Refusals, look, refusals
from writer.chunk import Chunk
from writer.findings import Finding
from writer.spool import Spool

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def entity(entity_id: str, area: str = "", unit: str = "°C", device_class: str = "temperature") -> EntityInfo:
    return EntityInfo(entity_id, entity_id.partition(".")[0], device_class, area, "", unit, NOON)


def test_the_weather_outdoors_is_found_by_name_or_area() -> None:
    inside = entity("sensor.kitchen", "kitchen")
    dew = entity("sensor.outdoor_dew_point", "outdoor")
    garden = entity("sensor.shed_temperature", "garden")
    outdoor = entity("sensor.outdoor_temperature", "outdoor")
    assert choose_outdoor([inside, dew, garden, outdoor]) == "sensor.outdoor_temperature"
    assert choose_outdoor([inside, dew, garden]) == "sensor.shed_temperature"
    assert choose_outdoor([inside]) == ""


def test_indoors_has_one_unit_and_areas_where_there_are_any() -> None:
    kitchen, cpu = entity("sensor.kitchen", "kitchen"), entity("sensor.cpu")
    bedroom, oven = entity("sensor.bedroom", "bedroom"), entity("sensor.oven", "kitchen", "°F")
    assert choose_indoor([kitchen, cpu, bedroom, oven]) == ([bedroom, kitchen], "°C")
    assert choose_indoor([cpu]) == ([cpu], "°C")
    assert choose_indoor([]) == ([], "°C")


def test_sensors_of_one_place_are_weighted_by_the_time_they_know() -> None:
    series = {
        "a": {NOON: Value(20.0, 19.0, 21.0, 3600.0)},
        "b": {NOON: Value(23.0, 22.0, 25.0, 1200.0)},
    }
    together = by_place(series, {"a": "Kitchen", "b": "Kitchen"})["Kitchen"][NOON]
    assert together == Value((20 * 3600 + 23 * 1200) / 4800, 19.0, 25.0, 4800.0)
    [spread] = spreads(by_place(series, {"a": "Kitchen", "b": "Hall"}), AMSTERDAM, NOON)
    assert (spread.low, spread.mean, spread.high) == (20.0, 21.5, 23.0)
    assert spread.time.isoformat() == "2026-03-01T13:00:00+01:00"


def test_a_winter_carries_two_years() -> None:
    assert season_name(date(2025, 12, 1)) == season_name(date(2026, 2, 28)) == "Winter 2025/26"
    assert season_name(date(2026, 3, 1)) == "Spring 2026"
    winter = datetime(2026, 2, 28, 12, tzinfo=UTC)
    found = seasons({"x": {NOON: Value(10, 8, 12, 1), winter: Value(4, 1, 6, 1)}}, "Indoors", AMSTERDAM)
    assert [(one.name, one.low, one.mean, one.high) for one in found] == [
        ("Winter 2025/26", 1, 4, 6),
        ("Spring 2026", 8, 10, 12),
    ]


def test_hours_of_the_day_are_the_homes_and_a_missing_one_is_no_number() -> None:
    hours = hours_of_day(
        {"Hall": {NOON: Value(20, 20, 20, 1), NOON + timedelta(days=1): Value(22, 22, 22, 1)}}, AMSTERDAM
    )
    assert hours["Hall"][13] == 21
    assert math.isnan(hours["Hall"][12])


def test_energy_adds_up_however_many_meters_there_are() -> None:
    days = [datetime(2026, 2, 26, tzinfo=UTC) + timedelta(days=number) for number in range(5)]
    daily = {f"m{number}": dict.fromkeys(days, float(number)) for number in range(8)}
    found = energy_figures({}, daily, days[-1], ZoneInfo("UTC"))
    assert list(found.days) == ["m7", "m6", "m5", "m4", "Others"]
    assert found.total == pytest.approx(5 * sum(range(8)))
    assert found.months["Others"] == {date(2026, 2, 1): 18.0, date(2026, 3, 1): 12.0}
    assert found.seasons["m7"] == {"Winter 2025/26": 21.0, "Spring 2026": 14.0}
    # Thursday and Monday are the first and the last day, which may not be whole.
    assert found.by_weekday["m7"] == {"Fri": 7.0, "Sat": 7.0, "Sun": 7.0}


def test_gaps_are_those_of_entities_that_report_numbers() -> None:
    counts = {
        "sensor.good": {"event_count": 10, "value_count": 10},
        "sensor.gappy": {"event_count": 10, "value_count": 8},
        "weather.home": {"event_count": 10},
    }
    assert gaps(counts) == [Gap("sensor.gappy", 10, 2)]


def test_what_a_spool_keeps_is_read_beside_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with pytest.raises(UserError, match="no spool at"):
        refusals(path)
    spool = Spool(path)
    spool.open()
    found: Finding = ("refused", "sensor.a", "confidence 2: at most 1", "Event()")
    spool.commit([Chunk(1, 1.0, 2, b"m f=1 1\nm f=2 2\n")], found=[found])
    assert look(path).pending == 2
    assert refusals(path) == Refusals({}, {"confidence 2: at most 1": 1})
    spool.close()
    path.write_bytes(b"no database")
    with pytest.raises(UserError, match="cannot be read"):
        refusals(path)
