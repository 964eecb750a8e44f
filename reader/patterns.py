"""What rows of windows say when they are set beside each other: pure functions, each with its typed row."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from event_schema import NUMBER_DOMAINS
from event_schema.calendar import Season, Span, day_of, day_start, season_of
from event_schema.roll_up import held_values, held_windows, merged
from reader.periods import Asked, Duration, InvalidQuery, Width, window_at
from reader.rows import Source, SummaryRow, Summed, answered, source_of

Measure = Literal[
    "auto",
    "time_weighted_avg",
    "avg_value",
    "min_value",
    "max_value",
    "total_energy",
    "increase",
    "on_seconds",
    "event_count",
]
# What "auto" takes: the first that any of the rows has.
AUTOMATIC: tuple[Measure, ...] = (
    "total_energy",
    "increase",
    "on_seconds",
    "time_weighted_avg",
    "avg_value",
    "event_count",
)
By = Literal["month", "season", "year"]
Against = Literal["year", "previous"]
Hemisphere = Literal["north", "south"]
_OPPOSITE: dict[Season, Season] = {"winter": "summer", "spring": "autumn", "summer": "winter", "autumn": "spring"}
MEASURES: tuple[Measure, ...] = get_args(Measure)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def check_measure(measure: object) -> None:
    """Raises InvalidQuery for one that there is not."""
    if measure not in MEASURES:
        raise InvalidQuery(f"measure {measure!r}: one of {', '.join(MEASURES)}")


def chosen(rows: Iterable[SummaryRow], measure: Measure) -> Measure:
    """The measure itself; of "auto" the one that says most about such an entity: energy, a meter's increase, the time
    on, the mean over time, the mean of what was reported, the number of events."""
    check_measure(measure)
    if measure != "auto":
        return measure
    found = list(rows)
    return next((one for one in AUTOMATIC if any(getattr(row, one) for row in found)), "avg_value")


def value_of(row: SummaryRow, measure: Measure) -> float | None:
    value = getattr(row, measure)
    return None if value is None else float(value)


# What a profile is made of: a year of hours has no more columns than it needs.
PROFILE_FIELDS = (
    "sum_value",
    "value_count",
    "value_seconds",
    "covered_seconds",
    "min_value",
    "max_value",
    "event_count",
    "total_energy",
    "increase",
    "on_seconds",
    "last_value",
    "last_holds",
)

# profiles ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRow:
    """One hour of the day (`slot` 0 to 23) or one weekday (0 is Monday), over all such windows of the span.

    `windows` had a row of their own, of `occurrences` that lie between the entity's first and last window; `energy` and
    `increase` are means per occurrence, `on_seconds` too; `avg_value` is the mean of the values reported,
    `time_weighted_avg` that over time. `source` as of a SummaryRow.
    """

    slot: int
    label: str
    windows: int
    occurrences: int
    avg_value: float | None
    time_weighted_avg: float | None
    min_value: float | None
    max_value: float | None
    event_count: int | None
    energy: float | None
    increase: float | None
    on_seconds: float | None
    source: Source = "events"


def profile(
    found: Mapping[datetime, Summed],
    windows: Iterable[Span],
    slot_of: Callable[[datetime], int],
    labels: Sequence[str],
    zone: ZoneInfo,
) -> list[ProfileRow]:
    """A row for each slot of which something is known. `windows` are all that there were, `slot_of` says which slot a
    window's start lies in. In those without a row, between the first and the last, the value before held."""
    if not found:
        return []
    first, last = min(found), max(found)
    between = [window for window in windows if first <= window.start <= last]
    slots = {window.start: slot_of(window.start) for window in between}
    occurrences, own = Counter(slots.values()), Counter[int]()
    inside: dict[int, list[Summed]] = {}
    for start, row in found.items():
        slot = slots[start] if start in slots else slot_of(start)
        own[slot] += 1
        inside.setdefault(slot, []).append(row)
    domain = found[last].domain
    for window, value in held_windows({start: row.values for start, row in found.items()}, between, zone):
        values = held_values(window, value)
        if domain in NUMBER_DOMAINS:
            del values["on_seconds"]
        inside.setdefault(slots[window.start], []).append(Summed(domain, "", values))
    named = {name for row in found.values() for name in row.values}
    rows = []
    for slot in sorted(inside):
        values, source = answered(inside[slot], merged(row.values for row in inside[slot]))
        often = occurrences[slot]

        if not own[slot]:
            # Nothing was ever said in such a window: nothing was used in it.
            values = dict.fromkeys(named & {"total_energy", "increase"}, 0.0) | values

        def each(name: str, values: Mapping[str, float] = values, often: int = often) -> float | None:
            return values[name] / often if name in values and often else None

        rows.append(
            ProfileRow(
                slot=slot,
                label=labels[slot],
                windows=own[slot],
                occurrences=often,
                avg_value=values.get("avg_value"),
                time_weighted_avg=values.get("time_weighted_avg"),
                min_value=values.get("min_value"),
                max_value=values.get("max_value"),
                event_count=int(values.get("event_count", 0)) if source == "events" else None,
                energy=each("total_energy"),
                increase=each("increase"),
                on_seconds=each("on_seconds"),
                source=source,
            )
        )
    return rows


