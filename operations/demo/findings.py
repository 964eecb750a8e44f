"""What the summaries say: warmest room by hour of the day, energy by day and by weekday."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from event_schema import TIERS
from flux_tasks import SummaryServer
from operations.demo.dataset import INDOOR, ROOMS
from templates.render import flux_string, flux_time

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ROOM_NAMES = dict(ROOMS.values())
METERS = {"sensor.appliances_energy": "Appliances", "sensor.lights_energy": "Lights"}


@dataclass(frozen=True, slots=True)
class Findings:
    """Temperatures in °C, energies in kWh; hours and days in UTC.

    `room_by_hour[room][hour]` is the mean of the hourly means; `room_by_day[room][day]` the daily mean;
    `energy_by_day[use][day]`; `energy_by_weekday[use][weekday]` per whole day of that weekday, Monday 0;
    `energy_by_hour[weekday][hour]` the mean per hour.
    """

    room_by_hour: Mapping[str, Sequence[float]]
    room_by_day: Mapping[str, Mapping[date, float]]
    outdoor_by_day: Mapping[date, float]
    energy_by_day: Mapping[str, Mapping[date, float]]
    energy_by_weekday: Mapping[str, Sequence[float]]
    energy_by_hour: Sequence[Sequence[float]]

    @property
    def warmest_by_hour(self) -> list[tuple[str, float]]:
        """(room, °C) for each hour of the day."""
        return [
            max(((room, hours[hour]) for room, hours in self.room_by_hour.items()), key=lambda pair: pair[1])
            for hour in range(24)
        ]


async def _series(
    server: SummaryServer, tier: str, field: str, entities: Sequence[str], start: datetime, stop: datetime
) -> dict[str, dict[datetime, float]]:
    chosen = TIERS[tier]
    wanted = " or ".join(f"r.entity_id == {flux_string(entity)}" for entity in entities)
    rows = await server.rows(
        f"from(bucket: {flux_string(chosen.bucket)})"
        f" |> range(start: {flux_time(start)}, stop: {flux_time(stop)})"
        f" |> filter(fn: (r) => r._measurement == {flux_string(chosen.measurement)}"
        f" and r._field == {flux_string(field)} and ({wanted}))"
        ' |> keep(columns: ["_time", "_value", "entity_id"]) |> group(columns: ["entity_id"])'
    )
    found: dict[str, dict[datetime, float]] = {entity: {} for entity in entities}
    for row in rows:
        found[row["entity_id"]][row["_time"]] = float(row["_value"])
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


async def find(server: SummaryServer, start: datetime, stop: datetime) -> Findings:
    """Read the summaries of [start, stop). Raises ServerProblem."""
    sensors = {f"sensor.{area}_temperature": ROOM_NAMES[area] for area in INDOOR}
    hourly = await _series(server, "hourly", "avg_value", list(sensors), start, stop)
    daily = await _series(server, "daily", "avg_value", [*sensors, "sensor.outdoor_temperature"], start, stop)
    energy = await _series(server, "daily", "total_energy", list(METERS), start, stop)
    use = await _series(server, "hourly", "total_energy", list(METERS), start, stop)

    by_hour: dict[str, list[float]] = {}
    for entity, room in sensors.items():
        hours: list[list[float]] = [[] for _ in range(24)]
        for moment, value in hourly[entity].items():
            hours[moment.hour].append(value)
        by_hour[room] = [_mean(values) for values in hours]

    # The first and last day of the span are not whole, so they would pull their weekdays down.
    whole = sorted({moment for values in energy.values() for moment in values})[1:-1]
    weekday: dict[str, list[float]] = {}
    for entity, name in METERS.items():
        days: list[list[float]] = [[] for _ in range(7)]
        for moment in whole:
            days[moment.weekday()].append(energy[entity].get(moment, 0.0))
        weekday[name] = [_mean(values) for values in days]

    totals: dict[datetime, float] = defaultdict(float)
    for values in use.values():
        for moment, value in values.items():
            totals[moment] += value
    grid: list[list[list[float]]] = [[[] for _ in range(24)] for _ in range(7)]
    for moment, value in totals.items():
        grid[moment.weekday()][moment.hour].append(value)
    return Findings(
        room_by_hour=by_hour,
        room_by_day={room: {t.date(): v for t, v in sorted(daily[entity].items())} for entity, room in sensors.items()},
        outdoor_by_day={t.date(): v for t, v in sorted(daily["sensor.outdoor_temperature"].items())},
        energy_by_day={
            name: {t.date(): v for t, v in sorted(energy[entity].items())} for entity, name in METERS.items()
        },
        energy_by_weekday=weekday,
        energy_by_hour=[[_mean(values) for values in hours] for hours in grid],
    )
