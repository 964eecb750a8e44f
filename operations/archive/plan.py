"""What is to be archived, and when it would be too late: pure functions of the time, the retention and the counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import Enum

from operations.archive.manifest import DAY_NS, Counts, day_of, days_between, midnight

DEFAULT_BEFORE_EXPIRY = timedelta(days=30)
# A day is whole when it is over and the writer had time to deliver its last events.
SETTLED = timedelta(hours=1)
# One slice of a day is in memory at a time.
SLICE_VALUES = 200_000
HOUR_NS = 3_600 * 1_000_000_000


class Action(Enum):
    """What a day needs; the value is the word that a user sees."""

    EXPORT = "export"
    MERGE = "export again"
    KEEP = "the archive has more than the server"
    NOTHING = "nothing"


def decide(stored: Counts, archived: Counts | None, *, replace: bool = False) -> Action:
    """By the number of values of each field on the server and in the archive.

    More values on the server are late events: the day is written again, together with what the archive has. An
    archive that has more (the data expired, or were deleted) is left as it is, unless `replace`.
    """
    present = {field: count for field, count in stored.items() if count}
    if not present or present == archived:
        return Action.NOTHING
    if archived is None:
        return Action.EXPORT
    if replace:
        return Action.EXPORT
    late = any(count > archived.get(field, 0) for field, count in present.items())
    return Action.MERGE if late else Action.KEEP


def whole_until(now: datetime) -> date:
    """The first day that is not whole yet."""
    return day_of(now - SETTLED)


def due_days(
    now: datetime, retention: timedelta | None, shard_group: timedelta, before_expiry: timedelta
) -> list[date]:
    """The whole days that expire within `before_expiry`, as far back as the server may still have them.

    A point is there for `retention` at least and for a shard group more at most. Empty where nothing expires.
    """
    if retention is None:
        return []
    first = day_of(now - retention - shard_group - timedelta(hours=1))
    stop = day_of(now - retention + before_expiry) + timedelta(days=1)
    return days_between(first, min(stop, whole_until(now)))


def expires(day: date, retention: timedelta) -> datetime:
    """When the day's first point may be gone."""
    return midnight(day) + retention


def at_risk(
    now: datetime,
    retention: timedelta | None,
    stored: Mapping[date, Counts],
    archived: Mapping[date, Counts],
    within: timedelta,
) -> list[date]:
    """The whole days that expire `within` that time (or should have already) and that have values which the archive
    has not: what health has to warn of. `stored` and `archived` are counts of values by field, by UTC day."""
    if retention is None:
        return []
    return [
        day
        for day, counts in sorted(stored.items())
        if day < whole_until(now)
        and expires(day, retention) <= now + within
        and decide(counts, archived.get(day)) in (Action.EXPORT, Action.MERGE)
    ]


def slices(
    start: int, counts: Iterable[int], *, most: int = SLICE_VALUES, longest: int = DAY_NS
) -> list[tuple[int, int]]:
    """Cut a day into spans [start, stop) in nanoseconds with about `most` values each.

    `counts` are the values of its 24 hours; `longest` is the shard group's width: within one a field has one type.
    """
    found: list[tuple[int, int]] = []
    begin, held = start, 0
    for hour, count in enumerate(counts):
        stop = start + (hour + 1) * HOUR_NS
        if begin < stop - HOUR_NS and held + count > most:
            found.append((begin, stop - HOUR_NS))
            begin, held = stop - HOUR_NS, 0
        held += count
        if held > most:
            parts = -(-held // most)
            edges = [begin + (stop - begin) * part // parts for part in range(parts + 1)]
            found += itertools.pairwise(edges)
            begin, held = stop, 0
        elif (stop - start) % longest == 0:
            found.append((begin, stop))
            begin, held = stop, 0
    if begin < start + DAY_NS:
        found.append((begin, start + DAY_NS))
    return found
