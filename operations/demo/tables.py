"""What the demo prints: warmest room by hour, energy by weekday and by day."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from operations.report.energy import WEEKDAYS
from operations.report.home import HomeFigures

LAST_DAYS = 7


def warmest(home: HomeFigures) -> Table:
    table = Table(title="Warmest room by hour (mean over the span, °C)", title_justify="left")
    for heading in ("hour", "room", "°C", "hour", "room", "°C"):
        table.add_column(heading, justify="left" if heading == "room" else "right")
    rooms = home.temperatures.warmest_by_hour
    half = -(-len(rooms) // 2)
    for hour in range(half):
        cells = []
        for one in (hour, hour + half):
            if one < len(rooms):
                cells += [f"{one:02d}", rooms[one][0], f"{rooms[one][1]:.1f}"]
        table.add_row(*cells)
    return table


def by_weekday(home: HomeFigures) -> Table:
    table = Table(title="Energy by weekday (mean per day, kWh)", title_justify="left")
    table.add_column("")
    for name in WEEKDAYS:
        table.add_column(name, justify="right")
    for meter, values in home.energy.by_weekday.items():
        table.add_row(meter, *(f"{values[name]:.2f}" if name in values else "" for name in WEEKDAYS))
    return table


def by_day(home: HomeFigures) -> Table:
    table = Table(title=f"Energy by day (the last {LAST_DAYS}, kWh)", title_justify="left")
    table.add_column("day")
    series = home.energy.days
    for meter in series:
        table.add_column(meter, justify="right")
    for day in sorted({day for values in series.values() for day in values})[-LAST_DAYS:]:
        table.add_row(f"{day:%a %d %b}", *(f"{values.get(day, 0.0):.2f}" for values in series.values()))
    return table


def print_tables(home: HomeFigures) -> None:
    out = Console()
    for table in (warmest(home), by_weekday(home), by_day(home)):
        out.print(table)
