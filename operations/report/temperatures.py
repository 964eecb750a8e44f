"""Temperatures: places indoors as a range, the weather outdoors beside it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from event_schema.calendar import first_day
from operations.report.charts import Range, Spread, When
from operations.report.reading import DAY, YEAR, EntityInfo, Reading, Series, Value, mean, season_name

MOST_PLACES = 12


@dataclass(frozen=True, slots=True)
class Temperatures:
    """Places indoors as a range, one entity outdoors as a line; `by_hour` is the mean by place and hour of the day."""

    unit: str = "°C"
    outdoor_entity: str = ""
    day: Sequence[Spread] = ()
    day_outside: Mapping[When, float] = field(default_factory=dict)
    week: Sequence[Spread] = ()
    week_outside: Mapping[When, float] = field(default_factory=dict)
    year: Sequence[Spread] = ()
    year_outside: Mapping[When, float] = field(default_factory=dict)
    seasons: Sequence[Range] = ()
    by_hour: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def warmest_by_hour(self) -> list[tuple[str, float]]:
        """(place, temperature) for each hour of the day that has any."""
        found = []
        for hour in range(24):
            here = [(values[hour], place) for place, values in self.by_hour.items() if values[hour] == values[hour]]
            if here:
                value, place = max(here)
                found.append((place, value))
        return found


def choose_outdoor(entities: Iterable[EntityInfo]) -> str:
    """The entity that measures the temperature outdoors: by its area or its name; "" where there is none."""
    outside = [one for one in entities if one.device_class == "temperature" and one.is_outside]
    outside.sort(key=lambda one: ("dew" in one.entity_id, "outdoor_temp" not in one.entity_id, one.entity_id))
    return outside[0].entity_id if outside else ""


def choose_indoor(entities: Iterable[EntityInfo]) -> tuple[list[EntityInfo], str]:
    """Temperatures of places indoors in the unit that most have; those without an area only if none has one."""
    inside = [one for one in entities if one.device_class == "temperature" and not one.is_outside]
    if any(one.area for one in inside):
        inside = [one for one in inside if one.area]
    units = Counter(one.unit for one in inside)
    unit = units.most_common(1)[0][0] if units else "°C"
    chosen = sorted((one for one in inside if one.unit == unit), key=lambda one: one.entity_id)
    return chosen, unit


def by_place(series: Series, places: Mapping[str, str]) -> dict[str, dict[datetime, Value]]:
    """The entities of one place made one: the mean of their means, weighted by the seconds that each knows."""
    gathered: dict[str, dict[datetime, list[Value]]] = defaultdict(lambda: defaultdict(list))
    for entity, values in series.items():
        for moment, value in values.items():
            gathered[places[entity]][moment].append(value)
    return {
        place: {moment: _together(values) for moment, values in moments.items()} for place, moments in gathered.items()
    }


def _together(values: Sequence[Value]) -> Value:
    seconds = sum(one.seconds for one in values)
    middle = sum(one.mean * one.seconds for one in values) / seconds if seconds else mean(one.mean for one in values)
    return Value(middle, min(one.low for one in values), max(one.high for one in values), seconds)


def spreads(places: Mapping[str, Mapping[datetime, Value]], zone: ZoneInfo, since: datetime) -> list[Spread]:
    """For each window the coolest, the mean and the warmest place."""
    moments = sorted({moment for values in places.values() for moment in values if moment >= since})
    found = []
    for moment in moments:
        means = [values[moment].mean for values in places.values() if moment in values]
        found.append(Spread(moment.astimezone(zone), min(means), mean(means), max(means)))
    return found


def seasons(named: Mapping[str, Mapping[datetime, Value]], of: str, zone: ZoneInfo) -> list[Range]:
    """One range per season over all of `named`, in order of time."""
    gathered: dict[date, list[Value]] = defaultdict(list)
    for values in named.values():
        for moment, value in values.items():
            gathered[first_day(moment.astimezone(zone).date(), "season")].append(value)
    found = []
    for first in sorted(gathered):
        value = _together(gathered[first])
        found.append(Range(of, season_name(first), value.low, value.mean, value.high))
    return found


def _outside(values: Mapping[datetime, Value], zone: ZoneInfo, since: datetime) -> dict[When, float]:
    return {moment.astimezone(zone): one.mean for moment, one in sorted(values.items()) if moment >= since}


def hours_of_day(places: Mapping[str, Mapping[datetime, Value]], zone: ZoneInfo) -> dict[str, list[float]]:
    """place -> mean for each hour of the day, the warmest place first."""
    found: dict[str, list[float]] = {}
    for place, values in places.items():
        hours: list[list[float]] = [[] for _ in range(24)]
        for moment, value in values.items():
            hours[moment.astimezone(zone).hour].append(value.mean)
        found[place] = [mean(one) for one in hours]
    order = sorted(found, key=lambda place: -mean(value for value in found[place] if value == value))
    return {place: found[place] for place in order[:MOST_PLACES]}


async def read_temperatures(
    reading: Reading,
    entities: Mapping[str, EntityInfo],
    outdoor: str,
    until: datetime,
    zone: ZoneInfo,
    pattern: timedelta,
) -> Temperatures:
    indoor, unit = choose_indoor(entities.values())
    wanted = [one.entity_id for one in indoor] + ([outdoor] if outdoor else [])
    if not wanted:
        return Temperatures()
    hourly = await reading.values("hourly", wanted, until - pattern, until)
    daily = await reading.values("daily", wanted, until - YEAR, until)
    outside_hours, outside_days = hourly.pop(outdoor, {}), daily.pop(outdoor, {})
    places = {one.entity_id: one.place for one in indoor}
    hours, days = by_place(hourly, places), by_place(daily, places)
    return Temperatures(
        unit=unit,
        outdoor_entity=outdoor,
        day=spreads(hours, zone, until - DAY),
        day_outside=_outside(outside_hours, zone, until - DAY),
        week=spreads(hours, zone, until - 7 * DAY),
        week_outside=_outside(outside_hours, zone, until - 7 * DAY),
        year=spreads(days, zone, until - YEAR),
        year_outside=_outside(outside_days, zone, until - YEAR),
        seasons=seasons(days, "Indoors", zone) + seasons({"": outside_days}, "Outdoors", zone),
        by_hour=hours_of_day(hours, zone),
    )
