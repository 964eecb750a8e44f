"""Home Assistant's long-term statistics as rows of hours and days, marked by a measurement of their own.

An hour of a statistic says less than its events did: the mean over time, the lowest, the highest, for a meter the state
and a sum that only grows. A row has the fields that follow from these and no others (docs/coming-from-the-recorder.md).
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any

from event_schema.conversion import KWH_PER_UNIT
from operations.imports.outlet import Outlet
from operations.imports.reading import Skipped
from operations.imports.recorder import Recorder, StatisticHour
from operations.imports.report import EntityReport
from operations.imports.summarise import HOUR, Days, Row
from operations.imports.target import STATISTICS

SECONDS = 3600.0
NUMBERS = ("mean", "low", "high", "state", "total")
OTHER_UNIT = "long-term statistics in another unit than its states"
HAS_STATES = "long-term statistics of hours that its states cover"
FIRST_DAY = "the day of long-term statistics in which its states begin"
EMPTY = "long-term statistics without a value"


def whole(hour: StatisticHour) -> StatisticHour:
    """The hour without what is no finite number."""
    odd: dict[str, Any] = {name: None for name in NUMBERS if not math.isfinite(getattr(hour, name) or 0.0)}
    return replace(hour, **odd) if odd else hour


@dataclass(slots=True)
class Span:
    """What the hours of an entity add up to in one day."""

    start: int
    low: float | None = None
    high: float | None = None
    value_seconds: float = 0.0
    covered: float = 0.0
    increase: float | None = None
    last: float | None = None

    def take(self, hour: StatisticHour, increase: float | None) -> None:
        if hour.low is not None:
            self.low = hour.low if self.low is None else min(self.low, hour.low)
        if hour.high is not None:
            self.high = hour.high if self.high is None else max(self.high, hour.high)
        if hour.mean is not None:
            self.value_seconds += hour.mean * SECONDS
            self.covered += SECONDS
        if increase is not None:
            self.increase = (self.increase or 0.0) + increase
        if hour.state is not None:
            self.last = hour.state

    def fields(self, unit: str) -> dict[str, float]:
        found: dict[str, float] = {}
        if self.low is not None:
            found["min_value"] = self.low
        if self.high is not None:
            found["max_value"] = self.high
        if self.covered:
            found["value_seconds"] = self.value_seconds
            found["covered_seconds"] = self.covered
            found["time_weighted_avg"] = self.value_seconds / self.covered
        if self.increase is not None:
            found["increase"] = self.increase
            if unit in KWH_PER_UNIT:
                found["total_energy"] = self.increase * KWH_PER_UNIT[unit]
        if self.last is not None:
            found["last_value"] = self.last
            # Home Assistant's statistics carry a state on until the next one.
            found["last_holds"] = 1.0
        return found


@dataclass(slots=True)
class StatisticRows:
    """Hours in, rows out; hours in order of time. `entities` (of the states) say an entity's class and unit;
    `first_states` when its states begin."""

    zone: tzinfo
    entities: Mapping[str, EntityReport]
    first_states: Mapping[str, int]
    totals: dict[str, float] = field(default_factory=dict)
    _open: dict[str, Span] = field(default_factory=dict)
    _units: dict[str, str] = field(default_factory=dict)
    _days: Days = field(init=False)

    def __post_init__(self) -> None:
        self._days = Days(self.zone)

    def add(self, hour: StatisticHour, skipped: Skipped) -> list[Row]:
        """The rows that this hour completes: its own, and that of the day before it."""
        entity = hour.entity_id
        known = self.entities.get(entity)
        if known is not None and known.unit and hour.unit and known.unit != hour.unit:
            skipped.add(f"{entity} ({hour.unit}, not {known.unit})", OTHER_UNIT, hour.time_ns)
            return []
        hour = whole(hour)
        before = self.totals.get(entity)
        increase = None if hour.total is None or before is None else hour.total - before
        if hour.total is not None:
            self.totals[entity] = hour.total
        first = self.first_states.get(entity)
        if first is not None and hour.time_ns + HOUR > first:
            skipped.add(entity, HAS_STATES, hour.time_ns)
            return []
        # Schemas before 18 do not say the unit.
        self._units[entity] = hour.unit or (known.unit if known is not None else "")
        rows = []
        _, start, _ = self._days.at(hour.time_ns)
        day = self._open.get(entity)
        if day is None or day.start != start:
            rows += self._day_row(entity, skipped)
            day = self._open[entity] = Span(start)
        day.take(hour, increase)
        alone = Span(hour.time_ns)
        alone.take(hour, increase)
        own = self._row("hourly", entity, alone)
        if not own:
            skipped.add(entity, EMPTY, hour.time_ns)
        return rows + own

    def close(self, skipped: Skipped) -> list[Row]:
        """The rows of the days that are still open."""
        return [row for entity in list(self._open) for row in self._day_row(entity, skipped)]

    def _day_row(self, entity: str, skipped: Skipped) -> list[Row]:
        day = self._open.pop(entity, None)
        if day is None:
            return []
        first = self.first_states.get(entity)
        # The day in which its states begin is summed up from them.
        if first is not None and self._days.at(first)[1] == day.start:
            skipped.add(entity, FIRST_DAY, day.start)
            return []
        return self._row("daily", entity, day)

    def _row(self, tier: str, entity: str, span: Span) -> list[Row]:
        fields = span.fields(self._units.get(entity, ""))
        known = self.entities.get(entity)
        key = (entity.partition(".")[0], known.device_class if known is not None else "")
        return [Row(tier, span.start, entity, key, fields)] if fields else []

    def state(self) -> dict[str, Any]:
        """What is open, as JSON takes it."""
        spans = {
            entity: [getattr(day, name) for name in Span.__dataclass_fields__] for entity, day in self._open.items()
        }
        return {"totals": self.totals, "open": spans, "units": self._units}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.totals = dict(state["totals"])
        self._open = {entity: Span(*kept) for entity, kept in state["open"].items()}
        self._units = dict(state["units"])


@dataclass(slots=True)
class StatisticsPass:
    """Brings a recorder's statistics of the time before the states. `kept`: how far an earlier run came."""

    source: Recorder
    outlet: Outlet
    zone: tzinfo
    kept: dict[str, Any] | None

    def start(self, start_ns: int) -> int:
        return start_ns if self.kept is None else max(start_ns, self.kept["done_to"])

    async def run(self, start_ns: int, stop_ns: int) -> AsyncIterator[int]:
        """All of [start, stop); gives until when, each time that it got on."""
        if start_ns >= stop_ns:
            return
        report = self.outlet.report
        made = StatisticRows(self.zone, report.entities, await self.source.first_states())
        if self.kept is not None:
            made.restore(self.kept["state"])
        existing = self.outlet.existing
        await existing.look(start_ns, stop_ns)
        await existing.look(start_ns, stop_ns, STATISTICS)
        async for until, hours, skipped in self.source.statistics(start_ns, stop_ns):
            report.statistics_read += len(hours) + skipped.total
            report.statistics_skipped.merge(skipped)
            rows = [row for hour in hours for row in made.add(hour, report.statistics_skipped)]
            if until >= stop_ns:
                rows += made.close(report.statistics_skipped)
            await self.outlet.statistic_rows(rows, STATISTICS)
            self.kept = {"done_to": until, "state": made.state()}
            yield until
