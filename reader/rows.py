"""What a query over windows answers with, and how it becomes a data frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from event_schema import SUMMARY_FIELDS
from event_schema.calendar import Span
from event_schema.roll_up import merged

if TYPE_CHECKING:
    import pandas
    import polars

Values = Mapping[str, float]
FIELD_NAMES = tuple(field.name for field in SUMMARY_FIELDS)
COUNTS = frozenset(field.name for field in SUMMARY_FIELDS if field.kind == "integer")
PARTS = {field.name: field.parts for field in SUMMARY_FIELDS if field.parts is not None}
# Where the values of a row came from: this home's events, Home Assistant's long-term statistics, or some from each.
Source = Literal["events", "statistics", "mixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """One window of one entity: an hour, a day, a week, a month, a season or a year. Fields without a value are None.

    `time` is the window's start, `stop` its end, both in UTC; a running window ends at the moment of the query.
    `complete` is False of a running window and of one whose beginning is past its retention. `total_energy` is in kWh,
    the seconds are seconds, the other values have the entity's own unit. What each field says: docs/summaries.md.

    `source` says where the values came from. Statistics know no counts (None) and nothing that is made of them; a mixed
    row has the values that both its events and its statistics can answer for.
    """

    time: datetime
    stop: datetime
    entity_id: str
    domain: str
    device_class: str
    avg_value: float | None = None
    min_value: float | None = None
    max_value: float | None = None
    event_count: int | None = 0
    sum_value: float | None = None
    value_count: int | None = 0
    total_energy: float | None = None
    value_seconds: float | None = None
    covered_seconds: float | None = None
    time_weighted_avg: float | None = None
    on_seconds: float | None = None
    first_value: float | None = None
    last_value: float | None = None
    last_holds: float | None = None
    increase: float | None = None
    complete: bool = True
    source: Source = "events"


@dataclass(frozen=True, slots=True)
class Summed:
    """The values of one window of one entity, of which class it was, and where they came from."""

    domain: str
    device_class: str
    values: Values
    source: Source = "events"


def source_of(sources: Iterable[Source | None]) -> Source:
    """What several together came from; None is of what is not there."""
    found = {source for source in sources if source is not None}
    return found.pop() if len(found) == 1 else "mixed" if found else "events"


def answered(windows: Sequence[Summed], values: Values) -> tuple[dict[str, float], Source]:
    """What windows come to together, without what only those from events, or only those from statistics, can say."""
    source = source_of(window.source for window in windows)
    if source != "mixed":
        return dict(values), source
    events, statistics = (
        {name for window in windows if window.source == one for name in window.values}
        for one in ("events", "statistics")
    )
    both = events & statistics
    return {name: value for name, value in values.items() if both.issuperset(PARTS.get(name, (name,)))}, source


def one_per_window(parts: Iterable[tuple[datetime, Summed]]) -> dict[datetime, Summed]:
    """The windows in order; several rows of one window (the entity's class changed in it) are made one.

    Its class is that of the row which the entity's last number is in, else any that it had.
    """
    found: dict[datetime, list[Summed]] = {}
    for start, part in parts:
        found.setdefault(start, []).append(part)
    return {start: found[start][0] if len(found[start]) == 1 else _joined(found[start]) for start in sorted(found)}


def _joined(parts: Sequence[Summed]) -> Summed:
    latest = max(parts, key=lambda one: (one.values.get("last_holds", 0.0), bool(one.device_class), one.device_class))
    return Summed(latest.domain, latest.device_class, merged(one.values for one in parts))


def summed_from(records: Iterable[Mapping[str, Any]]) -> tuple[dict[datetime, Summed], dict[datetime, Summed]]:
    """The windows that the rows of `queries/summaries.flux.j2` hold: those from events, those from statistics."""
    found: dict[Source, list[tuple[datetime, Summed]]] = {"events": [], "statistics": []}
    for record in records:
        source: Source = record["result"]
        values = {name: value for name in FIELD_NAMES if (value := record.get(name)) is not None}
        if values.get("covered_seconds") == 0.0:
            # A mean that a late event took the time from: the task that computed the row again cannot delete it.
            values.pop("time_weighted_avg", None)
        if source == "statistics":
            # Whether a statistic's state still holds in a window without one is not known.
            values.pop("last_holds", None)
        window = Summed(record.get("domain") or "", record.get("device_class") or "", values, source)
        found[source].append((record["_time"], window))
    # A statistic is one row. Where it was brought in under two classes, both say the same.
    statistics = sorted(found["statistics"], key=lambda one: (one[0], one[1].device_class))
    return one_per_window(found["events"]), dict(statistics)


def summary_row(entity_id: str, span: Span, window: Summed, *, complete: bool) -> SummaryRow:
    values: dict[str, Any] = dict(window.values)
    for name in COUNTS:
        values[name] = int(values.get(name) or 0) if window.source == "events" else None
    return SummaryRow(
        time=span.start,
        stop=span.stop,
        entity_id=entity_id,
        domain=window.domain,
        device_class=window.device_class,
        complete=complete,
        source=window.source,
        **values,
    )


def columns(rows: Sequence[Any], kind: type = SummaryRow) -> list[str]:
    """The names of a typed row's fields; `kind` says which row where there is none."""
    return [field.name for field in dataclasses.fields(rows[0] if rows else kind)]


def to_pandas(rows: Sequence[Any], kind: type = SummaryRow) -> pandas.DataFrame:
    """A data frame with one column per field of the rows; needs `pip install hearthflux[pandas]`.

    Times are in UTC. `kind` names the row's class, for the columns of an empty frame.
    """
    import pandas

    frame = pandas.DataFrame([dataclasses.asdict(row) for row in rows], columns=columns(rows, kind))
    for field in dataclasses.fields(rows[0] if rows else kind):
        if "datetime" in str(field.type):
            frame[field.name] = pandas.to_datetime(frame[field.name], utc=True)
        elif field.type == "int | None":
            frame[field.name] = frame[field.name].astype("Int64")
    return frame


def to_polars(rows: Sequence[Any], kind: type = SummaryRow) -> polars.DataFrame:
    """A data frame with one column per field of the rows; needs `pip install hearthflux[polars]`.

    Times are in UTC. `kind` names the row's class, for the columns of an empty frame.
    """
    import polars

    types = {
        "datetime": polars.Datetime("us", "UTC"),
        "float": polars.Float64(),
        "int": polars.Int64(),
        "bool": polars.Boolean(),
        "str": polars.String(),
        "date": polars.Date(),
        "Source": polars.String(),
    }
    schema = {
        field.name: types[str(field.type).split(" |")[0]] for field in dataclasses.fields(rows[0] if rows else kind)
    }
    return polars.DataFrame([dataclasses.asdict(row) for row in rows], schema=schema)
