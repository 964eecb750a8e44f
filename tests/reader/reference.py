"""What any span of time of one entity should come to, from its raw events: plain Python, `math.fsum` and `zoneinfo`.

Written from docs/summaries.md and not from the code: the value over time is a list of stretches in exact nanoseconds,
cut by the span; nothing is rolled up from anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

METERS = {"energy", "gas", "water", "volume", "precipitation", "data_size"}
NUMBERS = {"sensor", "number", "input_number", "counter", "zone"}
NS = 1_000_000_000


@dataclass(frozen=True)
class Said:
    """One event of one entity."""

    at: datetime
    state: str
    device_class: str = ""
    energy: float | None = None
    area: str = ""

    @cached_property
    def ns(self) -> int:
        return ns(self.at)

    @cached_property
    def number(self) -> float | None:
        words = {"on": 1.0, "off": 0.0}
        try:
            return words.get(self.state) if self.state.isalpha() else float(self.state)
        except ValueError:
            return None


def ns(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def local_day(moment: datetime, zone: ZoneInfo) -> int:
    return moment.astimezone(zone).date().toordinal()


@lru_cache(maxsize=10_000)
def day_begins(ordinal: int, zone: ZoneInfo) -> datetime:
    first = datetime.fromordinal(ordinal)
    return first.replace(tzinfo=zone).astimezone(UTC)


def summary(
    domain: str, said: Sequence[Said], start: datetime, stop: datetime, zone: ZoneInfo
) -> dict[str, float] | None:
    """The fields of the span, or None where the entity said nothing in it. `said` may be of one class only."""
    told = sorted(said, key=lambda one: (one.ns, one.number is not None, one.number or 0.0))
    inside = [one for one in told if start <= one.at < stop]
    if not inside:
        return None
    device_class = inside[-1].device_class
    values: dict[str, float] = {"event_count": len(inside)}
    numbers = [one.number for one in inside if one.number is not None]
    if numbers:
        total = math.fsum(numbers)
        values |= {"sum_value": total, "value_count": len(numbers), "avg_value": total / len(numbers)}
        values |= {"min_value": min(numbers), "max_value": max(numbers)}
        values |= {"first_value": numbers[0], "last_value": numbers[-1]}
    values["last_holds"] = 0.0 if inside[-1].number is None else 1.0
    energies = [one.energy for one in inside if one.energy is not None]
    if energies:
        values["total_energy"] = math.fsum(energies)
    held: list[tuple[float, int]] = []
    begins, ends = ns(start), ns(stop)
    for one, following in zip(told, [*told[1:], None], strict=True):
        if one.number is not None and (following is None or following.ns > begins):
            limit = ns(day_begins(local_day(one.at, zone) + 8, zone))
            until = min(limit, following.ns if following else limit, ends)
            held.append((one.number, max(0, until - max(one.ns, begins))))
    covered = sum(length for _, length in held)
    area = math.fsum(number * length for number, length in held)
    values |= {"value_seconds": area / NS, "covered_seconds": covered / NS}
    if covered:
        values["time_weighted_avg"] = area / covered
    if domain not in NUMBERS:
        values["on_seconds"] = sum(length for number, length in held if number == 1) / NS
    if numbers and device_class in METERS:
        values["increase"] = rise(told, start, stop, zone)
    return values


def rise(told: Sequence[Said], start: datetime, stop: datetime, zone: ZoneInfo) -> float:
    readings = [one for one in told if one.number is not None]
    steps = []
    for before, one in pairwise(readings):
        if start <= one.at < stop and local_day(one.at, zone) - local_day(before.at, zone) <= 7:
            now, then = one.number or 0.0, before.number or 0.0
            steps += [now] if now < 0.9 * then else [now, -then]
    return math.fsum(steps)
