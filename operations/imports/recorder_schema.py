"""What Home Assistant's recorder looked like over the years, as far as it has to be read.

    9 to 24     states hold entity_id and attributes as text; times are dates
    16 and on   long-term statistics, from 18 on their names and units in a table of their own, statistics_meta
    25 and on   attributes in a table of their own, state_attributes
    31 and on   times are seconds since 1970 (last_updated_ts), from 34 on those of statistics too (start_ts)
    38 and on   entity ids in a table of their own, states_meta

The schema's number says which tables to expect; the columns that are really there say what can be read: a database
whose migration was interrupted has both the old and the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from operations.imports.reading import SourceError

OLDEST, NEWEST = 9, 53
SECONDS_SINCE = 31

NOT_RECORDER = "it has no tables states and schema_changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderSchema:
    """How to read one database: which columns hold entity, attributes and time."""

    version: int
    seconds: bool
    entity_id: bool
    metadata_id: bool
    attributes: bool
    attributes_id: bool
    statistics: bool
    statistics_meta: bool
    statistics_seconds: bool
    mean_type: bool

    @property
    def updated(self) -> str:
        return "last_updated_ts" if self.seconds else "last_updated"

    @property
    def changed(self) -> str:
        return "last_changed_ts" if self.seconds else "last_changed"

    @property
    def start(self) -> str:
        return "start_ts" if self.statistics_seconds else "start"

    def states(self) -> str:
        """Rows of [?, ?) in order of time: entity id, its number, state, attributes, their number, times."""
        columns = [
            "entity_id" if self.entity_id else "NULL",
            "metadata_id" if self.metadata_id else "NULL",
            "state",
            "attributes" if self.attributes else "NULL",
            "attributes_id" if self.attributes_id else "NULL",
            self.updated,
            self.changed,
        ]
        return (
            f"SELECT {', '.join(columns)} FROM states WHERE {self.updated} >= ? AND {self.updated} < ?"
            f" ORDER BY {self.updated}, state_id"
        )

    def first_states(self) -> str:
        """Entity id, its number, the time of its first state."""
        parts = []
        if self.metadata_id:
            parts.append(self._firsts("NULL, metadata_id", "metadata_id", "metadata_id IS NOT NULL"))
        if self.entity_id:
            # Beside the others only those that Home Assistant has not moved yet.
            rest = "metadata_id IS NULL AND " if self.metadata_id else ""
            parts.append(self._firsts("entity_id, NULL", "entity_id", f"{rest}entity_id IS NOT NULL"))
        return " UNION ALL ".join(parts)

    def _firsts(self, named: str, by: str, where: str) -> str:
        return f"SELECT {named}, min({self.updated}) FROM states WHERE {where} GROUP BY {by}"

    def statistic_hours(self) -> str:
        """Rows of [?, ?) in order of time: statistic, start, mean, min, max, state, sum."""
        by = "metadata_id" if self.statistics_meta else "statistic_id"
        return (
            f"SELECT {by}, {self.start}, mean, {quoted('min')}, {quoted('max')}, state, {quoted('sum')}"
            f" FROM statistics WHERE {self.start} >= ? AND {self.start} < ? ORDER BY {self.start}, id"
        )


def quoted(name: str) -> str:
    """A column whose name is a function's too: with its table in front it needs no quotes in any dialect."""
    return f"statistics.{name}"


def schema_of(where: str, version: int | None, tables: Mapping[str, frozenset[str]]) -> RecorderSchema:
    """How to read the database `where`, of its tables' columns. Raises SourceError for what is unknown."""
    if "states" not in tables or "schema_changes" not in tables:
        shown = ", ".join(sorted(tables)[:6]) or "none"
        raise SourceError(f"{where} is not Home Assistant's recorder: {NOT_RECORDER} (its tables: {shown}).")
    if version is None:
        raise SourceError(f"{where} has no schema number in schema_changes: is Home Assistant just making it?")
    if not OLDEST <= version <= NEWEST:
        raise SourceError(
            f"{where} has the recorder schema {version}, which is not known here: {OLDEST} to {NEWEST} are. "
            "A later hearthflux may know it."
        )
    states = tables["states"]
    statistics = tables.get("statistics", frozenset())
    seconds = version >= SECONDS_SINCE and "last_updated_ts" in states
    needed = {"state_id", "state", "last_updated_ts" if seconds else "last_updated"}
    if missing := sorted(needed - states):
        raise SourceError(f"{where} says schema {version}, but its table states has no {', '.join(missing)}.")
    return RecorderSchema(
        version=version,
        seconds=seconds,
        entity_id="entity_id" in states,
        metadata_id="metadata_id" in states and "states_meta" in tables,
        attributes="attributes" in states,
        attributes_id="attributes_id" in states and "state_attributes" in tables,
        statistics={"mean", "sum"} <= statistics,
        statistics_meta="metadata_id" in statistics and "statistics_meta" in tables,
        statistics_seconds=version >= SECONDS_SINCE and "start_ts" in statistics,
        mean_type="mean_type" in tables.get("statistics_meta", frozenset()),
    )
