"""Points to Arrow tables and back: typed columns from the declaration, and one for whatever else a day holds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from event_schema import Field, Kind, Measurement, Tag, attribute_kind
from operations.archive.manifest import Column
from operations.influxql import Series

ATTRIBUTE = "attribute_"
TIME = pa.field("time", pa.timestamp("ns", tz="UTC"), nullable=False)
ARROW_TYPES: Mapping[Kind, pa.DataType] = {
    "string": pa.string(),
    "float": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
}
KIND_OF: Mapping[type, Kind] = {str: "string", float: "float", int: "integer", bool: "boolean"}

Key = tuple[str, str, Kind]  # role, key, kind


@dataclass(slots=True)
class Columns:
    """The columns of a day's file, after `time`: every declared tag and field first, then what was found beyond."""

    measurement: Measurement
    known: dict[Key, Column] = field(default_factory=dict)

    @classmethod
    def declared(cls, measurement: Measurement) -> Columns:
        made = cls(measurement)
        for tag in measurement.tag_names:
            made.add("tag", tag, "string")
        for one in measurement.fields:
            made.add("field", one.name, one.kind)
        return made

    @classmethod
    def of(cls, measurement: Measurement, columns: Iterable[Column]) -> Columns:
        return cls(measurement, {(one.role, one.key, one.kind): one for one in columns})

    def expected(self, key: str) -> Kind:
        """The kind that a field has by the declaration; attributes and strangers have an attribute's."""
        for one in self.measurement.fields:
            if one.name == key:
                return one.kind
        return attribute_kind(key.removeprefix(ATTRIBUTE))

    def add(self, role: str, key: str, kind: Kind) -> Column:
        """The column of a key. A field of another kind than declared, or named like a tag, tells its kind in its
        name: `duration_seconds:float`."""
        found = self.known.get((role, key, kind))
        if found is None:
            taken = {"time"} | {column.name for column in self.known.values()}
            name = key if (role == "tag" or kind == self.expected(key)) and key not in taken else f"{key}:{kind}"
            while name in taken:
                name += "_"
            found = self.known[role, key, kind] = Column(name, key, role, kind)
        return found

    @property
    def all(self) -> tuple[Column, ...]:
        """Tags before fields, the declared ones first: the same columns are in the same order."""
        declared = [*self.measurement.tag_names, *self.measurement.field_names]
        order = {name: number for number, name in enumerate(declared)}
        return tuple(
            sorted(
                self.known.values(),
                key=lambda column: (column.role != "tag", order.get(column.name, len(order)), column.name),
            )
        )

    @property
    def tags(self) -> tuple[Column, ...]:
        return tuple(column for column in self.all if column.role == "tag")

    @property
    def fields(self) -> tuple[Column, ...]:
        return tuple(column for column in self.all if column.role == "field")

    def schema(self, about: Mapping[str, str]) -> pa.Schema:
        columns = [
            pa.field(
                column.name,
                ARROW_TYPES[column.kind],
                metadata={"role": column.role, "key": column.key, "kind": column.kind},
            )
            for column in self.all
        ]
        return pa.schema([TIME, *columns], metadata={"hearthflux": json.dumps(dict(about))})


