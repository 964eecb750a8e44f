"""What the writer says: structured, rare in an outage, without secrets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from operations.logs import JsonFormatter
from tests.writer.conftest import Home, hearthflux, until
from writer import BatchWriter, Event, InvalidEvent

MakeEvents = Callable[..., list[Event]]


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """As LOG_FORMAT=json writes them."""
    formatter = JsonFormatter()
    return [json.loads(formatter.format(record)) for record in caplog.records if record.name == "hearthflux.writer"]


async def test_an_outage_is_told_once_a_minute_and_its_end_too(
    home: Home, make_events: MakeEvents, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="hearthflux.writer")
    token = ["a-wrong-secret"]
    settings = home.settings(token=lambda: token[0], retry_longest=0.05, batch_size=10, close_timeout=20)
    async with BatchWriter(settings) as writer:
        await writer.write_many(make_events(100))
        await until(lambda: writer.stats.requests > 20)
        token[0] = home.server.token
        assert (await writer.flush()).delivered == 100
    said = lines(caplog)
    [held] = [line for line in said if line["message"] == "delivery held"]
    assert (held["level"], held["status"], held["bucket"]) == ("error", 401, home.bucket)
    [resumed] = [line for line in said if line["message"] == "delivery goes on"]
    assert "401" in str(resumed["last_trouble"])
    assert "a-wrong-secret" not in json.dumps(said)
    assert home.server.token not in json.dumps(said)


async def test_figures_are_logged(home: Home, make_events: MakeEvents, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="hearthflux.writer")
    async with BatchWriter(home.settings(log_interval=0.1)) as writer:
        await writer.write_many(make_events(5))
        with pytest.raises(InvalidEvent):
            await writer.write(Event(time_ns=1, entity_id="sensor.a", confidence=5.0))
        await writer.flush()

        def figures() -> list[dict[str, Any]]:
            return [line for line in lines(caplog) if line["message"] == "figures"]

        await until(lambda: figures() and figures()[-1]["delivered"] == 5)
        last = figures()[-1]
        expected = {"accepted": 5, "delivered": 5, "dead_lettered": 0, "dropped": 0, "pending": 0, "pending_bytes": 0}
        assert expected.items() <= last.items()
        assert {"batches", "retries", "batch_success_rate", "accept_ms", "deliver_ms"} <= last.keys()
        assert last["quality"] == {"range": 1}
        assert last["health"] == "healthy"


async def test_the_command_writes_its_writers_figures_as_json(home: Home, make_events: MakeEvents) -> None:
    async with BatchWriter(home.settings(url="http://127.0.0.1:9", close_timeout=0)) as writer:
        await writer.write_many(make_events(5))
    ended = await asyncio.to_thread(hearthflux, home, "spool", "drain", LOG_FORMAT="json", LOG_LEVEL="INFO")
    assert ended.returncode == 0
    said = [json.loads(line) for line in ended.stderr.splitlines()]
    [figures] = [line for line in said if line["message"] == "figures"]
    assert (figures["accepted"], figures["delivered"], figures["pending"], figures["bucket"]) == (5, 5, 0, home.bucket)
    assert home.server.token not in ended.stderr
