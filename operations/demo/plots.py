"""The report's plots: Altair charts as static SVG with CSS variables for colours, painted by the page's theme.

Vega needs real colours, so each role is drawn in a colour of its own and then exchanged for `var(--role)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import altair as alt

from operations.demo.findings import WEEKDAYS, Findings

# Okabe and Ito's palette, which is told apart with every kind of colour vision, by way of stand-ins.
ROLES: Mapping[str, str] = {
    "ink": "#010101",
    "muted": "#020202",
    "grid": "#030303",
    "appliances": "#040404",
    "lights": "#050505",
    "indoor": "#060606",
    "outdoor": "#070707",
}
# Lightness alone carries its order, so it is read the same with every kind of colour vision.
WARMTH: Literal["cividis"] = "cividis"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def _svg(chart: Any, label: str, width: int = 680) -> str:
    chart = (
        chart.properties(width=width)
        .configure(background="transparent", font=FONT, padding={"left": 26, "right": 8, "top": 2, "bottom": 2})
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=ROLES["muted"],
            titleColor=ROLES["muted"],
            gridColor=ROLES["grid"],
            domainColor=ROLES["grid"],
            tickColor=ROLES["grid"],
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_legend(
            labelColor=ROLES["ink"],
            titleColor=ROLES["muted"],
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            orient="top",
            symbolType="square",
            columnPadding=28,
        )
        .configure_text(fontSize=11)
    )
    import vl_convert

    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    for role, colour in ROLES.items():
        svg = svg.replace(colour, f"var(--{role})")
    # The page gives the width; the viewBox keeps the shape.
    svg = re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', r"\1", svg, count=1)
    # One document: identifiers of clips and gradients must not meet those of the other plots.
    mark = re.sub(r"\W+", "-", label.lower())[:24]
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{mark}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{mark}-\1)", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _rows(values: Sequence[Mapping[str, Any]]) -> Any:
    return alt.InlineData(values=list(values))


def _day(day: date) -> str:
    return f"{day.isoformat()}T00:00:00"


def energy_by_day(findings: Findings) -> str:
    rows = [
        {"day": _day(day), "kWh": round(value, 4), "use": use}
        for use, days in findings.energy_by_day.items()
        for day, value in days.items()
    ]
    chart = (
        alt.Chart(_rows(rows), height=230)
        .mark_bar(size=3.6)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%b %d", tickCount="month", grid=False)),
            y=alt.Y("kWh:Q", title="kWh per day"),
            color=alt.Color(
                "use:N",
                title=None,
                scale=alt.Scale(domain=["Appliances", "Lights"], range=[ROLES["appliances"], ROLES["lights"]]),
            ),
        )
    )
    return _svg(chart, "Energy used each day, appliances and lights, in kWh")


def energy_by_weekday(findings: Findings) -> str:
    rows = [
        {"weekday": WEEKDAYS[number], "kWh": round(value, 4), "use": use}
        for use, values in findings.energy_by_weekday.items()
        for number, value in enumerate(values)
        if value == value
    ]
    chart = (
        alt.Chart(_rows(rows), height=220)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("weekday:N", title=None, sort=list(WEEKDAYS), axis=alt.Axis(labelAngle=0)),
            y=alt.Y("kWh:Q", title="kWh per day"),
            color=alt.Color(
                "use:N",
                title=None,
                scale=alt.Scale(domain=["Appliances", "Lights"], range=[ROLES["appliances"], ROLES["lights"]]),
            ),
        )
    )
    return _svg(chart, "Mean energy by weekday in kWh", 400)


def energy_by_hour(findings: Findings) -> str:
    rows = [
        {"weekday": WEEKDAYS[day], "hour": hour, "kWh": round(value, 4)}
        for day, hours in enumerate(findings.energy_by_hour)
        for hour, value in enumerate(hours)
        if value == value
    ]
    return _svg(
        _heat(rows, "weekday:N", "kWh:Q", "kWh per hour", list(WEEKDAYS), 220), "Mean energy by weekday and hour"
    )


def rooms_by_hour(findings: Findings) -> str:
    means = {room: sum(hours) / len(hours) for room, hours in findings.room_by_hour.items()}
    order = sorted(means, key=lambda room: -means[room])
    rows = [
        {"room": room, "hour": hour, "celsius": round(value, 3)}
        for room, hours in findings.room_by_hour.items()
        for hour, value in enumerate(hours)
        if value == value
    ]
    return _svg(
        _heat(rows, "room:N", "celsius:Q", "°C", order, 260), "Mean temperature of each room by hour of the day"
    )


def _heat(rows: Sequence[Mapping[str, Any]], y: str, color: str, title: str, order: list[str], height: int) -> Any:
    return (
        alt.Chart(_rows(rows), height=height)
        .mark_rect(stroke=None)
        .encode(
            x=alt.X(
                "hour:O",
                title="hour of the day",
                axis=alt.Axis(labelAngle=0, values=list(range(0, 24, 3)), domain=False, ticks=False),
                scale=alt.Scale(paddingInner=0.06),
            ),
            y=alt.Y(
                y, title=None, sort=order, axis=alt.Axis(domain=False, ticks=False), scale=alt.Scale(paddingInner=0.08)
            ),
            color=alt.Color(color, title=title, scale=alt.Scale(scheme=WARMTH), legend=alt.Legend(gradientLength=200)),
        )
    )


def temperatures(findings: Findings) -> str:
    """The house's range over its rooms, its mean, and the temperature outside."""
    days = sorted({day for values in findings.room_by_day.values() for day in values})
    band, lines = [], []
    for day in days:
        rooms = [values[day] for values in findings.room_by_day.values() if day in values]
        band.append({"day": _day(day), "low": min(rooms), "high": max(rooms)})
        lines.append({"day": _day(day), "celsius": sum(rooms) / len(rooms), "where": "Indoors"})
    lines += [{"day": _day(day), "celsius": v, "where": "Outdoors"} for day, v in findings.outdoor_by_day.items()]
    x = alt.X("day:T", title=None, axis=alt.Axis(format="%b %d", tickCount="month", grid=False))
    area = (
        alt.Chart(_rows(band), height=240)
        .mark_area(opacity=0.22, color=ROLES["indoor"])
        .encode(x=x, y=alt.Y("low:Q", title="°C"), y2="high:Q")
    )
    line = (
        alt.Chart(_rows(lines))
        .mark_line(strokeWidth=2)
        .encode(
            x=x,
            y=alt.Y("celsius:Q", title="°C"),
            color=alt.Color(
                "where:N",
                title=None,
                scale=alt.Scale(domain=["Indoors", "Outdoors"], range=[ROLES["indoor"], ROLES["outdoor"]]),
            ),
        )
    )
    return _svg(alt.layer(area, line), "Daily mean temperature indoors and outdoors in degrees Celsius")
