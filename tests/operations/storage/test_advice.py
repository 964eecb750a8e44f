"""What is recommended, how much it saves, and that each change of configuration is one that works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from event_schema import HOME_ASSISTANT_EVENTS, TIERS, Event
from operations.storage.advice import TAG_CHANGES, Recommendation, recommendations
from operations.storage.costs import Costs, costs, tag_costs
from operations.storage.figures import StorageFigures, figures
from operations.storage.shards import ServerMetrics, ShardGauge, ShardGroup
from operations.watched_server import WatchedBucket
from stacks.settings import load
from writer.encoder import Encoder

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WEEK = timedelta(days=7)
MB = 1_000_000
TAGS = HOME_ASSISTANT_EVENTS.tag_names


def storage(*, per_week: int, limit: int | None = None) -> StorageFigures:
    """A raw bucket with twenty weeks of `per_week` bytes."""
    gauges = tuple(ShardGauge("b" * 16, n, "", per_week, 100) for n in range(20))
    groups = [ShardGroup("b" * 16, n, NOW - (n + 1) * WEEK, NOW - n * WEEK) for n in range(20)]
    bucket = WatchedBucket("b" * 16, "events", timedelta(days=365), WEEK)
    metrics = ServerMetrics(gauges, {"b" * 16: 100}, 1.0, "v2.7.12")
    return figures(metrics, [bucket], groups, TIERS, now=NOW, limit_bytes=limit)


def home(*, chatty: int = 0, weathers: int = 1) -> Costs:
    """Sixty calm entities over a week, and a chatty one if wanted; each in so many kinds of weather."""
    events = {f"sensor.calm_{n}": 7 * 288 for n in range(60)} | ({"sensor.power": chatty} if chatty else {})
    series = [
        {"entity_id": entity, "domain": "sensor", "weather_condition": f"weather {n}"}
        for entity in events
        for n in range(weathers)
    ]
    values = {entity: 3 * count for entity, count in events.items()}
    return costs(values, events, series, TAGS, days=7, bytes_per_day=2.0 * MB)


def of(found: list[Recommendation], kind: str) -> Recommendation:
    (one,) = (recommendation for recommendation in found if recommendation.kind == kind)
    return one


def test_an_entity_that_writes_every_second() -> None:
    found = of(recommendations(storage(per_week=14 * MB), home(chatty=7 * 86_400), TIERS), "entity")
    assert found.what.startswith("sensor.power writes every 1.0 s, 83% of all new data")
    # 83 % of 2 MB a day, of which one in sixty stays, over a year and half a shard group.
    assert found.saves_bytes == pytest.approx(0.833 * 2 * MB * (59 / 60) * 368.5, rel=0.01)
    (filtered,) = yaml.safe_load("\n".join(found.change.splitlines()[1:]))["sensor"]
    assert filtered["entity_id"] == "sensor.power"
    assert filtered["filters"] == [{"filter": "time_throttle", "window_size": "00:01:00"}]


def test_a_tag_that_multiplies_series() -> None:
    found = of(recommendations(storage(per_week=14 * MB), home(weathers=4), TIERS), "tag")
    assert found.what == "the tag weather_condition (4 values) makes 4.0 times as many series: 240 instead of 60"
    assert found.change == TAG_CHANGES["weather_condition"]
    assert found.saves_bytes > 0


def test_every_tag_that_is_a_choice_has_its_change() -> None:
    assert set(TAG_CHANGES) == set(TAGS) - {"entity_id", "domain", "device_class"}


def test_the_changes_for_tags_leave_them_out() -> None:
    message: dict[str, Any] = {"entity_id": "sensor.kitchen", "state": "21", "timestamp": "2026-11-24T10:00:00Z"}
    event = Event.from_home_assistant(message)
    event.time_of_day = None
    line = Encoder(HOME_ASSISTANT_EVENTS).encode(event)
    assert b"sensor.kitchen" in line
    assert not any(tag.encode() in line for tag in TAG_CHANGES)


def test_a_retention_that_could_be_shorter_is_one_that_the_stack_takes() -> None:
    found = of(recommendations(storage(per_week=14 * MB), None, TIERS), "retention")
    assert found.what.startswith("raw data are kept 365 d; 180 d are enough")
    assert found.saves_bytes == pytest.approx(2 * MB * 185, rel=0.05)
    changed = yaml.safe_load("\n".join(found.change.splitlines()[1:]))
    settings = load({name.removeprefix("hearthflux:"): value for name, value in changed.items()}, {}).homes[0]
    assert settings.tiers.raw.retention == timedelta(days=180)
    assert settings.allow_data_loss == {"events"}


def test_a_small_disk_asks_for_a_shorter_retention() -> None:
    found = of(recommendations(storage(per_week=14 * MB, limit=450 * MB), None, TIERS), "retention")
    assert "; 90 d are enough" in found.what


def test_a_small_home_is_left_in_peace() -> None:
    assert recommendations(storage(per_week=1000), home(), TIERS) == []


@pytest.mark.parametrize(
    ("series", "tag", "factor"),
    [
        ([], "area", 1.0),
        ([{"entity_id": "a", "area": "x"}], "area", 1.0),
        ([{"entity_id": "a", "area": "x"}, {"entity_id": "a", "area": "y"}], "area", 2.0),
        ([{"entity_id": "a", "area": "x"}, {"entity_id": "b", "area": "x"}], "area", 1.0),
        ([{"entity_id": "a"}, {"entity_id": "a", "area": "x"}], "area", 2.0),
        # Two tags that change together multiply once: without one of them the other still tells the series apart.
        ([{"area": "x", "weather_condition": "s"}, {"area": "y", "weather_condition": "r"}], "area", 1.0),
    ],
)
def test_what_a_tag_multiplies(series: list[dict[str, str]], tag: str, factor: float) -> None:
    assert next(one.factor for one in tag_costs(series, TAGS) if one.tag == tag) == factor
