"""Recorder databases as Home Assistant made them over the years, with states and long-term statistics in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.operations.imports.homes import SECOND, State

RUNS = "CREATE TABLE schema_changes (change_id INTEGER PRIMARY KEY, schema_version INTEGER, changed {date})"
ATTRIBUTES = "CREATE TABLE state_attributes (attributes_id INTEGER PRIMARY KEY, hash BIGINT, shared_attrs TEXT)"
META = "CREATE TABLE states_meta (metadata_id INTEGER PRIMARY KEY, entity_id VARCHAR(255))"
# The columns that matter, of Home Assistant's own models, from the schema that brought them on.
STATES = {
    9: "domain VARCHAR(64), entity_id VARCHAR(255), state VARCHAR(255), attributes TEXT, event_id INTEGER,"
    " last_changed {date}, last_updated {date}, created {date}, old_state_id INTEGER",
    25: "entity_id VARCHAR(255), state VARCHAR(255), attributes TEXT, event_id INTEGER, last_changed {date},"
    " last_updated {date}, old_state_id INTEGER, attributes_id INTEGER",
    31: "entity_id VARCHAR(255), state VARCHAR(255), attributes TEXT, event_id INTEGER, last_changed {date},"
    " last_changed_ts {double}, last_updated {date}, last_updated_ts {double}, old_state_id INTEGER,"
    " attributes_id INTEGER, origin_idx SMALLINT",
    38: "entity_id VARCHAR(255), state VARCHAR(255), attributes TEXT, event_id INTEGER, last_changed {date},"
    " last_changed_ts {double}, last_updated {date}, last_updated_ts {double}, old_state_id INTEGER,"
    " attributes_id INTEGER, origin_idx SMALLINT, metadata_id INTEGER",
    43: "entity_id CHAR(1), state VARCHAR(255), attributes CHAR(1), event_id SMALLINT, last_changed {date},"
    " last_changed_ts {double}, last_reported_ts {double}, last_updated {date}, last_updated_ts {double},"
    " old_state_id BIGINT, attributes_id BIGINT, origin_idx SMALLINT, metadata_id BIGINT",
}
# Before 16 there were none.
STATISTICS = {
    16: "created {date}, source VARCHAR(32), statistic_id VARCHAR(255), start {date}, mean {double}, min {double},"
    " max {double}, last_reset {date}, state {double}, sum {double}",
    18: "created {date}, start {date}, mean {double}, min {double}, max {double}, last_reset {date}, state {double},"
    " sum {double}, metadata_id INTEGER",
    34: "created {date}, created_ts {double}, metadata_id INTEGER, start {date}, start_ts {double}, mean {double},"
    " min {double}, max {double}, last_reset {date}, last_reset_ts {double}, state {double}, sum {double}",
}
STATISTICS[53] = STATISTICS[34] + ", mean_weight {double}"
STATISTICS_META = {
    18: "statistic_id VARCHAR(255), source VARCHAR(32), unit_of_measurement VARCHAR(255), has_mean BOOLEAN,"
    " has_sum BOOLEAN, name VARCHAR(255)",
}
STATISTICS_META[50] = STATISTICS_META[18] + ", unit_class VARCHAR(255), mean_type SMALLINT"
TYPES = {
    "sqlite": {"date": "DATETIME", "double": "FLOAT"},
    "postgresql": {"date": "TIMESTAMP WITH TIME ZONE", "double": "DOUBLE PRECISION"},
    "mysql": {"date": "DATETIME(6)", "double": "DOUBLE"},
}
Execute = Callable[[str, Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Statistic:
    """One hour of long-term statistics."""

    time_ns: int
    entity_id: str
    unit: str = ""
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    state: float | None = None
    total: float | None = None
    source: str = "recorder"


def of_version(columns: dict[int, str], version: int) -> str | None:
    """What holds in a version; None before the first."""
    return columns.get(max((since for since in columns if since <= version), default=0))


class RecorderFile:
    """Makes the tables of one schema and fills them; `execute(sql, parameters)` runs in any of the three databases."""

    def __init__(self, execute: Execute, version: int, *, dialect: str = "sqlite", mark: str = "?") -> None:
        self._run, self.version, self._dialect, self._mark = execute, version, dialect, mark
        self._seconds, self._meta = version >= 31, version >= 38
        self._states = self._attributes = self._hours = 0
        self._ids: dict[tuple[str, str], int] = {}
        types = TYPES[dialect]
        execute(RUNS.format(**types), ())
        execute(f"INSERT INTO schema_changes (change_id, schema_version) VALUES (1, {version})", ())
        tables = {
            "states": (STATES, "state_id"),
            "statistics": (STATISTICS, "id"),
            "statistics_meta": (STATISTICS_META, "id"),
        }
        for table, (columns, key) in tables.items():
            if (found := of_version(columns, version)) is not None:
                execute(f"CREATE TABLE {table} ({key} INTEGER PRIMARY KEY, {found})".format(**types), ())
        if version >= 25:
            execute(ATTRIBUTES, ())
        if self._meta:
            execute(META, ())
        if self._dialect == "sqlite":
            execute(f"CREATE INDEX ix_states ON states ({'last_updated_ts' if self._seconds else 'last_updated'})", ())

    def _insert(self, table: str, **values: Any) -> None:
        marks = ", ".join([self._mark] * len(values))
        self._run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))

    def _id(self, table: str, key: str, **values: Any) -> int:
        found = self._ids.get((table, key))
        if found is None:
            found = self._ids[table, key] = sum(1 for name, _ in self._ids if name == table) + 1
            self._insert(table, **{name: found if value is ... else value for name, value in values.items()})
        return found

    def _time(self, column: str, time_ns: int | None, seconds: bool) -> dict[str, Any]:
        if seconds:
            return {f"{column}_ts": None if time_ns is None else time_ns / SECOND}
        if time_ns is None:
            return {column: None}
        moment = datetime.fromtimestamp(time_ns // 1000 / 1e6, UTC)
        if self._dialect == "postgresql":
            return {column: moment}
        plain = moment.replace(tzinfo=None)
        return {column: plain if self._dialect == "mysql" else plain.strftime("%Y-%m-%d %H:%M:%S.%f")}

    def add_states(self, states: Iterable[State]) -> None:
        changed: dict[str, tuple[str, int]] = {}
        for one in states:
            self._states += 1
            said, since = changed.get(one.entity_id, (None, 0))
            since = since if said == one.state else one.time_ns
            changed[one.entity_id] = (one.state, since)
            text = json.dumps(one.attributes)
            values: dict[str, Any] = {"state_id": self._states, "state": one.state}
            # From schema 31 on, nothing stands for "the same as last_updated".
            same = self._seconds and since == one.time_ns
            values |= self._time("last_updated", one.time_ns, self._seconds)
            values |= self._time("last_changed", None if same else since, self._seconds)
            if self.version >= 25:
                values["attributes_id"] = self._id("state_attributes", text, attributes_id=..., shared_attrs=text)
            else:
                values["attributes"] = text
            if self._meta:
                values["metadata_id"] = self._id("states_meta", one.entity_id, metadata_id=..., entity_id=one.entity_id)
            else:
                values["entity_id"] = one.entity_id
            self._insert("states", **values)

    def add_statistics(self, statistics: Iterable[Statistic]) -> None:
        for one in statistics:
            self._hours += 1
            values: dict[str, Any] = {"id": self._hours, **self._time("start", one.time_ns, self.version >= 34)}
            values |= {"mean": one.mean, "min": one.low, "max": one.high, "state": one.state, "sum": one.total}
            if self.version >= 18:
                values["metadata_id"] = self._id(
                    "statistics_meta",
                    one.entity_id,
                    id=...,
                    statistic_id=one.entity_id,
                    source=one.source,
                    unit_of_measurement=one.unit,
                )
            else:
                values |= {"statistic_id": one.entity_id, "source": one.source}
            self._insert("statistics", **values)
