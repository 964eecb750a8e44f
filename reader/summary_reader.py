"""Reads the home's history back: windows of one entity, patterns in them, and questions to the whole home."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from event_schema.calendar import DAY, Span, day_of, day_start
from reader import changers, patterns, whole_home
from reader.asking import Asking, check_entity
from reader.periods import InvalidQuery, windows
from reader.querying import Moment, Querying
from reader.rows import SummaryRow


class SummaryReader(Querying):
    """Queries over the tiers. Use as an async context manager, or call `close`.

    A duration (`12h`, `30d`, `2w`, `6mo`, `1y`) counts back in whole windows from the start of the one that is running;
    `start` and `stop` (dates of the home, or datetimes with a time zone) name a span instead. With `running` the window
    of this moment is the last row, as far as it has come. `now` sets the moment (default: now). Where an entity has no
    row from events, that of Home Assistant's long-term statistics stands in (`hearthflux import recorder` brings them);
    each row's `source` says so, and `statistics=False` leaves them out.
    Every query raises InvalidQuery for what can't be asked and ReaderError where the server has no answer.
    """

    # windows of one entity ------------------------------------------------------------------------------------

    async def query_hourly_summaries(
        self,
        entity_id: str,
        duration: str = "1d",
        *,
        start: Moment = None,
        stop: Moment = None,
        running: bool = False,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[SummaryRow]:
        """The hours of an entity, oldest first; "1d" at 10:37 is the 24 hours from 10:00 to 10:00.

        So 24 rows where every hour had events (hours without events have no row). Should the running hour be stored
        already, it takes the place of the oldest.
        """
        return await self._windows("hourly", "hour", entity_id, duration, start, stop, running, statistics, now)

    async def query_daily_summaries(
        self,
        entity_id: str,
        duration: str = "30d",
        *,
        start: Moment = None,
        stop: Moment = None,
        running: bool = False,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[SummaryRow]:
        """The days of an entity in the home's time zone, oldest first; "30d" gives at most 30 rows."""
        return await self._windows("daily", "day", entity_id, duration, start, stop, running, statistics, now)

    async def query_weekly_summaries(
        self,
        entity_id: str,
        duration: str = "12w",
        *,
        start: Moment = None,
        stop: Moment = None,
        running: bool = False,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[SummaryRow]:
        """The weeks of an entity, from Monday on; rolled up from its days, exactly."""
        return await self._windows("weekly", "week", entity_id, duration, start, stop, running, statistics, now)

    async def query_monthly_summaries(
        self,
        entity_id: str,
        duration: str = "1y",
        *,
        start: Moment = None,
        stop: Moment = None,
        running: bool = False,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[SummaryRow]:
        """The months of an entity, likewise."""
        return await self._windows("monthly", "month", entity_id, duration, start, stop, running, statistics, now)

    async def query_seasonal_summaries(
        self,
        entity_id: str,
        duration: str = "2y",
        *,
        start: Moment = None,
        stop: Moment = None,
        running: bool = False,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[SummaryRow]:
        """The meteorological seasons of an entity: those from December, March, June and September on."""
        return await self._windows("seasonal", "season", entity_id, duration, start, stop, running, statistics, now)

    async def query_yearly_summaries(
        self,
        entity_id: str,
        duration: str = "7y",
        *,
        start: Moment = None,
        stop: Moment = None,
        running: bool = False,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[SummaryRow]:
        """The calendar years of an entity."""
        return await self._windows("yearly", "year", entity_id, duration, start, stop, running, statistics, now)

    hourly = query_hourly_summaries
    daily = query_daily_summaries
    weekly = query_weekly_summaries
    monthly = query_monthly_summaries
    seasonal = query_seasonal_summaries
    yearly = query_yearly_summaries

    # patterns of one entity -----------------------------------------------------------------------------------

    async def hour_profile(
        self,
        entity_id: str,
        duration: str = "90d",
        *,
        start: Moment = None,
        stop: Moment = None,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[patterns.ProfileRow]:
        """How the hours of the day differ: one row per hour of the home's clock that had events."""
        labels = [f"{hour:02d}:00" for hour in range(24)]
        span = self._asked("day", duration, now, start, stop, statistics=statistics)

        async def work(asking: Asking) -> list[patterns.ProfileRow]:
            await self._reach(asking, dataclasses.replace(span, width="hour"))
            found = await self._entity(asking, entity_id, span, patterns.PROFILE_FIELDS).hours(span.start, span.stop)
            hours = windows(span.start, span.stop, "hour", self._zone)
            return patterns.profile(found, hours, lambda moment: moment.astimezone(self._zone).hour, labels, self._zone)

        return await self._answer("hour_profile", work, entity_id)

    async def weekday_profile(
        self,
        entity_id: str,
        duration: str = "1y",
        *,
        start: Moment = None,
        stop: Moment = None,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[patterns.ProfileRow]:
        """How the weekdays differ: one row per weekday that had events, Monday first."""
        span = self._asked("day", duration, now, start, stop, statistics=statistics)

        async def work(asking: Asking) -> list[patterns.ProfileRow]:
            await self._reach(asking, span)
            found = await self._entity(asking, entity_id, span).days(span.start, span.stop)
            return patterns.profile(
                found,
                span.windows(),
                lambda moment: day_of(moment, self._zone).weekday(),
                patterns.WEEKDAYS,
                self._zone,
            )

        return await self._answer("weekday_profile", work, entity_id)

    async def season_against_season(
        self,
        entity_id: str,
        duration: str = "2y",
        *,
        measure: patterns.Measure = "auto",
        against: patterns.Against = "year",
        running: bool = False,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[patterns.ComparisonRow]:
        """Each season beside the same one a year before, or (`against="previous"`) beside the season before it."""
        if against not in ("year", "previous"):
            raise InvalidQuery(f"against {against!r}: year, or previous")
        return await self._compare(
            "season_against_season", entity_id, duration, "season", measure, against, running, statistics, now
        )

    async def year_over_year(
        self,
        entity_id: str,
        duration: str = "1y",
        *,
        by: patterns.By = "month",
        measure: patterns.Measure = "auto",
        running: bool = False,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[patterns.ComparisonRow]:
        """Each month (season, year) beside the same one a year before. With `running` also the one of this moment, up
        to the last whole day, beside as much of the one a year before."""
        if by not in ("month", "season", "year"):
            raise InvalidQuery(f"by {by!r}: month, season or year")
        return await self._compare("year_over_year", entity_id, duration, by, measure, "year", running, statistics, now)

    async def heating_degree_days(
        self,
        entity_id: str,
        duration: str = "30d",
        *,
        base: float | None = None,
        start: Moment = None,
        stop: Moment = None,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[patterns.DegreeDayRow]:
        """For each day how far an outdoor temperature's mean lies below `base`, in the entity's own unit: 18 °C or
        65 °F if it is not named."""
        if base is not None and (
            isinstance(base, bool) or not isinstance(base, int | float) or not -100 <= base <= 400
        ):
            raise InvalidQuery(f"base {base!r}: a temperature in the entity's unit, such as 18 (°C) or 65 (°F)")
        span = self._asked("day", duration, now, start, stop, statistics=statistics)

        async def work(asking: Asking) -> list[patterns.DegreeDayRow]:
            rows = await self._summed(asking, entity_id, span)
            unit = await whole_home.unit(asking, check_entity(entity_id), span.now, self._zone)
            usual = patterns.base_in(unit, entity_id, rows)
            return patterns.degree_days(rows, usual if base is None else base, self._zone)

        return await self._answer("heating_degree_days", work, entity_id)

    async def anomaly_bands(
        self,
        entity_id: str,
        duration: str = "30d",
        *,
        weeks: int = 12,
        bound: float = patterns.DEFAULT_BOUND,
        measure: patterns.Measure = "auto",
        start: Moment = None,
        stop: Moment = None,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[patterns.AnomalyRow]:
        """Each day beside the same weekdays of the `weeks` weeks before it: what was expected, between which bounds."""
        if isinstance(weeks, bool) or not isinstance(weeks, int) or not patterns.SMALLEST_HISTORY <= weeks <= 520:
            raise InvalidQuery(f"weeks {weeks!r}: from {patterns.SMALLEST_HISTORY} to 520")
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not 0 < bound < 1000:
            raise InvalidQuery(f"bound {bound!r}: a number above 0, such as {patterns.DEFAULT_BOUND}")
        patterns.check_measure(measure)
        span = self._asked("day", duration, now, start, stop, statistics=statistics)
        since = day_start(day_of(span.start, self._zone) - 7 * weeks * DAY, self._zone)
        wide = dataclasses.replace(span, start=since, most=None)

        async def work(asking: Asking) -> list[patterns.AnomalyRow]:
            await self._reach(asking, span)
            rows = await self._summed(asking, entity_id, wide, check=False)
            chosen = patterns.chosen(rows, measure)
            return patterns.anomalies(rows, span.start, weeks, bound, chosen, self._zone)

        return await self._answer("anomaly_bands", work, entity_id)

    # the whole home -------------------------------------------------------------------------------------------

    async def energy_by(
        self,
        by: whole_home.Grouping,
        duration: str = "30d",
        *,
        areas: Mapping[str, str] | None = None,
        start: Moment = None,
        stop: Moment = None,
        running: bool = False,
        statistics: bool = True,
        now: Moment = None,
    ) -> list[whole_home.EnergyRow]:
        """kWh by "area", "device_class", "domain" or "entity_id", the most first, over whole days of the home (and,
        with `running`, today so far).

        Summaries do not carry the area: an entity's is the one of its newest raw event, or the one that `areas`
        (entity -> area) names.
        """
        if by not in ("area", "device_class", "domain", "entity_id"):
            raise InvalidQuery(f"by {by!r}: area, device_class, domain or entity_id")
        span = self._asked("day", duration, now, start, stop, running, statistics)

        async def work(asking: Asking) -> list[whole_home.EnergyRow]:
            await self._reach(asking, span)
            over = await whole_home.pieces(asking, span.start, span.stop, span.now, self._zone)
            found = await whole_home.totals(asking, over, ("total_energy",))
            if statistics:
                found += await whole_home.energy_of_statistics(
                    asking, found, span.start, span.stop, span.now, self._zone
                )
            placed = dict(areas or {})
            used = {one.entity_id for one in found if "total_energy" in one.values} - placed.keys()
            if by == "area" and used:
                latest = await whole_home.latest_areas(asking, sorted(used), span.now, self._zone)
                placed = {**latest, **placed}
            return whole_home.energy_by(found, by, placed)

        return await self._answer(f"energy_by_{by}", work)

    async def energy_by_area(self, duration: str = "30d", **asked_for: Any) -> list[whole_home.EnergyRow]:
        """kWh by area; see `energy_by`."""
        return await self.energy_by("area", duration, **asked_for)

    async def energy_by_device_class(self, duration: str = "30d", **asked_for: Any) -> list[whole_home.EnergyRow]:
        """kWh by device class; see `energy_by`."""
        return await self.energy_by("device_class", duration, **asked_for)

    async def top_changers(
        self,
        duration: str = "7d",
        *,
        measure: changers.ChangeMeasure = "auto",
        limit: int = 10,
        now: Moment = None,
    ) -> list[changers.ChangeRow]:
        """The entities that changed most between the whole days of `duration` and as many days before them; from events
        alone."""
        if measure not in changers.CHANGE_MEASURES:
            raise InvalidQuery(f"measure {measure!r}: one of {', '.join(changers.CHANGE_MEASURES)}")
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise InvalidQuery(f"limit {limit!r}: a whole number above 0")
        span = self._asked("day", duration, now)
        first, last = day_of(span.start, self._zone), day_of(span.stop, self._zone)
        since = day_start(first - (last - first), self._zone)
        spans = (Span(span.start, span.stop), Span(since, span.start))

        async def work(asking: Asking) -> list[changers.ChangeRow]:
            await self._reach(asking, span)
            present, earlier = [await changers.of_span(asking, one, span.now, self._zone, measure) for one in spans]
            return changers.changes(present, earlier, measure, limit)

        return await self._answer("top_changers", work)

    async def entities(self, *, now: Moment = None) -> list[str]:
        """The ids of every entity of which any tier holds something, in order."""
        moment = self._asked("day", "1d", now).now

        async def work(asking: Asking) -> list[str]:
            return await whole_home.entities(asking, moment, self._zone)

        return await self._answer("entities", work)

    async def unit(self, entity_id: str, *, now: Moment = None) -> str:
        """What an entity is measured in, as its newest raw event says; empty where there is none."""
        moment = self._asked("day", "1d", now).now

        async def work(asking: Asking) -> list[str]:
            return [await whole_home.unit(asking, check_entity(entity_id), moment, self._zone)]

        return (await self._answer("unit", work, entity_id))[0]

    async def spoken(self, entity_id: str, *, now: Moment = None) -> tuple[datetime, datetime] | None:
        """When an entity's first and last event were, as far as they are still known: of summed up ones the window's
        start. None of an entity that there is not."""
        moment = self._asked("day", "1d", now).now

        async def work(asking: Asking) -> list[datetime]:
            return await whole_home.spoken(asking, check_entity(entity_id), moment, self._zone)

        found = await self._answer("spoken", work, entity_id)
        return (min(found), max(found)) if found else None
