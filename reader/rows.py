"""What a query answers with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import polars


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """One window of one entity; `time` is its start in UTC. Fields without a value are None.

    `avg_value` is `sum_value / value_count`, `event_count` counts all events with a state, `value_count` those
    with a number, `total_energy` is in kWh; the other values have the entity's own unit.
    """

    time: datetime
    entity_id: str
    domain: str
    device_class: str
    avg_value: float | None
    min_value: float | None
    max_value: float | None
    event_count: int
    sum_value: float | None
    value_count: int
    total_energy: float | None


def _pick(choose: Any, *values: float | None) -> float | None:
    present = [value for value in values if value is not None]
    return choose(present) if present else None


def merged(one: SummaryRow, other: SummaryRow) -> SummaryRow:
    """Two rows of one window: an entity that changed its device class within it."""
    count = one.value_count + other.value_count
    total = _pick(sum, one.sum_value, other.sum_value)
    later = other if other.device_class else one
    return SummaryRow(
        time=one.time,
        entity_id=one.entity_id,
        domain=later.domain,
        device_class=later.device_class,
        avg_value=total / count if total is not None and count else None,
        min_value=_pick(min, one.min_value, other.min_value),
        max_value=_pick(max, one.max_value, other.max_value),
        event_count=one.event_count + other.event_count,
        sum_value=total,
        value_count=count,
        total_energy=_pick(sum, one.total_energy, other.total_energy),
    )


def rows_from(records: Iterable[Mapping[str, Any]]) -> list[SummaryRow]:
    """Rows of one entity in order of time, one per window."""
    rows: dict[datetime, SummaryRow] = {}
    for record in records:
        row = SummaryRow(
            time=record["_time"],
            entity_id=record["entity_id"],
            domain=record.get("domain") or "",
            device_class=record.get("device_class") or "",
            avg_value=record.get("avg_value"),
            min_value=record.get("min_value"),
            max_value=record.get("max_value"),
            event_count=int(record.get("event_count") or 0),
            sum_value=record.get("sum_value"),
            value_count=int(record.get("value_count") or 0),
            total_energy=record.get("total_energy"),
        )
        rows[row.time] = merged(rows[row.time], row) if row.time in rows else row
    return [rows[time] for time in sorted(rows)]


def to_pandas(rows: Sequence[SummaryRow]) -> pandas.DataFrame:
    """A data frame with one column per field; needs `pip install hearthflux[pandas]`."""
    import pandas

    return pandas.DataFrame([asdict(row) for row in rows], columns=list(SummaryRow.__dataclass_fields__))


def to_polars(rows: Sequence[SummaryRow]) -> polars.DataFrame:
    """A data frame with one column per field; needs `pip install hearthflux[polars]`."""
    import polars

    return polars.DataFrame([asdict(row) for row in rows], infer_schema_length=None)
