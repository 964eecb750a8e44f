"""The queries by the names that the command line gives them: what each takes and how its rows are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal

from event_schema.calendar import first_day
from operations.errors import UserError
from reader.changers import ChangeRow
from reader.patterns import AUTOMATIC, AnomalyRow, ComparisonRow, DegreeDayRow, Hemisphere, ProfileRow, label
from reader.periods import Width
from reader.rows import SummaryRow
from reader.whole_home import EnergyRow

STATISTICS = frozenset({"no_statistics"})
SPAN = STATISTICS | {"start", "stop"}
WINDOWS = SPAN | {"running"}
Shape = Literal["line", "bars"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One query. `method` is the reader's, `row` what it answers with, `takes` the options it knows beside the span;
    `plotted` are the columns of a plot, of which the first that has values is drawn; `empty` is said where a question
    to the whole home has no rows."""

    method: str
    help: str
    row: type
    takes: frozenset[str] = WINDOWS
    entity: bool = True
    default: str
    width: Width | None = None
    shape: Shape = "line"
    plotted: tuple[str, ...] = AUTOMATIC
    empty: str = "Nothing was stored in this span."


def _windows(name: str, width: Width, help_text: str, default: str) -> Kind:
    return Kind(method=f"query_{name}_summaries", help=help_text, row=SummaryRow, default=default, width=width)


def _energy(by: str, words: str) -> Kind:
    return Kind(
        method=f"energy_by:{by}",
        help=f"kWh by {words}",
        row=EnergyRow,
        entity=False,
        default="30d",
        shape="bars",
        plotted=("energy",),
    )


KINDS: Mapping[str, Kind] = {
    "hourly": _windows("hourly", "hour", "each hour (of UTC)", "1d"),
    "daily": _windows("daily", "day", "each day of the home", "30d"),
    "weekly": _windows("weekly", "week", "each week, from Monday on", "12w"),
    "monthly": _windows("monthly", "month", "each month", "1y"),
    "seasonal": _windows("seasonal", "season", "each season; winter begins in December", "2y"),
    "yearly": _windows("yearly", "year", "each year", "7y"),
    "hour-profile": Kind(
        method="hour_profile",
        help="how the hours of the day differ",
        default="90d",
        row=ProfileRow,
        takes=SPAN,
        shape="bars",
        plotted=("energy", "increase", "on_seconds", "time_weighted_avg", "avg_value"),
    ),
    "weekday-profile": Kind(
        method="weekday_profile",
        help="how the weekdays differ",
        default="1y",
        row=ProfileRow,
        takes=SPAN,
        shape="bars",
        plotted=("energy", "increase", "on_seconds", "time_weighted_avg", "avg_value"),
    ),
    "season-against-season": Kind(
        method="season_against_season",
        help="each season beside that of the year before",
        default="2y",
        row=ComparisonRow,
        takes=STATISTICS | {"measure", "against", "running"},
        width="season",
        shape="bars",
        plotted=("change",),
    ),
    "year-over-year": Kind(
        method="year_over_year",
        help="each month (or --by) beside that of the year before",
        default="1y",
        row=ComparisonRow,
        takes=STATISTICS | {"measure", "by", "running"},
        shape="bars",
        plotted=("change",),
    ),
    "heating-degree-days": Kind(
        method="heating_degree_days",
        help="how far each day's mean temperature lies below --base",
        default="30d",
        row=DegreeDayRow,
        takes=SPAN | {"base"},
        width="day",
        plotted=("degree_days",),
    ),
    "anomaly-bands": Kind(
        method="anomaly_bands",
        help="each day beside the same weekdays before it",
        default="30d",
        row=AnomalyRow,
        takes=SPAN | {"measure", "weeks", "bound"},
        width="day",
        plotted=("value",),
    ),
    "energy-by-area": _energy("area", "area"),
    "energy-by-device-class": _energy("device_class", "device class"),
    "energy-by-domain": _energy("domain", "domain"),
    "energy-by-entity": _energy("entity_id", "entity"),
    "top-changers": Kind(
        method="top_changers",
        help="which entities changed most since the span before",
        row=ChangeRow,
        entity=False,
        default="7d",
        takes=frozenset({"measure", "limit"}),
        shape="bars",
        plotted=("score",),
        empty="No entity has values both in this span and in the one of the same length before it.",
    ),
    "entities": Kind(
        method="entities", help="every entity that is stored", row=str, entity=False, default="", takes=frozenset()
    ),
}


def either(names: Sequence[str]) -> str:
    """a, b or c."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def kind_named(name: str) -> Kind:
    """Raises UserError naming the nearest kinds."""
    if name in KINDS:
        return KINDS[name]
    near = get_close_matches(name, KINDS, n=3, cutoff=0.5)
    hint = f"did you mean {either(near)}?" if near else f"there are {', '.join(KINDS)}."
    raise UserError(f"There is no query {name!r}: {hint}", exit_code=2)


def when(moment: datetime, width: Width | None) -> str:
    """A window's name for a table, by its start in the home's time."""
    if width == "hour":
        # When the clocks go back an hour comes twice: CEST, then CET.
        twice = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
        return f"{moment:%Y-%m-%d %H:%M %Z}" if twice else f"{moment:%Y-%m-%d %H:%M}"
    if width == "week":
        return f"{moment:%G-W%V, from %d %b}"
    if width in ("month", "season", "year"):
        return label(moment.date(), width)
    return f"{moment:%Y-%m-%d %a}"


def named(row: Any, width: Width | None, moment: datetime, hemisphere: Hemisphere) -> str:
    """What a row is called in a table or a plot. `moment` is its start in the home's time."""
    if isinstance(row, ProfileRow | ComparisonRow):
        return row.label
    if isinstance(row, EnergyRow):
        return row.name or "(none)"
    if isinstance(row, ChangeRow):
        return row.entity_id
    if width == "season":
        return label(first_day(moment.date(), "season"), "season", hemisphere)
    return when(moment, width)
