"""The kinds of plots that the report is made of: pure functions of plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import altair as alt

from operations.report.svg import FULL, HEAT, ROLES, SERIES, Frame, figure, inline, moment

When = date | datetime


@dataclass(frozen=True, slots=True)
class Spread:
    """Several places at one time: the lowest, the mean and the highest value; `time` is the home's own."""

    time: When
    low: float
    mean: float
    high: float


def _time_axis(frame: Frame, layout: str) -> Any:
    return alt.Axis(format=layout, grid=False, tickCount=4 if frame.narrow else 8, labelAngle=0)


def _names(names: Sequence[str]) -> Any:
    return alt.Scale(domain=list(names), range=list(SERIES[: len(names)]))


def _by_name(series: Mapping[str, Any]) -> Any:
    """A colour per series; one alone needs no legend."""
    if len(series) < 2:
        return alt.value(SERIES[0])
    return alt.Color("of:N", title=None, scale=_names(list(series)), sort=list(series))


def band(
    inside: Sequence[Spread],
    outside: Mapping[When, float],
    *,
    unit: str,
    layout: str,
    label: str,
    names: tuple[str, str] = ("Indoors", "Outdoors"),
    frame: Frame = FULL,
) -> str:
    """The range over several places, their mean, and one line beside it. `layout` is the time axis's format."""
    spread = [{"time": moment(one.time), "low": one.low, "high": one.high} for one in inside]
    lines = [{"time": moment(one.time), "value": one.mean, "where": names[0]} for one in inside]
    lines += [{"time": moment(when), "value": value, "where": names[1]} for when, value in sorted(outside.items())]
    shown = [name for name in names if any(line["where"] == name for line in lines)]

    def draw(size: Frame) -> Any:
        x = alt.X("time:T", title=None, axis=_time_axis(size, layout))
        # A range of temperatures or the like: zero has no meaning there.
        y = alt.Y("value:Q", title=unit, scale=alt.Scale(zero=False))
        area = (
            alt.Chart(inline(spread), height=230)
            .mark_area(opacity=0.22, color=SERIES[0])
            .encode(x=x, y=alt.Y("low:Q", title=unit, scale=alt.Scale(zero=False)), y2="high:Q")
        )
        line = (
            alt.Chart(inline(lines), height=230)
            .mark_line(strokeWidth=2)
            .encode(x=x, y=y, color=alt.Color("where:N", title=None, scale=_names(shown)))
        )
        return alt.layer(area, line) if spread else line

    return figure(draw, label, frame=frame)


def stacked(
    series: Mapping[str, Mapping[When, float]],
    *,
    unit: str,
    layout: str,
    step: str,
    label: str,
    frame: Frame = FULL,
) -> str:
    """Bars over time, one part per series. `step` is Vega's time unit of one bar, such as yearmonthdate."""
    rows = [
        {"time": moment(when), "value": round(value, 6), "of": name}
        for name, values in series.items()
        for when, value in sorted(values.items())
    ]

    def draw(size: Frame) -> Any:
        return (
            alt.Chart(inline(rows), height=210)
            .mark_bar(binSpacing=1 if len(rows) < 200 else 0)
            .encode(
                x=alt.X(f"{step}(time):T", title=None, axis=_time_axis(size, layout)),
                y=alt.Y("sum(value):Q", title=unit),
                color=_by_name(series),
            )
        )

    return figure(draw, label, frame=frame)


def grouped(series: Mapping[str, Mapping[str, float]], *, unit: str, label: str, frame: Frame = FULL) -> str:
    """Bars by name (weekdays, seasons), one beside the other per series."""
    order = list(dict.fromkeys(name for values in series.values() for name in values))
    rows = [
        {"name": name, "value": round(value, 6), "of": of}
        for of, values in series.items()
        for name, value in values.items()
        if value == value
    ]

    def draw(size: Frame) -> Any:
        return (
            alt.Chart(inline(rows), height=210)
            .mark_bar(cornerRadiusEnd=2)
            .encode(
                x=alt.X("name:N", title=None, sort=order, axis=alt.Axis(labelAngle=0, labelLimit=90)),
                xOffset=alt.XOffset("of:N", sort=list(series)),
                y=alt.Y("value:Q", title=unit),
                color=_by_name(series),
            )
        )

    return figure(draw, label, frame=frame)


