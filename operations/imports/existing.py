"""What the database has already, so that nothing is written twice under other tags and no row is replaced.

InfluxDB tells series apart by all their tags: an event that came live with `area=kitchen` and is imported without an
area would be stored twice. So an event is new only if the entity has none at that instant. Home Assistant's InfluxDB
integration stamps a state when it was sent, the recorder when it was made, up to some milliseconds earlier: of one
entity, the same text within `TOLERANCE` is the same event.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from event_schema import Event, Tiers
from flux_tasks import SummaryServer
from operations.imports.reading import SECOND
from operations.imports.summarise import Row
from templates.render import flux_string, flux_time

TOLERANCE = 10_000_000  # ns
NS_PER_MICROSECOND = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Flux's range takes nothing earlier or later.
EARLIEST = datetime(1678, 1, 1, tzinfo=UTC)
LATEST = datetime(2262, 1, 1, tzinfo=UTC)


def to_datetime(time_ns: int) -> datetime:
    return max(EARLIEST, min(LATEST, EPOCH + timedelta(microseconds=time_ns // NS_PER_MICROSECOND)))


def to_ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * NS_PER_MICROSECOND


class StoredEvents:
    """The events of a span that the database has: entity -> times and texts, each of which stands for one event."""

    def __init__(self) -> None:
        self._by_entity: dict[str, list[tuple[int, str]]] = defaultdict(list)

    def add(self, entity_id: str, time_ns: int, state: str) -> None:
        self._by_entity[entity_id].append((time_ns, state))

    def new_of(self, events: list[Event]) -> list[Event]:
        """The events that are not there yet; each stored event is found once, first by its instant."""
        if not self._by_entity:
            return events
        for stored in self._by_entity.values():
            stored.sort()
        rest = [event for event in events if not self._take(event, 0)]
        return [event for event in rest if not self._take(event, TOLERANCE)]

    def _take(self, event: Event, tolerance: int) -> bool:
        stored = self._by_entity.get(event.entity_id)
        if not stored:
            return False
        # The server's answer has microseconds.
        instant = event.time_ns - event.time_ns % NS_PER_MICROSECOND
        near = []
        for place in range(bisect_left(stored, (instant - tolerance, "")), len(stored)):
            at, text = stored[place]
            if at > instant + tolerance:
                break
            if tolerance == 0 or text == event.state_value:
                near.append((abs(at - instant), place))
        if not near:
            return False
        del stored[min(near)[1]]
        return True


class Existing:
    """Asks the server, but only for days in which it had anything when the import began."""

    def __init__(self, server: SummaryServer, tiers: Tiers) -> None:
        self._server = server
        self._tiers = tiers
        self._days: dict[str, set[int]] = {}

    async def look(self, start_ns: int, stop_ns: int) -> None:
        """Which days of each tier hold anything. Raises ServerProblem."""
        for tier in self._tiers:
            field = "state_value" if tier.name == "raw" else "event_count"
            rows = await self._server.rows(
                f"from(bucket: {flux_string(tier.bucket)})"
                f" |> range(start: {flux_time(to_datetime(start_ns))}, stop: {flux_time(to_datetime(stop_ns))})"
                f" |> filter(fn: (r) => r._measurement == {flux_string(tier.measurement)}"
                f" and r._field == {flux_string(field)})"
                ' |> aggregateWindow(every: 1d, fn: count, createEmpty: false, timeSrc: "_start")'
                ' |> group(columns: ["_time"]) |> sum()'
            )
            self._days[tier.name] = {(row["_time"] - EPOCH).days for row in rows if row["_value"]}

    def _may_have(self, tier: str, start_ns: int, stop_ns: int) -> bool:
        day = 86_400 * SECOND
        return any(number in self._days[tier] for number in range(start_ns // day, (stop_ns - 1) // day + 1))

    async def events(self, start_ns: int, stop_ns: int) -> StoredEvents:
        """The events of a span, and those a little around it. Raises ServerProblem."""
        found = StoredEvents()
        start_ns, stop_ns = start_ns - TOLERANCE, stop_ns + TOLERANCE
        if not self._may_have("raw", start_ns, stop_ns):
            return found
        tier = self._tiers.raw
        for row in await self._server.rows(
            f"from(bucket: {flux_string(tier.bucket)})"
            f" |> range(start: {flux_time(to_datetime(start_ns))}, stop: {flux_time(to_datetime(stop_ns))})"
            f' |> filter(fn: (r) => r._measurement == {flux_string(tier.measurement)} and r._field == "state_value")'
            ' |> keep(columns: ["_time", "_value", "entity_id"])'
        ):
            # The server's CSV has \r\n for every line break inside a text.
            found.add(row["entity_id"], to_ns(row["_time"]), row["_value"].replace("\r\n", "\n"))
        return found

    async def new_rows(self, rows: list[Row]) -> list[Row]:
        """The rows that the server has not. Raises ServerProblem."""
        new: list[Row] = []
        for name in ("hourly", "daily"):
            tier = self._tiers[name]
            chosen = [row for row in rows if row.tier == name]
            if not chosen:
                continue
            start, stop = min(row.time_ns for row in chosen), max(row.time_ns for row in chosen) + 1
            if not self._may_have(name, start, stop):
                new += chosen
                continue
            stored = {
                (row["entity_id"], row.get("device_class") or "", to_ns(row["_time"]))
                for row in await self._server.rows(
                    f"from(bucket: {flux_string(tier.bucket)})"
                    f" |> range(start: {flux_time(to_datetime(start))},"
                    f" stop: {flux_time(to_datetime(stop + SECOND))})"
                    f" |> filter(fn: (r) => r._measurement == {flux_string(tier.measurement)}"
                    ' and r._field == "event_count") |> keep(columns: ["_time", "_value", "entity_id", "device_class"])'
                )
            }
            new += [row for row in chosen if (row.entity_id, row.device_class or "", row.time_ns) not in stored]
        return new
