"""What the database has already, so that nothing is written twice under other tags and no row is replaced.

InfluxDB tells series apart by all their tags: an event that came live with `area=kitchen` and is imported without an
area would be stored twice. So an event is new only if the entity has none at that instant. Home Assistant's InfluxDB
integration stamps a state when it was sent, the recorder when it was made, up to some milliseconds earlier: of one
entity, the same text within `TOLERANCE` is the same event.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from event_schema import HOME_ASSISTANT_EVENTS, Event, Measurement, Tiers
from event_schema.home_assistant import DAILY_EVENTS, HOURLY_EVENTS
from flux_tasks import SummaryServer
from operations.imports.reading import SECOND
from operations.imports.summarise import Row
from templates.render import flux_string, flux_time

TOLERANCE = 10_000_000  # ns
NS_PER_MICROSECOND = 1_000
EVENTS = {"raw": HOME_ASSISTANT_EVENTS, "hourly": HOURLY_EVENTS, "daily": DAILY_EVENTS}
# The field that every point has; the points of long-term statistics have none in common.
IN_EVERY_POINT = {HOME_ASSISTANT_EVENTS.name: "state_value", HOURLY_EVENTS.name: "event_count"}
IN_EVERY_POINT[DAILY_EVENTS.name] = IN_EVERY_POINT[HOURLY_EVENTS.name]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Flux's range takes nothing earlier or later.
EARLIEST = datetime(1678, 1, 1, tzinfo=UTC)
LATEST = datetime(2262, 1, 1, tzinfo=UTC)


def one_field(measurement: Measurement) -> str:
    """The end of a filter that asks for each point of a measurement once, where that can be."""
    name = IN_EVERY_POINT.get(measurement.name)
    return "" if name is None else f" and r._field == {flux_string(name)}"


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

    async def look(self, start_ns: int, stop_ns: int, measurements: Mapping[str, Measurement] = EVENTS) -> None:
        """Which days have anything of each tier's measurement. Raises ServerProblem."""
        for name, measurement in measurements.items():
            rows = await self._server.rows(
                f"from(bucket: {flux_string(self._tiers[name].bucket)})"
                f" |> range(start: {flux_time(to_datetime(start_ns))}, stop: {flux_time(to_datetime(stop_ns))})"
                f" |> filter(fn: (r) => r._measurement == {flux_string(measurement.name)}{one_field(measurement)})"
                ' |> aggregateWindow(every: 1d, fn: count, createEmpty: false, timeSrc: "_start")'
                ' |> group(columns: ["_time"]) |> sum()'
            )
            self._days[measurement.name] = {(row["_time"] - EPOCH).days for row in rows if row["_value"]}

    def _may_have(self, measurement: Measurement, start_ns: int, stop_ns: int) -> bool:
        days = self._days[measurement.name]
        day = 86_400 * SECOND
        return any(number in days for number in range(start_ns // day, (stop_ns - 1) // day + 1))

    async def events(self, start_ns: int, stop_ns: int) -> StoredEvents:
        """The events of a span, and those a little around it. Raises ServerProblem."""
        found = StoredEvents()
        start_ns, stop_ns = start_ns - TOLERANCE, stop_ns + TOLERANCE
        if not self._may_have(HOME_ASSISTANT_EVENTS, start_ns, stop_ns):
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
        """The rows that the tasks, or an import, have not made of events already. Raises ServerProblem."""
        stored = await self._stored(rows, EVENTS)
        return [row for row in rows if (row.tier, row.entity_id, row.time_ns, row.device_class or "") not in stored]

    async def instants(self, rows: list[Row], measurements: Mapping[str, Measurement]) -> set[tuple[str, str, int]]:
        """(tier, entity, time) of those of which these measurements have a row, whatever its class. Raises
        ServerProblem."""
        return {key[:3] for key in await self._stored(rows, measurements)}

    async def _stored(self, rows: list[Row], measurements: Mapping[str, Measurement]) -> set[tuple[str, str, int, str]]:
        """(tier, entity, time, device class) of what is there in the span of these rows."""
        found = set()
        for name in ("hourly", "daily"):
            times = [row.time_ns for row in rows if row.tier == name]
            measurement = measurements[name]
            if not times or not self._may_have(measurement, min(times), max(times) + 1):
                continue
            for row in await self._server.rows(
                f"from(bucket: {flux_string(self._tiers[name].bucket)})"
                f" |> range(start: {flux_time(to_datetime(min(times)))},"
                f" stop: {flux_time(to_datetime(max(times) + SECOND))})"
                f" |> filter(fn: (r) => r._measurement == {flux_string(measurement.name)}{one_field(measurement)})"
                ' |> keep(columns: ["_time", "_value", "entity_id", "device_class"])'
            ):
                found.add((name, row["entity_id"], to_ns(row["_time"]), row.get("device_class") or ""))
        return found
