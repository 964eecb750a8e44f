"""Altair charts as static SVG with CSS variables for colours, painted by the page's theme, once wide and once narrow.

Vega needs real colours, so each role is drawn in a colour of its own and then exchanged for `var(--role)`. Text in an
SVG shrinks with it, so a phone gets a drawing of its own size instead of a small copy of the wide one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from itertools import count
from typing import Any, Literal

import altair as alt

# The series' colours are Okabe and Ito's, which are told apart with every kind of colour vision (see page.html.j2).
ROLES: Mapping[str, str] = {
    "ink": "#010101",
    "muted": "#020202",
    "grid": "#030303",
    "series-1": "#040404",
    "series-2": "#050505",
    "series-3": "#060606",
    "series-4": "#070707",
    "series-5": "#080808",
    "limit": "#090909",
}
SERIES = tuple(colour for role, colour in ROLES.items() if role.startswith("series-"))
# Lightness alone carries its order, so it is read the same with every kind of colour vision.
HEAT: Literal["cividis"] = "cividis"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Frame:
    """Width of the drawing in CSS pixels, plot area without axes, and whether it is the one for a phone."""

    width: int
    narrow: bool


FULL = Frame(width=760, narrow=False)
HALF = Frame(width=430, narrow=False)
PHONE = Frame(width=250, narrow=True)

Draw = Callable[[Frame], Any]


def inline(rows: Sequence[Mapping[str, Any]]) -> Any:
    return alt.InlineData(values=list(rows))


def moment(value: date | datetime) -> str:
    """A local time without a zone, as Vega shows it unchanged."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return f"{value.isoformat()}T00:00:00"


def _one(chart: Any, frame: Frame, label: str) -> str:
    size = 12 if frame.narrow else 13
    chart = (
        chart.properties(width=frame.width)
        .configure(background="transparent", font=FONT, padding={"left": 16, "right": 12, "top": 4, "bottom": 2})
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=ROLES["muted"],
            titleColor=ROLES["muted"],
            gridColor=ROLES["grid"],
            domainColor=ROLES["grid"],
            tickColor=ROLES["grid"],
            labelFontSize=size,
            titleFontSize=size,
            titleFontWeight="normal",
            labelOverlap=True,
            labelSeparation=6,
        )
        .configure_legend(
            labelColor=ROLES["ink"],
            titleColor=ROLES["muted"],
            labelFontSize=size,
            titleFontSize=size,
            titleFontWeight="normal",
            orient="top",
            symbolType="square",
            columnPadding=20,
            columns=2 if frame.narrow else 0,
        )
        .configure_text(fontSize=size)
    )
    import vl_convert

    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    for role, colour in ROLES.items():
        svg = svg.replace(colour, f"var(--{role})")
    # The page gives the width; the viewBox keeps the shape.
    svg = re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', r"\1", svg, count=1)
    # One document: identifiers of clips and gradients must not meet those of the other plots.
    number = next(_numbers)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="p{number}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#p{number}-\1)", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label, quote=True)}" ', 1)


def figure(draw: Draw, label: str, *, frame: Frame = FULL) -> str:
    """The plot in both sizes; the page shows the one that fits. `label` is what a screen reader says."""
    wide, narrow = (_one(draw(one), one, label) for one in (frame, PHONE))
    return f'<div class="plot on-desk">{wide}</div><div class="plot on-phone">{narrow}</div>'