# one period against another ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """A period beside another one: `value` and `before` are the same `measure` of both, `change` their difference and
    `change_percent` that in percent of `before` (None where that is 0, or where one is not there). `source` and
    `before_source` as of a SummaryRow, None of a period that has no row."""

    time: datetime
    stop: datetime
    label: str
    measure: str
    value: float | None
    before: float | None
    before_label: str
    change: float | None
    change_percent: float | None
    source: Source | None = "events"
    before_source: Source | None = "events"


Pair = tuple[Span, Span]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Whole periods, each with the one it is set beside; and the running one up to the last whole day, with as much of
    the other."""

    whole: tuple[Pair, ...]
    running: tuple[Pair, ...] = ()


def pairs(span: Asked, against: Against, *, running: bool) -> Pairs:
    """The periods of a span beside those a year before, or beside those just before them."""
    whole = tuple((one, _other(one, span, against)) for one in span.windows())
    current = window_at(span.now, span.width, span.zone)
    today = day_of(span.now, span.zone)
    first = day_of(current.start, span.zone)
    if not running or first == today:
        return Pairs(whole)
    other = _other(current, span, against)
    a_year_ago = Duration(1, "y").before_day(today)
    cut = a_year_ago if against == "year" else day_of(other.start, span.zone) + (today - first)
    so_far = Span(other.start, min(day_start(cut, span.zone), other.stop))
    return Pairs(whole, ((Span(current.start, day_start(today, span.zone)), so_far),))


def _other(one: Span, span: Asked, against: Against) -> Span:
    first = day_of(one.start, span.zone)
    if against == "year":
        return window_at(day_start(first.replace(year=first.year - 1), span.zone), span.width, span.zone)
    return window_at(one.start - timedelta(microseconds=1), span.width, span.zone)


def label(first: date, width: Width, hemisphere: Hemisphere = "north") -> str:
    """2026-03 of a month, 2026 of a year, "winter 2025/26" of a season."""
    if width == "month":
        return f"{first:%Y-%m}"
    if width == "year":
        return f"{first:%Y}"
    if width == "season":
        season = season_of(first) if hemisphere == "north" else _OPPOSITE[season_of(first)]
        return f"{season} {first.year}/{(first.year + 1) % 100:02d}" if first.month == 12 else f"{season} {first.year}"
    return first.isoformat()


def compared(
    rows: Mapping[Span, SummaryRow], of: Pairs, measure: Measure, width: Width, zone: ZoneInfo, hemisphere: Hemisphere
) -> list[ComparisonRow]:
    """A row for each pair of which at least one period has events."""
    found = []
    for number, (one, other) in enumerate((*of.whole, *of.running)):
        if one not in rows and other not in rows:
            continue
        value = value_of(rows[one], measure) if one in rows else None
        before = value_of(rows[other], measure) if other in rows else None
        change = None if value is None or before is None else value - before
        so_far = " so far" if number >= len(of.whole) else ""
        found.append(
            ComparisonRow(
                time=one.start,
                stop=one.stop,
                label=label(day_of(one.start, zone), width, hemisphere) + so_far,
                measure=measure,
                value=value,
                before=before,
                before_label=label(day_of(other.start, zone), width, hemisphere) + so_far,
                change=change,
                change_percent=None if change is None or not before else change / abs(before) * 100,
                source=rows[one].source if one in rows else None,
                before_source=rows[other].source if other in rows else None,
            )
        )
    return found


