"""Rows as they are stored: read, compared with what they should be, written and deleted."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from event_schema import SUMMARY_FIELDS
from flux_tasks.raw import nanoseconds
from flux_tasks.rows import Key, Row
from flux_tasks.server import SummaryServer
from flux_tasks.specs import Downsample
from templates.render import render

RELATIVE_TOLERANCE = 1e-9
KINDS = {field.name: field.kind for field in SUMMARY_FIELDS}
# A window whose look-back is partly past the raw events' retention keeps what it has of these.
NEED_LOOK_BACK = frozenset(
    field.name
    for field in SUMMARY_FIELDS
    if field.function in ("value_time", "known_time", "on_time", "time_mean", "increase")
)
_TAG_ESCAPES = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\="})


async def stored_rows(server: SummaryServer, spec: Downsample, start: datetime, stop: datetime) -> dict[Key, Row]:
    """The rows whose windows begin in [start, stop). Raises ServerProblem."""
    rows: dict[Key, Row] = defaultdict(dict)
    for row in await server.rows(render("downsample/stored.flux.j2", spec=spec, start=start, stop=stop), nanoseconds):
        key = Key(row["entity_id"], row.get("domain") or "", row.get("device_class") or "", row["_time"])
        rows[key][row["_field"]] = row["_value"]
    return dict(rows)


def same(name: str, one: float | None, other: float | None, row: Row) -> bool:
    """Whether two values of a field are equal; floats within 1e-9, relative to the value or, where terms cancel, to a
    share of the terms."""
    if one is None or other is None or KINDS.get(name) == "integer":
        return one == other
    largest = max(abs(row.get("min_value", 0.0)), abs(row.get("max_value", 0.0)), abs(row.get("first_value", 0.0)))
    terms = {"value_seconds": row.get("covered_seconds", 0.0), "sum_value": row.get("value_count", 0)}
    return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-14 * largest * terms.get(name, 1.0))


def wanted_row(expected: Row | None, stored: Row | None, *, edge: bool) -> Row:
    """What should be stored. At the edge of the retention fields that need more than is left stay as they are."""
    if not edge or not stored:
        return expected or {}
    kept = {name: value for name, value in stored.items() if name in NEED_LOOK_BACK}
    return {name: value for name, value in (expected or {}).items() if name not in NEED_LOOK_BACK or not kept} | kept


@dataclass(frozen=True, slots=True)
class Difference:
    """Fields to write, by row; rows that are there and should not be, or have a field that they should not have."""

    to_write: Mapping[Key, Row]
    surplus: frozenset[Key]

    @property
    def starts(self) -> set[int]:
        return {key.start for key in (*self.to_write, *self.surplus)}


def changes(expected: Mapping[Key, Row], stored: Mapping[Key, Row]) -> Difference:
    """What makes the stored rows those that are expected. Pure."""
    to_write: dict[Key, Row] = {}
    surplus: set[Key] = set()
    for key in expected.keys() | stored.keys():
        want, have = expected.get(key, {}), stored.get(key, {})
        if have.keys() - want.keys():
            surplus.add(key)
        different = {name: value for name, value in want.items() if not same(name, value, have.get(name), want)}
        if different:
            to_write[key] = different
    return Difference(to_write, frozenset(surplus))


def _value(name: str, value: float) -> str:
    return f"{int(value)}i" if KINDS.get(name) == "integer" else repr(float(value))


def lines(spec: Downsample, rows: Mapping[Key, Row]) -> Iterator[str]:
    """The rows in line protocol, tags in the order in which the server sorts them."""
    for key, row in rows.items():
        tags = {"device_class": key.device_class, "domain": key.domain, "entity_id": key.entity_id}
        text = "".join(f",{name}={value.translate(_TAG_ESCAPES)}" for name, value in tags.items() if value)
        fields = ",".join(f"{name}={_value(name, value)}" for name, value in row.items())
        if fields:
            yield f"{spec.target_measurement}{text} {fields} {key.start}"


async def apply(server: SummaryServer, spec: Downsample, expected: Mapping[Key, Row], difference: Difference) -> None:
    """Write what differs, then take away what is too much, row by row. Raises ServerProblem.

    InfluxDB deletes no single field, and of rows without a device class all of the entity's in the domain: what belongs
    there is written again at once. Who is told to stop stops after that, so that no row is left out.
    """
    await server.write_lines(spec.target_bucket, list(lines(spec, difference.to_write)))
    beside: dict[tuple[str, str, int], dict[Key, Row]] = defaultdict(dict)
    if difference.surplus:
        for key, row in expected.items():
            beside[key.entity_id, key.domain, key.start][key] = row
    for key in sorted(difference.surplus):
        near = beside[key.entity_id, key.domain, key.start]
        again = {other: row for other, row in near.items() if not key.device_class or other == key}
        work = asyncio.ensure_future(_replace_row(server, spec, key, again))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await work
            raise


async def _replace_row(server: SummaryServer, spec: Downsample, key: Key, by: Mapping[Key, Row]) -> None:
    await server.delete_row(
        spec.target_bucket, spec.target_measurement, key.start, key.entity_id, key.domain, key.device_class
    )
    await server.write_lines(spec.target_bucket, list(lines(spec, by)))
