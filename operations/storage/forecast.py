"""How large a bucket will be, and when a limit is reached: pure functions of its shard groups.

What is known exactly is what expires: a shard group goes when its end + retention has passed, and takes its size with
it. So a bucket grows until its first group expires and then stays on a plateau of about rate x (retention + shard
group). What is uncertain is how much each coming group will hold. That is a series of group sizes, forecast by simple
exponential smoothing; the variance of a sum of its coming values is the one of the ETS(A,N,N) model (Hyndman,
Athanasopoulos, Forecasting: Principles and Practice, chapters 8.1 and 8.7), so the interval widens with the horizon.
Smoothing does not see a season coming, so the level may also drift by a share that a year's swing of 20 % needs.
The interval is meant to hold the true size nine times in ten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)
HORIZON = timedelta(days=3650)
GROUPS_LOOKED_AT = 60
ALPHAS = tuple(step / 20 for step in range(1, 21))
# Student's t at 95 %, by degrees of freedom: few groups make a wide interval.
T_95 = {1: 6.31, 2: 2.92, 3: 2.35, 4: 2.13, 5: 2.02, 6: 1.94, 7: 1.90, 8: 1.86, 9: 1.83, 10: 1.81, 20: 1.72}
T_95_MANY = 1.645
# The spread of a group's size where too few groups are there to measure it, and the least that is believed.
UNMEASURED_SPREAD = 0.3
LEAST_SPREAD = 0.03
FEW_GROUPS = 3
# How far (one standard deviation) a home's level drifts within a quarter of a year, as heating and holidays do.
DRIFT = 0.1
QUARTER = timedelta(days=91)


@dataclass(frozen=True, slots=True)
class SizedGroup:
    """A shard group and the bytes it takes on disk, index included; `fixed` of them are there from its begin on."""

    start: datetime
    end: datetime
    bytes: float
    fixed: float = 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A forecast: the expected value, and the bounds that should hold the true one nine times in ten."""

    expected: float
    low: float
    high: float

    def __add__(self, other: Interval) -> Interval:
        # Buckets of one home grow together, so the bounds are added as if wholly correlated.
        return Interval(self.expected + other.expected, self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True)
class Rate:
    """Bytes that a coming shard group will hold: `level`, its standard deviation, how quickly the level moves.

    `quarter` is the number of groups in a quarter of a year.
    """

    level: float
    deviation: float
    alpha: float
    quantile: float
    quarter: float

    def sum_of_groups(self, made: int, expired: int) -> Interval:
        """What `made` coming groups hold together when the first `expired` of them are gone again."""
        kept = made - expired
        if kept <= 0:
            return Interval(0.0, 0.0, 0.0)
        alpha = self.alpha
        of_kept = kept + alpha * kept * (kept - 1) + alpha**2 * (kept - 1) * kept * (2 * kept - 1) / 6
        of_expired = expired * (alpha * kept) ** 2
        of_level = kept**2 * alpha / (2 - alpha)  # the level itself is an estimate
        noise = self.deviation**2 * (of_kept + of_expired + of_level)
        drift = DRIFT * self.level * kept * min(1.0, made / self.quarter)
        margin = self.quantile * math.sqrt(noise + drift**2)
        expected = self.level * kept
        return Interval(expected, max(0.0, expected - margin), expected + margin)


@dataclass(frozen=True, slots=True)
class BucketHistory:
    """What a forecast needs of one bucket. `groups` in any order; `retention` None keeps for ever."""

    groups: Sequence[SizedGroup]
    retention: timedelta | None
    shard_group_duration: timedelta


@dataclass(frozen=True, slots=True)
class LimitForecast:
    """The days at which a limit is reached: expected, and between which days; None where it is not in ten years."""

    expected: datetime | None
    earliest: datetime | None
    latest: datetime | None


def quantile(groups: int) -> float:
    return next((value for freedom, value in T_95.items() if groups - 1 <= freedom), T_95_MANY)