# degree days ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DegreeDayRow:
    """One day of the home: the mean outdoor temperature and how much it lies below `base`, 0 where it does not.
    `source` as of a SummaryRow."""

    time: datetime
    day: date
    mean_temperature: float
    base: float
    degree_days: float
    source: Source = "events"


# What a building is heated for: degree days usually reckon with these.
USUAL_BASE = {"°C": 18.0, "°F": 65.0, "K": 291.15}


def base_in(unit: str, entity_id: str, rows: Sequence[SummaryRow]) -> float:
    """The usual base in an entity's unit; °C where it is not known. Raises InvalidQuery for what is no temperature."""
    classes = {row.device_class for row in rows} - {"", "temperature"}
    if (unit and unit not in USUAL_BASE) or (not unit and classes):
        what = f"is measured in {unit}" if unit else f"is of the class {classes.pop()}"
        raise InvalidQuery(f"{entity_id} {what}: degree days are made of a temperature")
    return USUAL_BASE.get(unit, USUAL_BASE["°C"])


def degree_days(rows: Iterable[SummaryRow], base: float, zone: ZoneInfo) -> list[DegreeDayRow]:
    """Heating degree days by the mean temperature method: max(0, base - mean of the day). The mean is that over time;
    of rows without it, that of the values reported. Days without a temperature have no row."""
    found = []
    for row in rows:
        mean = row.avg_value if row.time_weighted_avg is None else row.time_weighted_avg
        if mean is not None:
            below = max(0.0, base - mean)
            day = day_of(row.time, zone)
            found.append(
                DegreeDayRow(
                    time=row.time, day=day, mean_temperature=mean, base=base, degree_days=below, source=row.source
                )
            )
    return found


# anomalies --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyRow:
    """A day beside the same weekdays before it. `expected` is their median, `lower` and `upper` bound what is usual,
    `score` says how far off the day is (3.5 is at the bound), `history` how many weekdays it was compared with.
    With too few of them there are no bounds and `anomalous` is None. `source` says where the day and these weekdays
    came from."""

    time: datetime
    day: date
    weekday: str
    measure: str
    value: float
    expected: float | None
    lower: float | None
    upper: float | None
    score: float | None
    history: int
    anomalous: bool | None
    source: Source = "events"


SMALLEST_HISTORY = 4
# Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers: the modified z-score. 1/0.6745 and 1.2533 make the
# median and the mean absolute deviation comparable with a standard deviation; 3.5 is their bound.
PER_MEDIAN_DEVIATION = 1 / 0.6745
PER_MEAN_DEVIATION = 1.253314
DEFAULT_BOUND = 3.5


def spread(values: Sequence[float], centre: float) -> float:
    """How far values usually are from their median: by the median of the distances, where that is 0 by their mean."""
    distances = [abs(value - centre) for value in values]
    return PER_MEDIAN_DEVIATION * statistics.median(distances) or PER_MEAN_DEVIATION * statistics.fmean(distances)


def anomalies(
    rows: Sequence[SummaryRow], since: datetime, weeks: int, bound: float, measure: Measure, zone: ZoneInfo
) -> list[AnomalyRow]:
    """A row for each day from `since` on. `rows` are days in order and begin `weeks` weeks earlier."""
    values = {day_of(row.time, zone): value for row in rows if (value := value_of(row, measure)) is not None}
    sources = {day_of(row.time, zone): row.source for row in rows}
    found = []
    for row in rows:
        day = day_of(row.time, zone)
        if row.time < since or day not in values:
            continue
        value = values[day]
        same = [date.fromordinal(day.toordinal() - 7 * week) for week in range(1, weeks + 1)]
        same = [one for one in same if one in values]
        history = [values[one] for one in same]
        expected = lower = upper = score = None
        anomalous = None
        if len(history) >= SMALLEST_HISTORY:
            expected = statistics.median(history)
            usual = spread(history, expected)
            lower, upper = expected - bound * usual, expected + bound * usual
            score = (value - expected) / usual if usual else (0.0 if value == expected else None)
            anomalous = not lower <= value <= upper
        found.append(
            AnomalyRow(
                time=row.time,
                day=day,
                weekday=WEEKDAYS[day.weekday()],
                measure=measure,
                value=value,
                expected=expected,
                lower=lower,
                upper=upper,
                score=score,
                history=len(history),
                anomalous=anomalous,
                source=source_of(sources[one] for one in (day, *same)),
            )
        )
    return found
