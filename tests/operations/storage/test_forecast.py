"""The forecast against two simulated years: the plateau of retention, the interval, the day of a limit."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from operations.storage.forecast import BucketHistory, SizedGroup, limit_reached, plateau, rate, size_at
from tests.operations.storage.simulation import BEGIN, DAY, SimulatedBucket, days_of, total

MB = 1_000_000.0
WEEK = timedelta(days=7)


def raw_bucket(seed: int, *, days: int = 1100, **home: float) -> SimulatedBucket:
    return SimulatedBucket(365 * DAY, WEEK, days_of(seed, days, per_day=2 * MB, **home))


def moment(day: float) -> datetime:
    return BEGIN + day * DAY


@pytest.mark.parametrize("asked", [30, 90, 180, 360, 500, 729])
def test_a_steady_home_is_forecast_closely_over_two_years(asked: int) -> None:
    bucket = raw_bucket(1, season=0.0, noise=0.1)
    for ahead in (30, 90, 180, 365):
        found = size_at(bucket.history(moment(asked)), moment(asked), moment(asked + ahead))
        assert found.expected == pytest.approx(bucket.size(moment(asked + ahead)), rel=0.08)


def test_the_interval_holds_the_true_size_nine_times_in_ten() -> None:
    held = asked = 0
    for seed in range(12):
        bucket = raw_bucket(seed, yearly_growth=0.1 * (seed % 3), season=0.2)
        for day in range(60, 730, 45):
            history = bucket.history(moment(day))
            for ahead in (30, 90, 180, 365):
                found = size_at(history, moment(day), moment(day + ahead))
                held += found.low <= bucket.size(moment(day + ahead)) <= found.high
                asked += 1
    assert held / asked >= 0.88


def test_the_interval_is_of_use() -> None:
    """A month ahead, after half a year: narrower than a third of the size."""
    bucket = raw_bucket(3)
    found = size_at(bucket.history(moment(180)), moment(180), moment(210))
    assert (found.high - found.low) / found.expected < 0.33


def test_growth_before_the_first_expiry_is_not_for_ever() -> None:
    bucket = raw_bucket(5, season=0.0)
    now = moment(200)
    straight_line = bucket.size(now) / 200 * 900
    found = size_at(bucket.history(now), now, moment(900))
    assert found.expected == pytest.approx(bucket.size(moment(900)), rel=0.1)
    assert straight_line > 2 * found.expected
    highest = plateau(bucket.history(now), now)
    assert highest is not None
    assert highest.expected == pytest.approx(max(bucket.size(moment(day)) for day in range(700, 900)), rel=0.05)


def test_a_limit_above_the_plateau_is_never_reached_and_one_below_is() -> None:
    bucket = raw_bucket(6, season=0.0)
    now = moment(100)
    history = [bucket.history(now)]
    assert limit_reached(history, now, 3000 * MB).expected is None
    found = limit_reached(history, now, 500 * MB)
    true = next(moment(day) for day in range(100, 500) if bucket.size(moment(day)) >= 500 * MB)
    assert found.expected is not None
    assert found.earliest is not None
    assert found.latest is not None
    assert abs(found.expected - true) < 15 * DAY
    assert found.earliest <= true <= found.latest


def test_three_tiers_together() -> None:
    buckets = [
        raw_bucket(7, season=0.1),
        SimulatedBucket(730 * DAY, 30 * DAY, days_of(8, 1100, per_day=0.3 * MB, noise=0.02, season=0.0)),
        SimulatedBucket(2555 * DAY, 90 * DAY, days_of(9, 1100, per_day=0.02 * MB, noise=0.02, season=0.0)),
    ]
    now = moment(150)
    found = limit_reached([bucket.history(now) for bucket in buckets], now, 800 * MB)
    true = next(moment(day) for day in range(150, 900) if total(buckets, moment(day)) >= 800 * MB)
    assert found.expected is not None
    assert abs(found.expected - true) < 30 * DAY


def test_kept_for_ever_has_no_plateau() -> None:
    bucket = SimulatedBucket(None, WEEK, days_of(1, 900, per_day=MB, season=0.0))
    now = moment(400)
    assert plateau(bucket.history(now), now) is None
    assert size_at(bucket.history(now), now, moment(900)).expected == pytest.approx(bucket.size(moment(900)), rel=0.1)


def test_a_home_of_a_few_days_gets_a_wide_interval() -> None:
    bucket = raw_bucket(2, season=0.0)
    found = size_at(bucket.history(moment(5)), moment(5), moment(95))
    assert found.low < bucket.size(moment(95)) < found.high
    assert found.expected == pytest.approx(bucket.size(moment(95)), rel=0.3)


def test_an_empty_bucket_stays_empty() -> None:
    history = BucketHistory([], 365 * DAY, WEEK)
    assert size_at(history, moment(5), moment(95)).high == 0.0
    assert limit_reached([history], moment(5), MB).expected is None
    assert limit_reached([], moment(5), MB).expected is None


def test_a_write_ahead_log_that_is_not_compacted_yet_is_no_growth() -> None:
    """The running group takes three times its later size: the forecast must not multiply that."""
    weeks = [SizedGroup(moment(7 * n), moment(7 * n + 7), 10 * MB) for n in range(10)]
    running = SizedGroup(moment(70), moment(77), 15 * MB)
    history = BucketHistory([*weeks, running], 365 * DAY, WEEK)
    now = moment(73.5)
    assert rate(history, now).level == pytest.approx(10 * MB, rel=0.01)
    assert size_at(history, now, now).expected == pytest.approx(115 * MB, rel=0.01)
    assert size_at(history, now, moment(140)).expected == pytest.approx(210 * MB, rel=0.01)


def test_what_a_new_shard_takes_at_once_is_not_its_rate() -> None:
    """An hour old, and 110 kB of it are there from its begin on."""
    kb = 1000.0
    history = BucketHistory([SizedGroup(moment(0), moment(7), 111 * kb, 110 * kb)], 365 * DAY, WEEK)
    assert rate(history, moment(1 / 24)).level == pytest.approx((110 + 168) * kb, rel=0.01)