class PointTable:
    """Gathers series into columns; `columns` grows by what is found that it does not know yet."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.grew = False
        self._times: list[int] = []
        self._cells: dict[Key, list[Any]] = {}

    def add(self, series: Series) -> None:
        count, before = len(series.rows), len(self._times)
        if not count:
            return
        times, *cells = zip(*series.rows, strict=True)
        self._times += times
        for key, value in series.tags.items():
            self._column("tag", key, "string", before).extend([value] * count)
        for key, values in zip(series.columns[1:], cells, strict=True):
            first = next((value for value in values if value is not None), None)
            if first is not None:
                self._column("field", key, KIND_OF[type(first)], before).extend(values)
        for held in self._cells.values():
            held += [None] * (len(self._times) - len(held))

    def _column(self, role: str, key: str, kind: Kind, length: int) -> list[Any]:
        place: Key = (role, key, kind)
        if place not in self.columns.known:
            self.columns.add(role, key, kind)
            self.grew = True
        if place not in self._cells:
            self._cells[place] = [None] * length
        return self._cells[place]

    def table(self) -> pa.Table:
        """Sorted by time, then by tags: the same points give the same table."""
        count, schema = len(self._times), self.columns.schema({})
        arrays = [pa.array(self._times, pa.int64()).cast(TIME.type)]
        for column, wanted in zip(self.columns.all, list(schema)[1:], strict=True):
            cells = self._cells.get((column.role, column.key, column.kind))
            arrays.append(pa.nulls(count, wanted.type) if cells is None else pa.array(cells, wanted.type))
        table = pa.Table.from_arrays(arrays, schema=schema)
        return table.sort_by([("time", "ascending"), *((one.name, "ascending") for one in self.columns.tags)])


def aligned(table: pa.Table, columns: Columns) -> pa.Table:
    """With a column, perhaps of nothing, for each that was found since."""
    present = set(table.column_names)
    schema = columns.schema({})
    arrays = [table.column(one.name) if one.name in present else pa.nulls(table.num_rows, one.type) for one in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def value_counts(table: pa.Table, columns: Columns) -> dict[str, int]:
    """Values by field, over its kinds; fields that have some."""
    counts: dict[str, int] = {}
    for column in columns.fields:
        cells = table.column(column.name)
        if len(cells) > cells.null_count:
            counts[column.key] = counts.get(column.key, 0) + len(cells) - cells.null_count
    return counts


# rows: what merging, comparing, restoring and migrating work on -------------------------------------------

Tags = tuple[tuple[str, str], ...]
Point = tuple[int, Tags]
Fields = dict[tuple[str, Kind], Any]


def points(batch: pa.Table | pa.RecordBatch, columns: Columns) -> Iterator[tuple[Point, Fields]]:
    """(time in ns, its tags) -> the fields that it has."""
    times = batch.column("time").cast(pa.int64()).to_pylist()
    tags = [(column.key, batch.column(column.name).to_pylist()) for column in columns.tags]
    fields = [((column.key, column.kind), batch.column(column.name).to_pylist()) for column in columns.fields]
    for row, moment in enumerate(times):
        yield (
            (moment, tuple((key, cells[row]) for key, cells in tags if cells[row] is not None)),
            {key: cells[row] for key, cells in fields if cells[row] is not None},
        )


def table_of(rows: Mapping[Point, Fields], columns: Columns) -> pa.Table:
    held = PointTable(columns)
    for (moment, tags), fields in rows.items():
        names = list(fields)
        held.add(Series("", dict(tags), ["time", *(key for key, _ in names)], [[moment, *fields.values()]]))
    return held.table()


def merged(archived: Iterable[tuple[Point, Fields]], stored: Iterable[tuple[Point, Fields]]) -> dict[Point, Fields]:
    """Every point of both; where both have a field, the server's value.

    A point may come in several rows: Flux's `to` makes another series of the same tags in another order.
    """
    rows: dict[Point, Fields] = {}
    for point, fields in itertools.chain(archived, stored):
        rows.setdefault(point, {}).update(fields)
    return rows


def layers(name: str, columns: Sequence[Column]) -> list[tuple[Measurement, list[Column]]]:
    """What the writer can write at once: a point has one value of a field, so a second kind of it comes in a second
    layer. Raises ValueError for a name that our writer does not write."""
    tags = [one for one in columns if one.role == "tag"]
    remaining = [one for one in columns if one.role == "field"]
    found = []
    while remaining:
        layer = list({one.key: one for one in reversed(remaining)}.values())[::-1]
        remaining = [one for one in remaining if one not in layer]
        measurement = Measurement(
            name=name,
            tags=tuple(Tag(name=one.key, description="") for one in tags),
            fields=tuple(Field(name=one.key, kind=one.kind, description="") for one in layer),
        )
        found.append((measurement, layer))
    return found
