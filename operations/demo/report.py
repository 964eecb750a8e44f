"""The report: one HTML file that needs no network, for phones and desks, in light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import jinja2

from operations.demo import plots
from operations.demo.dataset import ATTRIBUTION, ENTITIES
from operations.demo.findings import WEEKDAYS, Findings


def _spans(findings: Findings) -> list[tuple[str, str]]:
    """(hours, room) for each run of hours with the same warmest room."""
    rooms = [room for room, _ in findings.warmest_by_hour]
    found: list[tuple[str, str]] = []
    begin = 0
    for hour in range(1, 25):
        if hour == 24 or rooms[hour] != rooms[begin]:
            found.append((f"{begin:02d}-{hour:02d} h", rooms[begin]))
            begin = hour
    return found


def _tiles(findings: Findings, summary: Mapping[str, int]) -> list[tuple[str, str, str]]:
    """(figure, unit, what it is)"""
    total = sum(sum(days.values()) for days in findings.energy_by_day.values())
    warm = max(findings.room_by_hour.items(), key=lambda pair: sum(pair[1]))
    return [
        (f"{summary['delivered']:,}", "events", f"of {summary['accepted']:,} accepted are in the database"),
        (f"{summary['hourly_rows']:,}", "hourly rows", f"and {summary['daily_rows']:,} daily rows summed up"),
        (f"{total:,.0f}", "kWh", "used by appliances and lights in the whole span"),
        (f"{sum(warm[1]) / 24:.1f}", "°C", f"in the {warm[0].lower()}, the warmest room on average"),
    ]


def write_report(path: Path, findings: Findings, summary: Mapping[str, int], first_ns: int, last_ns: int) -> Path:
    """Write the page to `path`, whole or not at all. Times in nanoseconds since 1970, UTC."""
    first, last = (datetime.fromtimestamp(ns / 1e9, UTC) for ns in (first_ns, last_ns))
    template = files("operations.demo").joinpath("report.html.j2").read_text()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    peak = max(
        (
            (value, day, hour)
            for day, hours in enumerate(findings.energy_by_hour)
            for hour, value in enumerate(hours)
            if value == value
        ),
    )
    page = environment.from_string(template).render(
        first=first,
        last=last,
        days=(last.date() - first.date()).days + 1,
        entities=len(ENTITIES),
        tiles=_tiles(findings, summary),
        summary=summary,
        warmest=_spans(findings),
        peak=f"{WEEKDAYS[peak[1]]} at {peak[2]:02d} h ({peak[0]:.2f} kWh)",
        plots={
            "temperatures": plots.temperatures(findings),
            "rooms": plots.rooms_by_hour(findings),
            "energy_day": plots.energy_by_day(findings),
            "energy_weekday": plots.energy_by_weekday(findings),
            "energy_hour": plots.energy_by_hour(findings),
        },
        attribution=ATTRIBUTION,
    )
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(page)
    partial.rename(path)
    return path
