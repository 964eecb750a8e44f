"""How rows of a summary make the row of a longer span: a day of its hours, a month of its days.

The rules are those of the fields' declaration; what a value adds in windows without a row is worked out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo

from event_schema.calendar import Span, day_of
from event_schema.home_assistant import HOLD_DAYS, NUMBER_DOMAINS, SUMMARY_FIELDS

Values = Mapping[str, float]


def _combined(rule: str, values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    if not present:
        return None
    if rule in ("first", "last"):
        return present[0 if rule == "first" else -1]
    return min(present) if rule == "min" else max(present) if rule == "max" else sum(present)


def _with_ratios(values: dict[str, float | None]) -> dict[str, float]:
    for field in SUMMARY_FIELDS:
        if field.parts is not None:
            above, below = (values.get(part) for part in field.parts)
            values[field.name] = above / below if above is not None and below else None
    return {name: value for name, value in values.items() if value is not None}


def merged(rows: Iterable[Values]) -> dict[str, float]:
    """The rows of one entity in one window as one: it has several where the device class changed within it.

    The row whose last value holds at the end counts as the last one.
    """
    several = sorted(rows, key=lambda row: row.get("last_holds", 0.0))
    values: dict[str, float | None] = {}
    for field in SUMMARY_FIELDS:
        if field.parts is None:
            values[field.name] = _combined(field.roll_up, [row.get(field.name) for row in several])
    return _with_ratios(values)


def held_windows(
    rows: Mapping[datetime, Values], windows: Sequence[Span], zone: tzinfo
) -> Iterator[tuple[Span, float]]:
    """The windows without a row in which a value held all the time, each with that value: the last one of the row
    before, if it held at the end of its own window, at most HOLD_DAYS days of `zone` after the day of that.

    `rows` are one entity's by their windows' starts, one per window (see `merged`); `windows` are in order.
    """
    last: tuple[Span, float] | None = None
    for window in windows:
        row = rows.get(window.start)
        if row is not None:
            value = row.get("last_value")
            last = (window, value) if value is not None and row.get("last_holds") == 1 else None
        elif last is not None:
            source, value = last
            if (day_of(window.start, zone) - day_of(source.start, zone)).days <= HOLD_DAYS:
                yield window, value


def held_values(window: Span, value: float) -> dict[str, float]:
    """What a value that held all of a window adds to the fields over time."""
    seconds = window.seconds
    return {
        "value_seconds": value * seconds,
        "covered_seconds": seconds,
        "on_seconds": seconds if value == 1 else 0.0,
    }


def roll_up(
    rows: Mapping[datetime, Values], windows: Sequence[Span], since: datetime, zone: tzinfo, domain: str
) -> dict[str, float] | None:
    """The row of the span from `since` to the end of `windows`, or None where no window of it has a row.

    `rows` holds one entity's rows by their windows' starts, one per window (see `merged`). `windows` are the tier's
    windows in order, those that are over; they begin up to HOLD_DAYS days of the home before `since`, so that a value
    reported before the span is known at its start. What held in windows without a row counts (see `held_windows`).
    Floats are plain sums of the rows' floats.
    """
    inside = [rows[window.start] for window in windows if window.start >= since and window.start in rows]
    if not inside:
        return None
    held = {"value_seconds": 0.0, "covered_seconds": 0.0, "on_seconds": 0.0}
    for window, value in held_windows(rows, windows, zone):
        if window.start >= since:
            for name, added in held_values(window, value).items():
                held[name] += added
    values: dict[str, float | None] = {}
    for field in SUMMARY_FIELDS:
        if field.parts is None:
            values[field.name] = _combined(field.roll_up, [row.get(field.name) for row in inside])
        if field.roll_up == "sum_held" and held["covered_seconds"]:
            values[field.name] = (values[field.name] or 0.0) + held[field.name]
    if domain in NUMBER_DOMAINS:
        values["on_seconds"] = None
    return _with_ratios(values)
