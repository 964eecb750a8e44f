"""What changed most in the home: each entity in a span beside the same length of time before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from event_schema import HOLD_DAYS, METER_DEVICE_CLASSES
from event_schema.calendar import DAY, Span, day_of, day_start
from event_schema.roll_up import roll_up
from reader.asking import Asking
from reader.periods import Width, windows
from reader.rows import Summed, one_per_window
from reader.whole_home import Piece, Totals, pieces, totals

ChangeMeasure = Literal["auto", "time_weighted_avg", "avg_value", "total_energy", "event_count"]
CHANGE_MEASURES: tuple[ChangeMeasure, ...] = get_args(ChangeMeasure)
_OVER_TIME = ("value_seconds", "covered_seconds", "min_value", "max_value", "last_value", "last_holds")
# Of windows that are rolled up, and of totals that the storage engine computes.
_FIELDS: Mapping[ChangeMeasure, tuple[str, ...]] = {
    "auto": (*_OVER_TIME, "increase"),
    "time_weighted_avg": _OVER_TIME,
    "avg_value": ("sum_value", "value_count", "min_value", "max_value"),
    "total_energy": ("total_energy",),
    "event_count": ("event_count",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """An entity in a span beside the same length of time before it: `value` and `before` are the `measure` of both
    (of "auto" the mean over time, for a meter what it rose by).

    `score` is the change as a share of the whole range of its values in both spans, from 0 to 1: so a door, a
    temperature and a power can be set beside each other. Of sums and counts it is the share of the larger one.
    """

    entity_id: str
    domain: str
    device_class: str
    measure: str
    value: float
    before: float
    change: float
    change_percent: float | None
    score: float


async def of_span(asking: Asking, span: Span, now: datetime, zone: ZoneInfo, measure: ChangeMeasure) -> list[Totals]:
    """What every entity came to in a span of whole days. Raises ServerProblem."""
    if measure in ("auto", "time_weighted_avg"):
        return await _over_time(asking, span, now, zone, _FIELDS[measure])
    return await totals(asking, await pieces(asking, span.start, span.stop, now, zone), _FIELDS[measure])


async def _over_time(asking: Asking, span: Span, now: datetime, zone: ZoneInfo, fields: Sequence[str]) -> list[Totals]:
    """Values over time, of all entities: rolled up, as a sum alone would leave out the days in which one said nothing.

    Of what no task has summed up yet, only events are there: it is left out, with a note.
    """
    before = day_start(day_of(span.start, zone) - (HOLD_DAYS + 1) * DAY, zone)
    parts: list[Span] = []
    found: dict[str, list[tuple[datetime, Summed]]] = {}
    for piece in await pieces(asking, before, span.stop, now, zone):
        if piece.tier.every is None:
            if await totals(asking, [piece], ("event_count",)):
                since = piece.start.astimezone(zone)
                asking.note = f"what came after {since:%Y-%m-%d %H:%M} is not summed up yet, and left out"
            else:
                # The whole home was silent: what was said before holds on.
                parts += windows(piece.start, piece.stop, "hour", zone)
            continue
        width: Width = "day" if piece.tier.every == DAY else "hour"
        parts += windows(piece.start, piece.stop, width, zone)
        for entity_id, row in await _windows_of(asking, piece, fields):
            found.setdefault(entity_id, []).append(row)
    made = []
    for entity_id in sorted(found):
        rows = one_per_window(found[entity_id])
        inside = [row for time, row in rows.items() if time >= span.start]
        if inside:
            last = inside[-1]
            values = roll_up({time: row.values for time, row in rows.items()}, parts, span.start, zone, last.domain)
            made.append(
                Totals(entity_id=entity_id, domain=last.domain, device_class=last.device_class, values=values or {})
            )
    return made


async def _windows_of(asking: Asking, piece: Piece, fields: Sequence[str]) -> list[tuple[str, tuple[datetime, Summed]]]:
    values: dict[tuple[str, str, str, datetime], dict[str, float]] = {}
    for row in await asking.rows("home_windows", piece.tier, start=piece.start, stop=piece.stop, fields=fields):
        key = (row["entity_id"], row.get("domain") or "", row.get("device_class") or "", row["_time"])
        values.setdefault(key, {})[row["_field"]] = row["_value"]
    return [
        (entity_id, (time, Summed(domain, device_class, found)))
        for (entity_id, domain, device_class, time), found in values.items()
    ]


def changes(now: Iterable[Totals], before: Iterable[Totals], measure: ChangeMeasure, limit: int) -> list[ChangeRow]:
    """The most changed first, at most `limit`; only of entities that have the measure in both spans."""
    earlier = {(one.entity_id, one.domain, one.device_class): one.values for one in before}
    rows = []
    for one in now:
        was = earlier.get((one.entity_id, one.domain, one.device_class), {})
        name: str = measure
        if measure == "auto":
            name = "increase" if one.device_class in METER_DEVICE_CLASSES else "time_weighted_avg"
        value, previous = _value(one.values, name), _value(was, name)
        if value is None or previous is None:
            continue
        change, reach = value - previous, _reach((one.values, was), name)
        rows.append(
            ChangeRow(
                entity_id=one.entity_id,
                domain=one.domain,
                device_class=one.device_class,
                measure=name,
                value=value,
                before=previous,
                change=change,
                change_percent=change / abs(previous) * 100 if previous else None,
                score=min(abs(change) / reach, 1.0) if reach else 0.0,
            )
        )
    return sorted(rows, key=lambda row: (-row.score, -abs(row.change), row.entity_id, row.device_class))[:limit]


def _value(values: Mapping[str, float], measure: str) -> float | None:
    if measure == "avg_value":
        return values["sum_value"] / values["value_count"] if values.get("value_count") else None
    return values.get(measure)


def _reach(both: Sequence[Mapping[str, float]], measure: str) -> float:
    if measure in ("total_energy", "increase", "event_count"):
        return max(abs(values[measure]) for values in both)
    highs = [values["max_value"] for values in both if "max_value" in values]
    lows = [values["min_value"] for values in both if "min_value" in values]
    return max(highs) - min(lows) if highs else 0.0
