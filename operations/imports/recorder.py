"""Home Assistant's recorder as a source: its states, and its long-term statistics for the time before them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, Self, cast

from event_schema import DEFAULT_ATTRIBUTES
from operations.imports.layout import DESCRIBING, NOT_WANTED, WEATHER
from operations.imports.reading import DAY, Pace, Run, Skipped, Slice
from operations.imports.recorder_database import Database
from operations.imports.recorder_schema import RecorderSchema, schema_of

REMEMBERED_ATTRIBUTES = 50_000
ASKED_AT_ONCE = 500
REMOVED = "an empty state: the entity was removed"
NAMELESS = "a state whose entity the recorder does not name"
TIMELESS = "without a time: Home Assistant's migration of its database was interrupted; start it once to end that"
NOT_JSON = "attributes that are not JSON; the state is kept"
EXTERNAL = "a statistic that is no entity's"
NO_ATTRIBUTES: dict[str, Any] = {}
SERIES = "states"
# The database's times are microseconds: a bound has to lie a whole one after the last of them.
LAST_MICROSECOND = 999


@dataclass(frozen=True, slots=True)
class StatisticHour:
    """An hour of a long-term statistic. `total` is Home Assistant's `sum`, which only grows from hour to hour."""

    time_ns: int
    entity_id: str
    unit: str
    mean: float | None
    low: float | None
    high: float | None
    state: float | None
    total: float | None


def kept_names(chosen: Mapping[str, tuple[str, ...]] | None) -> frozenset[str]:
    """The attributes that any entity could want."""
    allowed = DEFAULT_ATTRIBUTES if chosen is None else chosen
    return frozenset((*DESCRIBING, *WEATHER, *(name for names in allowed.values() for name in names)))