@dataclass(frozen=True, slots=True)
class Range:
    """Of one series under one name: the lowest, the mean, the highest."""

    of: str
    name: str
    low: float
    mean: float
    high: float


def ranges(rows: Sequence[Range], *, unit: str, label: str, frame: Frame = FULL) -> str:
    """From the lowest to the highest with a dot at the mean, by name (seasons) and series."""
    of = list(dict.fromkeys(one.of for one in rows))
    order = list(dict.fromkeys(one.name for one in rows))
    values = [
        {"of": one.of, "name": one.name, "low": one.low, "mean": round(one.mean, 3), "high": one.high} for one in rows
    ]

    def draw(size: Frame) -> Any:
        chart = alt.Chart(inline(values), height=210)
        x = alt.X("name:N", title=None, sort=order, axis=alt.Axis(labelAngle=0, labelLimit=90))
        offset = alt.XOffset("of:N", sort=of)
        color = alt.Color("of:N", title=None, scale=_names(of), sort=of)
        bars = chart.mark_rule(strokeWidth=10, opacity=0.3, strokeCap="round").encode(
            x=x, xOffset=offset, y=alt.Y("low:Q", title=unit, scale=alt.Scale(zero=False)), y2="high:Q", color=color
        )
        dots = chart.mark_point(size=80, filled=True, opacity=1).encode(
            x=x, xOffset=offset, y=alt.Y("mean:Q", title=unit, scale=alt.Scale(zero=False)), color=color
        )
        return alt.layer(bars, dots)

    return figure(draw, label, frame=frame)


def by_hour(rows: Mapping[str, Sequence[float]], *, unit: str, label: str, frame: Frame = FULL) -> str:
    """A row per name, a column per hour of the day; NaN leaves a hole."""
    cells = [
        {"name": name, "hour": hour, "value": round(value, 4)}
        for name, hours in rows.items()
        for hour, value in enumerate(hours)
        if value == value
    ]

    def draw(size: Frame) -> Any:
        return (
            alt.Chart(inline(cells), height=max(90, 30 * len(rows)))
            .mark_rect(stroke=None)
            .encode(
                x=alt.X(
                    "hour:O",
                    title="hour of the day",
                    axis=alt.Axis(labelAngle=0, values=list(range(0, 24, 6 if size.narrow else 3)), domain=False),
                    scale=alt.Scale(paddingInner=0.06),
                ),
                y=alt.Y(
                    "name:N",
                    title=None,
                    sort=list(rows),
                    axis=alt.Axis(domain=False, ticks=False, labelLimit=90 if size.narrow else 160),
                    scale=alt.Scale(paddingInner=0.08),
                ),
                color=alt.Color(
                    "value:Q",
                    title=unit,
                    scale=alt.Scale(scheme=HEAT),
                    legend=alt.Legend(gradientLength=160, columns=1),
                ),
            )
        )

    return figure(draw, label, frame=frame)


def forecast(
    past: Mapping[When, float],
    future: Sequence[Spread],
    limit: float | None,
    *,
    unit: str,
    label: str,
    frame: Frame = FULL,
) -> str:
    """What was, what is to be expected with its interval, and the limit as a dashed line."""
    rows = [{"time": moment(when), "value": value, "of": "measured"} for when, value in sorted(past.items())]
    rows += [{"time": moment(one.time), "value": one.mean, "of": "expected"} for one in future]
    spread = [{"time": moment(one.time), "low": one.low, "high": one.high} for one in future]
    shown = ["expected", "measured"] if past else ["expected"]

    def draw(size: Frame) -> Any:
        x = alt.X("time:T", title=None, axis=_time_axis(size, "%b %Y"))
        y = alt.Y("value:Q", title=unit)
        layers = [
            alt.Chart(inline(spread), height=210)
            .mark_area(opacity=0.22, color=SERIES[0])
            .encode(x=x, y=alt.Y("low:Q", title=unit), y2="high:Q"),
            alt.Chart(inline(rows), height=210)
            .mark_line(strokeWidth=2, point=False)
            .encode(x=x, y=y, color=alt.Color("of:N", title=None, scale=_names(shown))),
        ]
        if limit is not None:
            rule = alt.Chart(inline([{"value": limit}]), height=210)
            layers.append(rule.mark_rule(strokeDash=[6, 4], strokeWidth=2, color=ROLES["limit"]).encode(y=y))
        return alt.layer(*layers)

    return figure(draw, label, frame=frame)
