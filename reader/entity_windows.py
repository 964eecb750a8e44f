"""The windows of one entity, joined over the tiers: days, then hours, then raw events.

A tier is read up to its last stored window of the entity; what lies between that window's end and the end of the span
comes from the next finer tier. So no time is counted twice and none is left out, whether the running hour, a task that
has not run yet or one that has been down for days is the reason.

Where a window has no row from events, the one from Home Assistant's long-term statistics stands in for it: days from
days, hours from hours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from event_schema import HOLD_DAYS, Tier
from event_schema.calendar import DAY, Span, day_of, day_start, has_whole_hours
from event_schema.roll_up import roll_up
from influxdb_connection import ServerProblem
from reader.asking import BEGINNING, STATISTICS, Asking
from reader.events import Carried, RawEvent, nanoseconds, sum_up
from reader.periods import Width, window_at, windows
from reader.rows import Summed, answered, summed_from

Found = dict[datetime, Summed]
# Raw events are read so many days at a time: a busy entity has some 100,000 in them.
RAW_DAYS = 7
_NOT_A_TAG = frozenset({"result", "table", "_time", "_value", "_field"})


@dataclass(frozen=True, slots=True)
class EntityWindows:
    """Reads one entity. `now` is the moment of the query; `fields` those wanted of stored rows, all where empty;
    `statistics` says whether those stand in."""

    asking: Asking
    entity_id: str
    zone: ZoneInfo
    now: datetime
    fields: tuple[str, ...] = ()
    statistics: bool = True

    async def hours(self, start: datetime, stop: datetime, until: datetime | None = None) -> Found:
        """The hours of UTC in [start, stop) of which something is known; the last one may be cut by `stop`. Windows
        that are stored already come along up to `until`."""
        tier = self.asking.tiers.hourly
        return await self._joined(tier, "hour", start, stop, until, self._hours_of_events, self.statistics)

    async def days(self, start: datetime, stop: datetime, until: datetime | None = None) -> Found:
        """Likewise the home's days."""
        tier = self.asking.tiers.daily
        return await self._joined(tier, "day", start, stop, until, self._finer_days, self.statistics)

    async def rolled_up(self, spans: Sequence[Span]) -> Found:
        """Weeks, months, seasons or years that neighbour each other, from their days."""
        if not spans:
            return {}
        before = day_start(day_of(spans[0].start, self.zone) - (HOLD_DAYS + 1) * DAY, self.zone)
        found = await self.days(before, spans[-1].stop)
        return self._summed(found, spans, windows(before, spans[-1].stop, "day", self.zone))

    async def _joined(
        self,
        tier: Tier,
        width: Width,
        start: datetime,
        stop: datetime,
        until: datetime | None,
        finer: Callable[[datetime, datetime], Awaitable[Found]],
        statistics: bool,
    ) -> Found:
        begin = max(start, await self.asking.oldest(tier, self.now, width, self.zone))
        if begin >= stop:
            return await finer(start, stop)
        found, standing_in = await self._stored(tier, begin, until or stop, statistics)
        seam = begin
        if found or standing_in:
            newest = max([*found, *standing_in])
            if window_at(newest, width, self.zone).start != newest:
                self.asking.note = (
                    f"the stored {width}s do not begin where a {width} in {self.zone.key} does: HOME_TIME_ZONE is not "
                    "the one that they were summed up with"
                )
        if found:
            last = window_at(max(found), width, self.zone)
            if last.start < stop < last.stop:
                # Nobody sums up a window that is not over: it is made again from what there is.
                found = {time: row for time, row in found.items() if time < last.start}
                last = window_at(max(found), width, self.zone) if found else Span(begin, begin)
            seam = last.stop
        before = await finer(start, begin) if start < begin else {}
        after = await finer(seam, stop) if seam < stop else {}
        events = {**before, **found, **after}
        if not standing_in:
            return events
        return dict(sorted({**{time: row for time, row in standing_in.items() if time < stop}, **events}.items()))

    async def _stored(self, tier: Tier, start: datetime, stop: datetime, statistics: bool) -> tuple[Found, Found]:
        """A tier's rows of windows that begin in [start, stop): those from events, those from statistics."""
        measurements = [("events", tier.measurement)]
        if statistics and await self.asking.retained.statistics(tier):
            measurements.append(("statistics", STATISTICS[tier.name]))
        rows = await self.asking.rows(
            "summaries",
            tier,
            entity_id=self.entity_id,
            start=start,
            stop=stop,
            measurements=measurements,
            fields=self.fields,
        )
        return summed_from(rows)

    async def _finer_days(self, start: datetime, stop: datetime) -> Found:
        if not has_whole_hours(start, stop, self.zone):
            return await self._from_events(start, stop, "day")
        before = day_start(day_of(start, self.zone) - (HOLD_DAYS + 1) * DAY, self.zone)
        found = await self._joined(
            self.asking.tiers.hourly, "hour", before, stop, None, self._hours_of_events, statistics=False
        )
        if not found:
            return {}
        since, until = max(start, window_at(min(found), "day", self.zone).start), min(stop, max(found) + DAY)
        hours = windows(max(before, since - (HOLD_DAYS + 2) * DAY), until, "hour", self.zone)
        return self._summed(found, windows(since, until, "day", self.zone), hours)

    def _summed(self, found: Found, spans: Sequence[Span], parts: Sequence[Span]) -> Found:
        """Spans from their parts' rows; the parts begin HOLD_DAYS and a day before the first span."""
        rows = {time: row.values for time, row in found.items()}
        made: Found = {}
        begin = middle = 0
        for span in spans:
            while parts[begin].start < span.start - (HOLD_DAYS + 2) * DAY:
                begin += 1
            while parts[middle].start < span.start:
                middle += 1
            end = middle
            while end < len(parts) and parts[end].start < span.stop:
                end += 1
            inside = [found[part.start] for part in parts[middle:end] if part.start in found]
            if inside:
                # An entity of which there are no states any more has statistics without a class.
                last = next((one for one in reversed(inside) if one.source == "events"), inside[-1])
                values = roll_up(rows, parts[begin:end], span.start, self.zone, last.domain)
                made[span.start] = Summed(last.domain, last.device_class, *answered(inside, values or {}))
        return made

    async def _hours_of_events(self, start: datetime, stop: datetime) -> Found:
        return await self._from_events(start, stop, "hour")

    async def _from_events(self, start: datetime, stop: datetime, width: Width) -> Found:
        raw = self.asking.tiers.raw
        try:
            begin = max(start, await self.asking.oldest(raw, self.now, width, self.zone))
        except ServerProblem:
            # A token for the summaries alone: then there is nothing finer than they are.
            return {}
        if stop - begin > RAW_DAYS * DAY:
            begin, stop = await self._spoken(raw, begin, stop, width)
        if begin >= stop:
            return {}
        carried = await self._before(raw, begin)
        made: Found = {}
        left = windows(begin, stop, width, self.zone)
        while left:
            part = [span for span in left if span.start < left[0].start + RAW_DAYS * DAY]
            left = left[len(part) :]
            events = await self._events(raw, part[0].start, part[-1].stop)
            made |= sum_up(events, part, carried, self.zone)
            carried = carried.after(sorted(events, key=lambda event: event.order))
        return made

    async def _spoken(self, raw: Tier, start: datetime, stop: datetime, width: Width) -> tuple[datetime, datetime]:
        """The part of a long span in which the entity said anything, in whole windows."""
        if start >= stop:
            return start, stop
        times = [
            row["_time"]
            for row in await self.asking.rows(
                "bounds", raw, entity_id=self.entity_id, start=start, stop=stop, measurements=[raw.measurement]
            )
        ]
        if not times:
            return stop, stop
        last = window_at(max(times), width, self.zone).stop
        return max(start, window_at(min(times), width, self.zone).start), min(stop, last)

    async def _before(self, raw: Tier, moment: datetime) -> Carried:
        earliest = max(moment - (HOLD_DAYS + 2) * DAY, BEGINNING)
        rows = await self.asking.rows("before", raw, nanoseconds, entity_id=self.entity_id, start=earliest, stop=moment)
        events = [
            RawEvent(
                row["_time"],
                (row.get("domain") or "", row.get("device_class") or ""),
                number=row.get("_value"),
                has_state=row["result"] == "state_value",
            )
            for row in rows
        ]
        return Carried().after(sorted(events, key=lambda event: event.order))

    async def _events(self, raw: Tier, start: datetime, stop: datetime) -> list[RawEvent]:
        rows = await self.asking.rows("events", raw, nanoseconds, entity_id=self.entity_id, start=start, stop=stop)
        points: dict[tuple[object, ...], dict[str, float | bool]] = {}
        kinds: dict[tuple[object, ...], tuple[str, str]] = {}
        for row in rows:
            field = str(row["result"])
            point = tuple(sorted((name, value) for name, value in row.items() if name not in _NOT_A_TAG))
            points.setdefault((point, row["_time"]), {})[field] = row.get("_value", True)
            kinds[(point, row["_time"])] = (row.get("domain") or "", row.get("device_class") or "")
        return [
            RawEvent(
                key[1],  # type: ignore[arg-type]
                kinds[key],
                number=found.get("normalized_value"),
                has_state="state_value" in found,
                energy=found.get("energy_consumption"),
            )
            for key, found in points.items()
        ]
