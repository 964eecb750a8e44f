"""Rules about probable mistakes, the counters for Prometheus, settings, and what importing the writer loads."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.writer.conftest import Home, until
from writer import BatchWriter, Event, InvalidEvent, SettingsError, WriterSettings
from writer.metrics import WriterCollector
from writer.spool import Spool

DAY = 86_400 * 10**9
NOW = time.time_ns()


def event(**changes: Any) -> Event:
    return Event(**{"time_ns": NOW, "entity_id": "sensor.a", "normalized_value": 1.0, **changes})


ODD = {
    "schema": [event(normalized_value="warm", state_value="warm")],
    "unit": [event(device_class="temperature", unit_of_measurement="W")],
    "range": [event(confidence=2.0)],
    "future": [event(time_ns=NOW + 3 * DAY)],
    "retention": [event(time_ns=NOW - 40 * DAY)],
    "duplicate": [event(), event()],
}


# What becomes of them by the actions warn, repair, warn: a value that cannot be stored is left out also with a warning.
USUALLY = ("warned", "repaired", "warned")
WHEN_NOT_REFUSED = {
    "schema": ("repaired", "repaired", "repaired"),
    "retention": ("warned", "left out", "warned"),
    "duplicate": ("warned", "left out", "warned"),
}


def kept(home: Home) -> list[tuple[str, str, str]]:
    """(what became of it, entity, event) of all that the rules found."""
    spool = Spool.look(home.folder / "spool.sqlite")
    try:
        return [(found.outcome, found.entity, found.event) for found in (*spool.noticed(most=9999), *spool.refused())]
    finally:
        spool.close()


@pytest.mark.parametrize("rule", ODD)
async def test_each_rule_rejects_or_counts(home: Home, rule: str) -> None:
    settings = {"retention_days": 30, "close_timeout": 20}
    for action in ("warn", "repair"):
        async with BatchWriter(home.settings(quality={rule: action}, **settings)) as writer:
            await writer.write_many(ODD[rule])
            assert writer.stats.quality == {(rule, "sensor.a"): 1}
    async with BatchWriter(home.settings(quality={rule: "warn"}, **settings)) as writer:
        await writer.write_many(ODD[rule])
        assert writer.stats.quality == {(rule, "sensor.a"): 1}
        assert writer.stats.accepted == len(ODD[rule])
    async with BatchWriter(home.settings(quality={rule: "reject"}, **settings)) as writer:
        with pytest.raises(InvalidEvent):
            await writer.write_many(ODD[rule])
        assert (writer.stats.rejected, writer.stats.accepted) == (1, len(ODD[rule]) - 1)
        assert writer.stats.quality == {(rule, "sensor.a"): 1}
    assert kept(home) == [
        (found, "sensor.a", repr(ODD[rule][-1])) for found in (*WHEN_NOT_REFUSED.get(rule, USUALLY), "refused")
    ]


REPAIRS: dict[str, tuple[list[Event], dict[str, list[str]]]] = {
    "range": ([event(confidence=2.0)], {"normalized_value": ["1"], "confidence": []}),
    "schema": (
        [event(normalized_value="warm", state_value="warm", area="a\nb")],
        {"normalized_value": [], "state_value": ["warm"]},
    ),
    "unit": (
        [
            event(unit_of_measurement="W", state_value="1"),
            event(time_ns=NOW + 1, unit_of_measurement="kW", state_value="2"),
        ],
        {"normalized_value": ["1"], "state_value": ["1", "2"]},
    ),
    "retention": ([event(time_ns=NOW - 40 * DAY), event()], {"normalized_value": ["1"]}),
    "duplicate": ([event(), event(), event(normalized_value=2.0)], {"normalized_value": ["1", "2"]}),
}


@pytest.mark.parametrize("rule", REPAIRS)
async def test_a_repair_stores_what_is_right(home: Home, rule: str) -> None:
    events, stored = REPAIRS[rule]
    async with BatchWriter(home.settings(quality={rule: "repair"}, retention_days=30, close_timeout=20)) as writer:
        await writer.write_many(events)
        await writer.flush()
        assert writer.stats.rejected == 0
    for field, values in stored.items():
        assert home.values(field) == values


async def test_of_many_warnings_a_few_are_kept_and_of_repairs_all(home: Home) -> None:
    odd = [event(time_ns=NOW + number, confidence=2.0 + number) for number in range(1000)]
    async with BatchWriter(home.settings(quality={"range": "warn"})) as writer:
        await writer.write_many(odd)
        assert writer.stats.quality == {("range", "sensor.a"): 1000}
    numbers = [*range(1, 11), 16, 32, 64, 128, 256, 512]
    assert kept(home) == [("warned", "sensor.a", repr(odd[number - 1])) for number in numbers]
    async with BatchWriter(home.settings(quality={"range": "repair"})) as writer:
        await writer.write_many(odd)
    assert kept(home)[len(numbers) :] == [("repaired", "sensor.a", repr(one)) for one in odd]


@pytest.mark.parametrize(
    ("message", "entity", "sentence"),
    [
        ({"entity_id": "sensor.a", "state": "1"}, "sensor.a", "every event says when it happened"),
        (
            {"event": {"data": {"entity_id": "sensor.b", "new_state": {"state": "1", "last_updated": "soon"}}}},
            "sensor.b",
            "not an ISO 8601 time",
        ),
        ({"state": "1", "timestamp": 1}, "", "every event names its entity"),
        ("no message at all", "", "an object with named values"),
    ],
)
async def test_a_message_that_is_no_event_can_be_kept_too(home: Home, message: Any, entity: str, sentence: str) -> None:
    async with BatchWriter(home.settings()) as writer:
        with pytest.raises(InvalidEvent, match=sentence) as caught:
            Event.from_home_assistant(message)
        writer.refuse(message, caught.value)
        assert writer.stats.quality == {("schema", entity): 1}
        assert (writer.stats.rejected, writer.stats.accepted) == (1, 0)
    assert kept(home) == [("refused", entity, repr(message))]


async def test_what_is_kept_is_bounded_and_the_refused_are_not_pushed_out(home: Home) -> None:
    good = [event(time_ns=NOW + number, confidence=2.0) for number in range(10_500)]
    async with BatchWriter(home.settings(quality={"range": "repair"})) as writer:
        with pytest.raises(InvalidEvent):
            await writer.write(event(normalized_value=float("nan")))
        for start in range(0, len(good), 2100):
            await writer.write_many(good[start : start + 2100])
    spool = Spool.look(home.folder / "spool.sqlite")
    assert len(spool.noticed(most=20_000)) == 10_000
    assert spool.noticed(10_499)[0].event == repr(good[-1])
    assert len(spool.refused()) == 1
    spool.close()


async def test_a_time_far_ahead_is_repaired_to_now(home: Home) -> None:
    async with BatchWriter(home.settings(quality={"future": "repair"}, close_timeout=20)) as writer:
        await writer.write(event(time_ns=NOW + 300 * DAY))
        await writer.flush()
    [row] = home.query(f'from(bucket: "{home.bucket}") |> range(start: -1h, stop: 1h)')
    assert row["_value"] == "1"


async def test_prometheus_reads_every_counter(home: Home, make_events: Callable[..., list[Event]]) -> None:
    registry = CollectorRegistry()
    async with BatchWriter(home.settings(quality={"range": "repair"})) as writer:
        registry.register(WriterCollector(writer))
        await writer.write_many([*make_events(7), event(confidence=2.0)])
        with pytest.raises(InvalidEvent):
            await writer.write(event(normalized_value=float("inf")))
        await writer.flush()
        stats = writer.stats
        found = {
            f"{sample.name}{{{sample.labels['rule']}}}" if sample.labels else sample.name: sample.value
            for metric in registry.collect()
            for sample in metric.samples
        }
    expected = {
        "events_accepted_total": 8,
        "events_delivered_total": 8,
        "events_dead_lettered_total": 0,
        "events_dropped_total": 0,
        "events_rejected_total": 1,
        "events_sent_again_total": 0,
        "events_pending": 0,
        "pending_bytes": 0,
        "oldest_pending_seconds": 0,
        "batches_total": stats.batches,
        "requests_total": stats.requests,
        "requests_failed_total": stats.failed_requests,
        "retries_total": stats.retries,
        "batch_success_rate": stats.batch_success_rate,
        "accept_seconds_count": stats.accept_time.count,
        "accept_seconds_sum": stats.accept_time.seconds,
        "deliver_seconds_count": stats.deliver_time.count,
        "deliver_seconds_sum": stats.deliver_time.seconds,
        "quality_total{range}": 1,
        "quality_total{schema}": 1,
        "healthy": 1,
    }
    assert found == {f"hearthflux_writer_{name}": value for name, value in expected.items()}


async def test_prometheus_sees_what_waits_and_that_it_does(home: Home, make_events: Callable[..., list[Event]]) -> None:
    registry = CollectorRegistry()
    async with BatchWriter(home.settings(url="http://127.0.0.1:9", close_timeout=0)) as writer:
        registry.register(WriterCollector(writer))
        await writer.write_many(make_events(7))
        await until(lambda: writer.health() == "unhealthy" and writer.stats.retries)
        value = registry.get_sample_value
        assert value("hearthflux_writer_events_pending") == 7
        assert value("hearthflux_writer_pending_bytes") == writer.stats.pending_bytes > 7 * 50
        assert (value("hearthflux_writer_oldest_pending_seconds") or 0) > 0
        assert (value("hearthflux_writer_retries_total") or 0) > 0
        assert value("hearthflux_writer_batch_success_rate") == writer.stats.batch_success_rate < 1
        assert value("hearthflux_writer_healthy") == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"INFLUXDB_URL": "localhost:8086"}, "not an address such as"),
        ({"INFLUXDB_TOKEN": ""}, "INFLUXDB_TOKEN (token) is empty"),
        ({"INFLUXDB_ORG": ""}, "INFLUXDB_ORG not set"),
        ({"INFLUXDB_BATCH_SIZE": "many"}, "INFLUXDB_BATCH_SIZE 'many': a number is needed"),
        ({"INFLUXDB_BATCH_TIMEOUT": "0"}, "batch_timeout 0.0: a number above 0"),
        ({"INFLUXDB_WHEN_FULL": "panic"}, "one of block, drop_oldest, drop_newest"),
    ],
)
def test_wrong_settings_are_told_in_a_sentence(changes: dict[str, str], sentence: str) -> None:
    given = {"INFLUXDB_URL": "http://localhost:8086", "INFLUXDB_TOKEN": "very-secret", "INFLUXDB_ORG": "home"}
    assert "very-secret" not in repr(WriterSettings.from_mapping(given))
    with pytest.raises(SettingsError) as caught:
        WriterSettings.from_mapping({**given, **changes})
    assert sentence in str(caught.value)
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "given", "packs"),
    [
        ("http://localhost:8086", None, False),
        ("http://127.0.0.1:8086", None, False),
        ("http://[::1]:8086", None, False),
        ("https://influx.example:8086", None, True),
        ("https://influx.example:8086", False, False),
        ("http://localhost:8086", True, True),
    ],
)
def test_requests_are_packed_where_it_pays(url: str, given: bool | None, packs: bool) -> None:
    assert WriterSettings(url=url, token="t", org="o", gzip=given).packs is packs


def test_importing_the_writer_loads_little() -> None:
    code = "import sys, writer; print(*sys.modules)"
    root = Path(__file__).resolve().parents[2]
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    names = {name.partition(".")[0] for name in loaded.split()}
    assert not names & {"pulumi", "influxdb_client", "aiohttp", "numpy", "stacks", "provider", "operations", "reader"}
