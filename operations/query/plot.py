"""Rows as a plot: in the terminal, or as a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from operations.errors import UserError
from operations.query.kinds import Kind, named
from operations.query.output import OWN_UNIT, SHOWN, came_from, cell, places_of, plain
from reader.patterns import Hemisphere

FORMATS = (".html", ".svg", ".png", ".json")
HEIGHT = 16
# What is drawn where a value did not come from events alone.
MARKERS = {"statistics": "s", "mixed": "m"}


def column(rows: Sequence[Any], kind: Kind) -> str:
    """The field that is drawn. Raises UserError where no row has a number."""
    for name in kind.plotted:
        if any(getattr(row, name) is not None for row in rows):
            return name
    raise UserError("There is nothing to draw: these rows hold no numbers.")


def _in_own_unit(rows: Sequence[Any], name: str) -> bool:
    return getattr(rows[0], "measure", name) in OWN_UNIT


def in_terminal(
    rows: Sequence[Any],
    kind: Kind,
    title: str,
    zone: ZoneInfo,
    hemisphere: Hemisphere,
    *,
    width: int,
    colours: bool = False,
    unit: str = "",
) -> str:
    """Windows as a line over time, everything else as bars. `unit` is the entity's."""
    name = column(rows, kind)
    title = f"{title} ({unit})" if unit and _in_own_unit(rows, name) else title
    if kind.shape == "line" and len(rows) > 1:
        return _line(rows, name, title, zone, width, colours)
    return _bars(rows, name, kind, title, zone, hemisphere, width)


def _line(rows: Sequence[Any], name: str, title: str, zone: ZoneInfo, width: int, colours: bool) -> str:
    import plotille

    drawn = [row for row in rows if getattr(row, name) is not None]
    # A naive time in the home's zone: plotille writes the times as they are.
    times = [row.time.astimezone(zone).replace(tzinfo=None) for row in drawn]
    lines = {name: [float(getattr(row, name)) for row in drawn]}
    bands = {"time_weighted_avg": ("min_value", "max_value"), "avg_value": ("min_value", "max_value")}
    for other in bands.get(name, ("lower", "upper") if name == "value" else ()):
        if all(getattr(row, other, None) is not None for row in drawn):
            lines[other] = [float(getattr(row, other)) for row in drawn]
    low, high = min(map(min, lines.values())), max(map(max, lines.values()))
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    figure = plotille.Figure()
    figure.with_colors = colours
    figure.width, figure.height = max(width - 24, 20), HEIGHT
    figure.register_label_formatter(float, lambda value, chars, delta, left=False: _padded(value, chars, left))
    figure.set_x_limits(min_=times[0], max_=times[-1])
    figure.set_y_limits(min_=low - margin, max_=high + margin)
    figure.x_label, figure.y_label = zone.key, SHOWN[name][0]
    for (field, values), colour in zip(lines.items(), (None, "blue", "red"), strict=False):
        figure.plot(times, values, label=SHOWN[field][0], lc=colour if colours else None)
    legend = ", ".join(SHOWN[field][0] for field in lines)
    for source, marker in MARKERS.items():
        marked = [place for place, row in enumerate(drawn) if row.source == source]
        if marked:
            at, high_at = [times[place] for place in marked], [lines[name][place] for place in marked]
            figure.scatter(at, high_at, marker=marker, lc="green" if colours else None)
            legend += f"; {marker}: {source}"
    return f"{title}: {legend}\n{figure.show()}"


def _padded(value: float, chars: int, left: bool) -> str:
    text = f"{value:.4g}"
    return text.ljust(chars) if left else text.rjust(chars)