def rate(history: BucketHistory, now: datetime) -> Rate:
    """From the complete shard groups; the oldest is left out where there are others, as it may begin half-way."""
    quarter = QUARTER / history.shard_group_duration
    complete = sorted((group for group in history.groups if group.end <= now), key=lambda group: group.end)
    sizes = [
        group.bytes * (history.shard_group_duration / (group.end - group.start))
        for group in (complete[1:] if len(complete) > 2 else complete)
    ][-GROUPS_LOOKED_AT:]
    if len(sizes) < FEW_GROUPS:
        fixed = sum(group.fixed for group in history.groups) / max(1, len(history.groups))
        filled = sum(group.bytes - group.fixed for group in history.groups)
        begin = min((group.start for group in history.groups), default=now)
        span = max((min(now, max((group.end for group in history.groups), default=now)) - begin), timedelta(hours=1))
        level = sum(sizes) / len(sizes) if sizes else fixed + filled / (span / history.shard_group_duration)
        return Rate(level, UNMEASURED_SPREAD * level, 0.3, quantile(max(2, len(sizes))), quarter)
    alpha, level, squares = min((_smooth(sizes, alpha) for alpha in ALPHAS), key=lambda found: found[2])
    deviation = max(math.sqrt(squares / (len(sizes) - 1)), LEAST_SPREAD * level)
    return Rate(level, deviation, alpha, quantile(len(sizes)), quarter)


def _smooth(sizes: Sequence[float], alpha: float) -> tuple[float, float, float]:
    """(alpha, the last level, the sum of squared one-step errors) of simple exponential smoothing."""
    level = sum(sizes[:FEW_GROUPS]) / FEW_GROUPS
    squares = 0.0
    for size in sizes:
        error = size - level
        squares += error * error
        level += alpha * error
    return alpha, level, squares


def size_at(history: BucketHistory, now: datetime, when: datetime, known: Rate | None = None) -> Interval:
    """A bucket's size at `when`, which is not before `now`."""
    coming = known or rate(history, now)
    width = history.shard_group_duration
    running = [group for group in history.groups if group.end > now]
    begin = max((group.start for group in running), default=now)
    elapsed = max(0.0, min(1.0, (now - begin) / width))
    # What the running group holds is what its rate says, and what its write-ahead log takes until it is compacted.
    fixed = sum(group.fixed for group in running)
    uncompacted = max(0.0, sum(group.bytes for group in running) - fixed - max(0.0, coming.level - fixed) * elapsed)

    def alive(end: datetime) -> bool:
        return history.retention is None or end + history.retention > when

    kept = sum(group.bytes for group in history.groups if group.end <= now and alive(group.end))
    made = (when - begin) / width
    expired = 0
    if history.retention is not None:
        expired = max(0, min(math.floor(made), math.floor((when - history.retention - begin) / width)))
    whole = coming.sum_of_groups(max(1, math.ceil(made)), expired)
    # Sums are of whole groups: the last one is filled in part.
    part = (made - expired) / (max(1, math.ceil(made)) - expired)
    base = kept + uncompacted
    return Interval(base + whole.expected * part, base + whole.low * part, base + whole.high * part)


def total_at(histories: Sequence[BucketHistory], now: datetime) -> Callable[[datetime], Interval]:
    """The size of all buckets together, as a function of time."""
    known = [(history, rate(history, now)) for history in histories]

    def at(when: datetime) -> Interval:
        return sum((size_at(history, now, when, found) for history, found in known), Interval(0.0, 0.0, 0.0))

    return at


def plateau(history: BucketHistory, now: datetime) -> Interval | None:
    """The largest size that a bucket reaches once its first data have expired; None where it keeps for ever."""
    if history.retention is None:
        return None
    # Just before a group expires: retention and one group's width are there.
    width = history.shard_group_duration
    groups = math.ceil(history.retention / width) + 1
    return rate(history, now).sum_of_groups(groups, 0)


def limit_reached(histories: Sequence[BucketHistory], now: datetime, limit_bytes: float) -> LimitForecast:
    """The first days, within ten years, at which the expected size and the interval's bounds reach the limit."""
    at = total_at(histories, now)
    step = max(DAY, min((history.shard_group_duration for history in histories), default=DAY) / 7)
    found: dict[str, datetime] = {}
    when = now
    while when <= now + HORIZON and len(found) < 3:
        size = at(when)
        for name in ("expected", "low", "high"):
            if name not in found and getattr(size, name) >= limit_bytes:
                found[name] = when
        when += step
    return LimitForecast(found.get("expected"), found.get("high"), found.get("low"))
