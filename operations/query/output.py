"""Rows as a table for people, as JSON or CSV for programs."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table

from operations.query.kinds import Kind, named
from reader.changers import ChangeRow
from reader.patterns import AnomalyRow, ComparisonRow, Hemisphere
from reader.rows import SummaryRow, columns
from reader.whole_home import EnergyRow


def plain(value: Any, zone: ZoneInfo) -> Any:
    """A value as JSON has it: instants in the home's time, with its distance from UTC."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def objects(rows: Sequence[Any], zone: ZoneInfo) -> list[Any]:
    return [
        {name: plain(value, zone) for name, value in dataclasses.asdict(row).items()}
        if dataclasses.is_dataclass(row) and not isinstance(row, type)
        else row
        for row in rows
    ]


def as_json(rows: Sequence[Any], zone: ZoneInfo) -> str:
    """One array on one line."""
    return json.dumps(objects(rows, zone), ensure_ascii=False)


def as_csv(rows: Sequence[Any], kind: Kind, zone: ZoneInfo) -> str:
    """A line of names, then a line per row; empty where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not dataclasses.is_dataclass(kind.row):
        writer.writerow(["entity_id"])
        writer.writerows([row] for row in rows)
        return text.getvalue()
    writer.writerow(columns(rows, kind.row))
    for row in objects(rows, zone):
        writer.writerow(["" if value is None else value for value in row.values()])
    return text.getvalue()


# tables -----------------------------------------------------------------------------------------------------


def digits(values: Sequence[float]) -> int:
    """Behind the point: two, more where all values are small."""
    biggest = max((abs(value) for value in values), default=1.0)
    return 2 if biggest >= 1 or biggest == 0 else min(8, 3 - math.floor(math.log10(biggest)))


def number(value: float, places: int = 2) -> str:
    return f"{value:,.{places}f}"


def signed(value: float, places: int = 2) -> str:
    return f"{value:+,.{places}f}"


def length(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def percent(value: float) -> str:
    return f"{value:+.1f} %"


def share(value: float) -> str:
    return f"{value * 100:.1f} %"


# Heading and form of each field that a table shows; fields without a value in any row are left out.
SHOWN: Mapping[str, tuple[str, Callable[..., str]]] = {
    "time_weighted_avg": ("mean over time", number),
    "avg_value": ("mean of reports", number),
    "mean_temperature": ("mean", number),
    "degree_days": ("degree days", number),
    "value": ("value", number),
    "before": ("before", number),
    "before_label": ("against", str),
    "change": ("change", signed),
    "change_percent": ("%", percent),
    "expected": ("expected", number),
    "lower": ("from", number),
    "upper": ("to", number),
    "history": ("weekdays", str),
    "min_value": ("min", number),
    "max_value": ("max", number),
    "first_value": ("first", number),
    "last_value": ("last", number),
    "on_seconds": ("time on", length),
    "total_energy": ("kWh", number),
    "energy": ("kWh", number),
    "share": ("share", share),
    "entities": ("entities", str),
    "increase": ("increase", number),
    "score": ("score", number),
    "event_count": ("events", "{:,}".format),
}


# What is in the unit of the entity; everything else says its own.
OWN_UNIT = frozenset(
    {
        "time_weighted_avg",
        "avg_value",
        "min_value",
        "max_value",
        "first_value",
        "last_value",
        "increase",
        "mean_temperature",
    }
)
# What says nothing about a meter, whose reading only rises.
NOT_OF_METERS = frozenset({"time_weighted_avg", "avg_value"})


def measured_in(rows: Sequence[Any], unit: str) -> str:
    """The entity's unit where any of the values that are shown has it, else empty."""
    if isinstance(rows[0], ComparisonRow | AnomalyRow):
        return unit if rows[0].measure in OWN_UNIT else ""
    return unit if any(getattr(row, name, None) is not None for row in rows for name in OWN_UNIT) else ""


def places_of(name: str, rows: Sequence[Any]) -> int:
    """How many digits a column of numbers has behind the point."""
    if SHOWN[name][1] not in (number, signed):
        return 2
    return digits([value for row in rows if (value := getattr(row, name, None)) is not None])


def cell(name: str, value: Any, places: int) -> str:
    """A value as a table or a bar says it; empty where there is none."""
    if value is None:
        return ""
    form = SHOWN[name][1]
    return form(value, places) if form in (number, signed) else form(value)


def table(
    rows: Sequence[Any], kind: Kind, title: str, zone: ZoneInfo, hemisphere: Hemisphere, *, width: int | None
) -> str:
    """As text with the terminal's own colours where it has them."""
    if rows and isinstance(rows[0], str):
        return "\n".join(rows)
    meters = any(getattr(row, "increase", None) is not None for row in rows)
    shown = [
        name
        for name in SHOWN
        if any(getattr(row, name, None) is not None for row in rows) and not (meters and name in NOT_OF_METERS)
    ]
    drawn = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    drawn.add_column(_heading(kind), no_wrap=True)
    for name in shown:
        drawn.add_column(SHOWN[name][0], justify="left" if name == "before_label" else "right")
    remarks = [_remark(row) for row in rows]
    places = {name: places_of(name, rows) for name in shown}
    if any(remarks):
        drawn.add_column("")
    for row, remark in zip(rows, remarks, strict=True):
        moment = getattr(row, "time", datetime(2000, 1, 1, tzinfo=UTC)).astimezone(zone)
        cells = [named(row, kind.width, moment, hemisphere)]
        cells += [cell(name, getattr(row, name), places.get(name, 2)) for name in shown]
        drawn.add_row(*cells, *([remark] if any(remarks) else []))
    total = _total(rows)
    console = Console(width=width)
    with console.capture() as captured:
        console.print(title, style="bold", markup=False, highlight=False)
        console.print(drawn)
    return captured.get().rstrip("\n") + (f"\n{total}" if total else "")


def _heading(kind: Kind) -> str:
    return {"energy_by:entity_id": "entity", "top_changers": "entity"}.get(
        kind.method, kind.method.removeprefix("energy_by:").replace("_", " ") if "energy_by" in kind.method else ""
    )


def _remark(row: Any) -> str:
    said = [SHOWN[row.measure][0] if isinstance(row, ChangeRow) else "", came_from(row)]
    if isinstance(row, SummaryRow) and not row.complete:
        said.append("not whole")
    if isinstance(row, AnomalyRow):
        said.append("unusual" if row.anomalous else "too little history" if row.anomalous is None else "")
    return ", ".join(filter(None, said))


def came_from(row: Any) -> str:
    """Where a row's values came from, if not from events alone."""
    source, before = getattr(row, "source", "events"), getattr(row, "before_source", None)
    if source and before and source != before:
        return f"{source} against {before}"
    found = source or before
    return "" if found in (None, "events") else str(found)


def _total(rows: Sequence[Any]) -> str:
    if rows and isinstance(rows[0], EnergyRow):
        return f"together {number(sum(row.energy for row in rows))} kWh"
    if rows and hasattr(rows[0], "degree_days"):
        below = sum(row.degree_days for row in rows)
        return f"together {number(below)} degree days below {rows[0].base:g} in {len(rows)} days"
    if rows and isinstance(rows[0], ComparisonRow | AnomalyRow):
        return f"values: {SHOWN[rows[0].measure][0]}"
    return ""