def _bars(
    rows: Sequence[Any], name: str, kind: Kind, title: str, zone: ZoneInfo, hemisphere: Hemisphere, width: int
) -> str:
    from rich.bar import Bar
    from rich.console import Console
    from rich.table import Table

    values = [getattr(row, name) for row in rows]
    present = [float(value) for value in values if value is not None]
    low, high = min(0.0, *present), max(0.0, *present)
    places = places_of(name, rows)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(width=max(width - 50, 20))
    grid.add_column(justify="right")
    grid.add_column(no_wrap=True)
    for row, value in zip(rows, values, strict=True):
        moment = getattr(row, "time", datetime(2000, 1, 1, tzinfo=UTC)).astimezone(zone)
        called = named(row, kind.width, moment, hemisphere)
        if value is None or high == low:
            grid.add_row(called, "", cell(name, value, places), came_from(row))
        else:
            bar = Bar(size=high - low, begin=min(value, 0) - low, end=max(value, 0) - low)
            grid.add_row(called, bar, cell(name, value, places), came_from(row))
    console = Console(width=width)
    with console.capture() as captured:
        console.print(f"{title}: {SHOWN[name][0]}", markup=False, highlight=False)
        console.print(grid)
    return captured.get().rstrip("\n")


def check_path(path: Path) -> None:
    """Raises UserError for a file that no plot can be written to."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"--plot-to {path}: the name has to end in {', '.join(FORMATS)}", exit_code=2)
    if not path.absolute().parent.is_dir():
        raise UserError(f"--plot-to {path}: there is no folder {path.parent}", exit_code=2)


def to_file(
    rows: Sequence[Any], kind: Kind, title: str, zone: ZoneInfo, hemisphere: Hemisphere, path: Path, *, unit: str = ""
) -> None:
    """HTML that needs no network, SVG, PNG, or the Vega-Lite JSON, by the file's name. Raises UserError."""
    import altair

    name = column(rows, kind)
    heading = SHOWN[name][0] + (f" ({unit})" if unit and _in_own_unit(rows, name) else "")
    records = []
    for row in rows:
        moment = getattr(row, "time", datetime(2000, 1, 1, tzinfo=UTC)).astimezone(zone)
        record = {key: plain(value, zone) for key, value in dataclasses.asdict(row).items()}
        # Vega would show instants in the time of whoever looks: the home's clock is what was asked for.
        record["window"] = moment.replace(tzinfo=None).isoformat()
        record["called"] = named(row, kind.width, moment, hemisphere)
        record["from"] = came_from(row) or "events"
        records.append(record)
    base = altair.Chart(altair.InlineData(records), title=title, width=720, height=320)
    tooltip = [altair.Tooltip("called:N", title=""), altair.Tooltip(f"{name}:Q", title=heading, format=",.3f")]
    sources: dict[str, Any] = {}
    if {record["from"] for record in records} != {"events"}:
        sources["color"] = altair.Color("from:N", title="from")
        tooltip.append(altair.Tooltip("from:N"))
    if kind.shape == "line" and len(rows) > 1:
        x = altair.X("window:T", title=zone.key)
        drawn = base.mark_line(point=len(rows) < 100).encode(
            x=x, y=altair.Y(f"{name}:Q", title=heading).scale(zero=False), tooltip=tooltip, **sources
        )
        low, high = ("lower", "upper") if name == "value" else ("min_value", "max_value")
        if any(record.get(low) is not None for record in records) and name in (
            "value",
            "time_weighted_avg",
            "avg_value",
        ):
            band = base.mark_area(opacity=0.2).encode(x=x, y=altair.Y(f"{low}:Q"), y2=f"{high}:Q")
            drawn = band + drawn
    else:
        y = altair.Y("called:N", sort=None, title=None)
        drawn = base.mark_bar().encode(y=y, x=altair.X(f"{name}:Q", title=heading), tooltip=tooltip, **sources)
    try:
        if path.suffix.lower() == ".html":
            drawn.save(str(path), inline=True)
        else:
            drawn.save(str(path))
    except OSError as error:
        raise UserError(f"--plot-to {path}: {error.strerror}") from None