class Recorder:
    """The source of `hearthflux import recorder`. Use as an async context manager."""

    def __init__(
        self,
        address: str,
        *,
        attributes: Mapping[str, tuple[str, ...]] | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        rename: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._database = Database(address)
        self._kept = kept_names(attributes)
        self._include, self._exclude = tuple(include), tuple(exclude)
        self._rename = rename or {}
        self._pace = pace or Pace()
        self._schema: RecorderSchema | None = None
        self._entities: dict[int, str] = {}
        self._statistics: dict[Any, tuple[str, str, str]] = {}
        self._by_id: dict[Any, dict[str, Any]] = {}
        self._by_text: dict[str, dict[str, Any]] = {}
        self._same: dict[str, dict[str, Any]] = {}
        # Entity of the recorder -> its present id, "" where it is not wanted.
        self._chosen: dict[str, str] = {}
        self._not_kept: set[str] = set()
        self._timeless = 0

    @property
    def name(self) -> str:
        version = "" if self._schema is None else f" (schema {self._schema.version})"
        return f"{self._database.name}{version}"

    @property
    def identity(self) -> str:
        return self._database.name if self._database.path is None else f"recorder {self._database.path.absolute()}"

    @property
    def schema(self) -> RecorderSchema:
        assert self._schema is not None
        return self._schema

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._database.close)

    def _open(self) -> None:
        database = self._database
        database.open()
        try:
            tables = database.tables()
            version = None
            if "schema_changes" in tables:
                version = next(database.rows("SELECT max(schema_version) FROM schema_changes"))[0]
            self._schema = schema_of(database.name, version, tables)
            self._read_names()
        except BaseException:
            database.close()
            raise

    def _read_names(self) -> None:
        if self.schema.metadata_id:
            self._entities = dict(self._database.rows("SELECT metadata_id, entity_id FROM states_meta"))  # type: ignore[arg-type]
        if self.schema.statistics_meta:
            self._statistics = {
                number: (str(statistic), str(source or ""), str(unit or ""))
                for number, statistic, source, unit in self._database.rows(
                    "SELECT id, statistic_id, source, unit_of_measurement FROM statistics_meta"
                )
            }

    def left_out(self) -> dict[str, str]:
        found = {}
        if self._timeless:
            found[f"{self._timeless:,} states"] = TIMELESS
        if self._not_kept:
            found[", ".join(sorted(self._not_kept))] = "attributes that are not on the list of those kept"
        if not self.schema.statistics:
            found["long-term statistics"] = f"schema {self.schema.version} has none"
        return found

    # states ---------------------------------------------------------------------------------------------

    async def span(self) -> tuple[int, int] | None:
        return await asyncio.to_thread(self._span)

    def _span(self) -> tuple[int, int] | None:
        updated = self.schema.updated
        self._timeless = next(self._database.rows(f"SELECT count(*) FROM states WHERE {updated} IS NULL"))[0]
        first, last = next(self._database.rows(f"SELECT min({updated}), max({updated}) FROM states"))
        begin, end = self._database.nanoseconds((first, last))
        return None if begin is None or end is None else (begin, end + LAST_MICROSECOND)

    async def slices(self, start_ns: int, stop_ns: int) -> AsyncGenerator[Slice, None]:
        while start_ns < stop_ns:
            stop = self._pace.next(start_ns, stop_ns)
            found = await asyncio.to_thread(self._slice, start_ns, stop)
            if found is None:
                continue
            self._pace.saw(found.count)
            yield found
            start_ns = stop

    def _slice(self, start_ns: int, stop_ns: int) -> Slice | None:
        """None where it would be too much at once; the pace is slower then."""
        database, seconds = self._database, self.schema.seconds
        bounds = (database.moment(start_ns, seconds), database.moment(stop_ns, seconds))
        found = database.rows(self.schema.states(), bounds)
        rows = list(islice(found, self._pace.most + 1))
        if len(rows) > self._pace.most and self._pace.too_many():
            return None
        rows += found
        part = Slice(start_ns, stop_ns)
        self._learn_attributes({row[4] for row in rows if row[4] is not None}, part.incomplete)
        by_entity: dict[Any, list[Sequence[Any]]] = {}
        for row in rows:
            by_entity.setdefault(row[:2], []).append(row)
        for together in by_entity.values():
            self._take(together, part)
        return part

    def _take(self, rows: list[Sequence[Any]], found: Slice) -> None:
        """The rows of one entity, as `RecorderSchema.states` gives them."""
        entity_id, number = rows[0][:2]
        source_id = (self._entities.get(number) if number is not None else None) or entity_id
        entity = "" if not source_id else self._entity(source_id)
        why = NAMELESS if not source_id else "" if entity else NOT_WANTED
        if why:
            for time_ns in self._database.nanoseconds([row[5] for row in rows]):
                found.skipped.add(source_id or "states", why, time_ns or 0)
            return
        _, _, states, texts, numbers, updated, changed = zip(*rows, strict=True)
        if not all(states):
            removed = [row for row in rows if not row[2]]
            for time_ns in self._database.nanoseconds([row[5] for row in removed]):
                found.skipped.add(entity, REMOVED, time_ns or 0)
            if len(removed) < len(rows):
                self._take([row for row in rows if row[2]], found)
            return
        by_id = self._by_id.get
        attributes = [
            by_id(number, NO_ATTRIBUTES) if number is not None else self._of_text(text, found.incomplete)
            for number, text in zip(numbers, texts, strict=True)
        ]
        times = cast("list[int]", self._database.nanoseconds(updated))
        changes = [
            at if changed_ns is None else changed_ns
            for at, changed_ns in zip(times, self._database.nanoseconds(changed), strict=True)
        ]
        found.runs.append(Run(entity, SERIES, times, list(states), attributes, changes))

    def _entity(self, source_id: str) -> str:
        """Its present id; "" where it is not wanted."""
        entity = self._chosen.get(source_id)
        if entity is None:
            entity = self._rename.get(source_id, source_id)
            entity = self._chosen[source_id] = entity if self.wants(entity) else ""
        return entity

    def wants(self, entity_id: str) -> bool:
        if any(fnmatchcase(entity_id, one) for one in self._exclude):
            return False
        return not self._include or any(fnmatchcase(entity_id, one) for one in self._include)

    def _learn_attributes(self, ids: Iterable[Any], skipped: Skipped) -> None:
        new = sorted(set(ids) - self._by_id.keys())
        if len(self._by_id) + len(new) > REMEMBERED_ATTRIBUTES:
            self._by_id.clear()
            new = sorted(ids)
        for start in range(0, len(new), ASKED_AT_ONCE):
            some = new[start : start + ASKED_AT_ONCE]
            marks = ", ".join("?" * len(some))
            for number, text in self._database.rows(
                f"SELECT attributes_id, shared_attrs FROM state_attributes WHERE attributes_id IN ({marks})", some
            ):
                self._by_id[number] = self._parsed(text, skipped)

    def _of_text(self, text: str | None, skipped: Skipped) -> dict[str, Any]:
        """The attributes of a row that holds them itself, as older schemas do."""
        if not text:
            return NO_ATTRIBUTES
        known = self._by_text.get(text)
        if known is None:
            if len(self._by_text) >= REMEMBERED_ATTRIBUTES:
                self._by_text.clear()
            known = self._by_text[text] = self._parsed(text, skipped)
        return known

    def _parsed(self, text: str | None, skipped: Skipped) -> dict[str, Any]:
        """Those that are kept. The same object where they are the same: most of what changes is not kept."""
        try:
            given = json.loads(text or "{}")
        except ValueError:
            given = None
        if not isinstance(given, dict):
            skipped.add("attributes", NOT_JSON)
            given = {}
        self._not_kept.update(given.keys() - self._kept)
        kept = {name: value for name, value in given.items() if name in self._kept}
        if len(self._same) >= REMEMBERED_ATTRIBUTES:
            self._same.clear()
        return self._same.setdefault(repr(kept), kept)

    # statistics -----------------------------------------------------------------------------------------

    async def first_states(self) -> dict[str, int]:
        """When each entity's first state is: statistics are wanted for the time before."""

        def ask() -> dict[str, int]:
            found: dict[str, int] = {}
            for entity_id, number, first in self._database.rows(self.schema.first_states()):
                entity = entity_id or self._entities.get(number)
                (time_ns,) = self._database.nanoseconds((first,))
                if entity and time_ns is not None:
                    name = self._rename.get(entity, entity)
                    found[name] = min(time_ns, found.get(name, time_ns))
            return found

        return await asyncio.to_thread(ask)

    async def statistics_span(self) -> tuple[int, int] | None:
        if not self.schema.statistics:
            return None
        start = self.schema.start
        query = f"SELECT min({start}), max({start}) FROM statistics"
        first, last = await asyncio.to_thread(lambda: next(self._database.rows(query)))
        begin, end = self._database.nanoseconds((first, last))
        return None if begin is None or end is None else (begin, end + LAST_MICROSECOND)

    async def statistics(self, start_ns: int, stop_ns: int) -> AsyncIterator[tuple[int, list[StatisticHour], Skipped]]:
        """(until when, the hours in order of time, what was skipped), a few days at a time."""
        width = 2 * DAY
        while start_ns < stop_ns:
            stop = min(start_ns + width, stop_ns)
            hours, skipped = await asyncio.to_thread(self._statistic_hours, start_ns, stop)
            width = min(2 * width, 32 * DAY) if len(hours) < self._pace.wanted else max(width // 2, DAY // 4)
            yield stop, hours, skipped
            start_ns = stop

    def _statistic_hours(self, start_ns: int, stop_ns: int) -> tuple[list[StatisticHour], Skipped]:
        database, seconds = self._database, self.schema.statistics_seconds
        hours, skipped = [], Skipped()
        bounds = (database.moment(start_ns, seconds), database.moment(stop_ns, seconds))
        for key, start, mean, low, high, state, total in database.rows(self.schema.statistic_hours(), bounds):
            statistic, source, unit = self._statistics.get(key, (str(key), "recorder", ""))
            (time_ns,) = database.nanoseconds((start,))
            assert time_ns is not None
            if source != "recorder" or "." not in statistic or ":" in statistic:
                skipped.add(f"statistic {statistic}", EXTERNAL, time_ns)
                continue
            entity = self._rename.get(statistic, statistic)
            if not self.wants(entity):
                skipped.add(f"statistic {statistic}", NOT_WANTED, time_ns)
                continue
            hours.append(StatisticHour(time_ns, entity, unit, mean, low, high, state, total))
        return hours, skipped
