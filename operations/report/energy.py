"""Energy by meter, in kWh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from operations.report.charts import When
from operations.report.reading import DAY, YEAR, EntityInfo, Reading, mean, season_name

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_SERIES = 5


@dataclass(frozen=True, slots=True)
class Energy:
    """kWh by meter. `by_weekday` is the mean of whole days, `by_hour` the mean per hour by weekday (Monday first)."""

    day: Mapping[str, Mapping[When, float]] = field(default_factory=dict)
    days: Mapping[str, Mapping[When, float]] = field(default_factory=dict)
    months: Mapping[str, Mapping[When, float]] = field(default_factory=dict)
    seasons: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    by_weekday: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    by_hour: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(sum(days.values()) for days in self.days.values())


def largest(totals: Mapping[str, Mapping[datetime, float]]) -> list[str]:
    """The names shown one by one, the largest sum first; the others are shown as one."""
    order = sorted(totals, key=lambda name: -sum(totals[name].values()))
    return order if len(order) <= MOST_SERIES else order[: MOST_SERIES - 1]


def gathered(totals: Mapping[str, Mapping[datetime, float]], names: Sequence[str]) -> dict[str, dict[datetime, float]]:
    """The series of `names`, in their order, and the sum of all others."""
    found = {name: dict(totals.get(name, {})) for name in names}
    rest: dict[datetime, float] = defaultdict(float)
    for name in totals.keys() - set(names):
        for moment, value in totals[name].items():
            rest[moment] += value
    return {**found, "Others": dict(rest)} if rest else found


def _local(
    series: Mapping[str, Mapping[datetime, float]], zone: ZoneInfo, since: datetime
) -> dict[str, dict[When, float]]:
    return {
        name: {moment.astimezone(zone): value for moment, value in sorted(values.items()) if moment >= since}
        for name, values in series.items()
    }


def energy_figures(
    hourly: Mapping[str, Mapping[datetime, float]],
    daily: Mapping[str, Mapping[datetime, float]],
    until: datetime,
    zone: ZoneInfo,
) -> Energy:
    """From kWh by meter and window. The first and the last day of the data are not whole and left out of weekdays."""
    names = largest(daily)
    days = gathered(daily, names)
    months: dict[str, dict[When, float]] = {}
    by_season: dict[str, dict[str, float]] = {}
    by_weekday: dict[str, dict[str, float]] = {}
    whole = sorted({moment for values in days.values() for moment in values})[1:-1]
    for name, values in days.items():
        month: dict[When, float] = defaultdict(float)
        season: dict[str, float] = defaultdict(float)
        for moment, value in sorted(values.items()):
            day = moment.astimezone(zone).date()
            month[day.replace(day=1)] += value
            season[season_name(day)] += value
        months[name], by_season[name] = dict(month), dict(season)
        weekday: list[list[float]] = [[] for _ in WEEKDAYS]
        for moment in whole:
            weekday[moment.astimezone(zone).weekday()].append(values.get(moment, 0.0))
        by_weekday[name] = {label: mean(weekday[number]) for number, label in enumerate(WEEKDAYS) if weekday[number]}
    grid: list[list[list[float]]] = [[[] for _ in range(24)] for _ in WEEKDAYS]
    totals: dict[datetime, float] = defaultdict(float)
    for hours in hourly.values():
        for moment, value in hours.items():
            totals[moment] += value
    for moment, value in totals.items():
        local = moment.astimezone(zone)
        grid[local.weekday()][local.hour].append(value)
    return Energy(
        day=_local(gathered(hourly, names), zone, until - DAY),
        days=_local(days, zone, until - YEAR),
        months=months,
        seasons=by_season,
        by_weekday=by_weekday,
        by_hour={label: [mean(values) for values in grid[number]] for number, label in enumerate(WEEKDAYS)}
        if totals
        else {},
    )


async def read_energy(
    reading: Reading, entities: Mapping[str, EntityInfo], until: datetime, zone: ZoneInfo, pattern: timedelta
) -> Energy:
    meters = {one.entity_id: one.title for one in entities.values() if one.device_class == "energy"}
    found = {}
    for tier, span in (("hourly", pattern), ("daily", YEAR)):
        rows = await reading.fields(tier, ["total_energy"], sorted(meters), until - span, until)
        found[tier] = {
            meters[entity]: {moment: row["total_energy"] for moment, row in moments.items()}
            for entity, moments in rows.items()
        }
    return energy_figures(found["hourly"], found["daily"], until, zone) if found["daily"] else Energy()
