"""What changed most in the home: each entity in a span beside the same length of time before it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from event_schema import HOLD_DAYS, METER_DEVICE_CLASSES
from event_schema.calendar import DAY, Span, day_of, day_start
from event_schema.roll_up import held_values, held_windows
from reader.asking import Asking
from reader.periods import Width, windows
from reader.rows import PARTS, Summed, one_per_window
from reader.whole_home import Piece, Totals, pieces, totals

ChangeMeasure = Literal["auto", "time_weighted_avg", "avg_value", "total_energy", "event_count"]
CHANGE_MEASURES: tuple[ChangeMeasure, ...] = get_args(ChangeMeasure)
_OVER_TIME = ("value_seconds", "covered_seconds", "min_value", "max_value")
# A script that names more entities than this takes longer than one that reads all.
MOST_NAMED = 200
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
    over = await pieces(asking, span.start, span.stop, now, zone)
    if measure not in ("auto", "time_weighted_avg"):
        return await totals(asking, over, _FIELDS[measure])
    stored, parts = await _summed_up(asking, over, zone)
    found = await totals(asking, stored, _FIELDS[measure])
    classes = Counter(one.entity_id for one in found)
    # An entity that changed its class is taken as its rows say.
    once = {entity_id for entity_id, several in classes.items() if several == 1}
    silent = once - await _always_spoken(asking, stored, len(parts))
    held = await _held(asking, span, now, zone, silent) if silent else {}
    return [dataclasses.replace(one, values=_with(one.values, held.get(one.entity_id, {}))) for one in found]


async def _summed_up(asking: Asking, over: Sequence[Piece], zone: ZoneInfo) -> tuple[list[Piece], list[Span]]:
    """The pieces of which there are rows, and all their windows. Values over time of raw events are not asked for: what
    no task has summed up yet is left out, with a note."""
    stored, parts = [], []
    for piece in over:
        width: Width = "day" if piece.tier.every == DAY else "hour"
        if piece.tier.every is not None:
            stored.append(piece)
        elif await totals(asking, [piece], ("event_count",)):
            since = piece.start.astimezone(zone)
            asking.note = f"what came after {since:%Y-%m-%d %H:%M} is not summed up yet, and left out"
            continue
        # Where the whole home was silent, what was said before holds on.
        parts += windows(piece.start, piece.stop, width, zone)
    return stored, parts


async def _always_spoken(asking: Asking, over: Sequence[Piece], windows_there: int) -> set[str]:
    """The entities that have a row of their class in each window."""
    rows: dict[tuple[str, str, str], int] = {}
    for piece in over:
        aggregates = [("rows", "last_holds", "count")]
        for row in await asking.rows(
            "totals", piece.tier, start=piece.start, stop=piece.stop, aggregates=aggregates, measurement=""
        ):
            key = (row["entity_id"], row.get("domain") or "", row.get("device_class") or "")
            rows[key] = rows.get(key, 0) + row["_value"]
    return {entity_id for (entity_id, _, _), count in rows.items() if count == windows_there}


async def _held(
    asking: Asking, span: Span, now: datetime, zone: ZoneInfo, entities: Collection[str]
) -> dict[str, dict[str, float]]:
    """What the entities' last values add in the windows in which they said nothing; a sum of rows alone lacks it."""
    before = day_start(day_of(span.start, zone) - (HOLD_DAYS + 1) * DAY, zone)
    stored, parts = await _summed_up(asking, await pieces(asking, before, span.stop, now, zone), zone)
    rows: dict[str, dict[tuple[datetime, str], dict[str, float]]] = {}
    for piece in stored:
        for row in await asking.rows(
            "home_windows",
            piece.tier,
            start=piece.start,
            stop=piece.stop,
            fields=("last_value", "last_holds"),
            entities=sorted(entities) if len(entities) <= MOST_NAMED else [],
        ):
            of = rows.setdefault(row["entity_id"], {})
            of.setdefault((row["_time"], row.get("device_class") or ""), {})[row["_field"]] = row["_value"]
    added: dict[str, dict[str, float]] = {}
    for entity_id in rows.keys() & entities:
        found = one_per_window((time, Summed("", kind, values)) for (time, kind), values in rows[entity_id].items())
        for window, value in held_windows({time: row.values for time, row in found.items()}, parts, zone):
            if window.start >= span.start:
                added[entity_id] = _with(added.get(entity_id, {}), held_values(window, value))
    return added


def _with(values: Mapping[str, float], added: Mapping[str, float]) -> dict[str, float]:
    return {**values, **{name: values.get(name, 0.0) + value for name, value in added.items()}}


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
    if measure in PARTS:
        above, below = (values.get(part) for part in PARTS[measure])
        return above / below if above is not None and below else None
    return values.get(measure)


def _reach(both: Sequence[Mapping[str, float]], measure: str) -> float:
    if measure in ("total_energy", "increase", "event_count"):
        return max(abs(values[measure]) for values in both)
    highs = [values["max_value"] for values in both if "max_value" in values]
    lows = [values["min_value"] for values in both if "min_value" in values]
    return max(highs) - min(lows) if highs else 0.0
