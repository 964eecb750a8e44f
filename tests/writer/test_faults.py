# ruff: noqa: SIM117
"""Servers that refuse, hang, lie and die. Every accepted event ends in the database or as a dead letter."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.writer.conftest import Home
from tests.writer.faulty import FaultyProxy, refusal
from tests.writer.test_batch_writing import check
from writer import BatchWriter, Event
from writer.spool import Chunk, Spool

MakeEvents = Callable[..., list[Event]]


def dead_letters(home: Home) -> list[tuple[int, str, bytes]]:
    spool = Spool(home.folder / "spool.sqlite")
    spool.open()
    try:
        return [(letter.status, letter.reason, letter.line) for letter in spool.dead_letters()]
    finally:
        spool.close()


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


async def test_type_conflict_and_too_old_point_are_found_among_10000(home: Home, make_events: MakeEvents) -> None:
    home.bucket += "-kept"
    home.make_bucket(retention_seconds=30 * 86_400)
    events = make_events(10_000)
    events[4321].time_ns = time.time_ns() - 400 * 86_400 * 10**9
    async with BatchWriter(home.settings(close_timeout=20)) as writer:
        # What another program wrote: confidence as a text, where the schema says float.
        other = home.settings()
        await writer._transport.post(
            b'home_assistant_events,entity_id=sensor.odd,domain=sensor confidence="high" %d\n'
            % (time.time_ns() - 10**9)
        )
        assert other.bucket == home.bucket
        odd = Event(time_ns=time.time_ns(), entity_id="sensor.odd", confidence=0.5)
        await writer.write_many([*events[:7000], odd, *events[7000:]])
        await writer.flush()
        stats = writer.stats
        assert (stats.delivered, stats.dead_lettered, stats.pending) == (9_999, 2, 0)
        assert stats.requests <= 12 + 2 * 2 * 11
        check(writer)
    assert home.values() == [event.state_value for event in events if event is not events[4321]]
    letters = dead_letters(home)
    assert len(letters) == 2
    reasons = " / ".join(reason for _, reason, _ in letters)
    assert "partial write" in reasons
    assert any(b"sensor.odd" in line for _, _, line in letters)
    assert any(b"s0004321" in line for _, _, line in letters)


async def test_a_malformed_line_from_a_damaged_spool_is_a_dead_letter(home: Home, make_events: MakeEvents) -> None:
    spool = Spool(home.folder / "spool.sqlite")
    spool.open()
    good = [f'home_assistant_events,entity_id=sensor.a state_value="s{n:04d}" {time.time_ns() + n}' for n in range(500)]
    lines = [*good[:250], "home_assistant_events,entity_id=sensor.a state_val", *good[250:]]
    spool.commit([Chunk(1, time.time(), 501, ("\n".join(lines) + "\n").encode())])
    spool.close()
    async with BatchWriter(home.settings()) as writer:
        assert writer.stats.recovered == 501
        report = await writer.flush()
        assert (report.delivered, report.dead_lettered) == (500, 1)
        check(writer)
    assert len(home.values()) == 500
    [(status, reason, line)] = dead_letters(home)
    assert status == 400
    assert "unable to parse" in reason
    assert line.endswith(b"state_val")


async def test_a_refused_token_is_held_and_a_new_one_from_the_file_goes_on(
    home: Home, make_events: MakeEvents, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("revoked-secret")
    async with BatchWriter(home.settings(token="", token_file=file)) as writer:
        await writer.write_many(make_events(50))
        await until(lambda: writer.health() == "unhealthy")
        assert "401" in writer.health().reason
        assert "revoked-secret" not in str(writer.health()) + repr(writer.settings)
        assert writer.stats.pending == 50
        file.write_text(home.server.token)
        assert (await writer.flush()).delivered == 50
        assert writer.health() == "healthy"
    assert len(home.values()) == 50


async def test_a_token_from_a_callable_is_asked_again(home: Home, make_events: MakeEvents) -> None:
    tokens = iter(["first-is-wrong"])
    async with BatchWriter(home.settings(token=lambda: next(tokens, home.server.token))) as writer:
        await writer.write_many(make_events(5))
        assert (await writer.flush()).delivered == 5


async def test_a_deleted_bucket_holds_and_delivery_resumes_when_it_is_back(
    influxd: object, home: Home, make_events: MakeEvents
) -> None:
    bucket = home.server.api("GET", f"/api/v2/buckets?name={home.bucket}")["buckets"][0]["id"]
    home.server.api("DELETE", f"/api/v2/buckets/{bucket}")
    async with BatchWriter(home.settings()) as writer:
        await writer.write_many(make_events(20))
        await until(lambda: "404" in writer.health().reason)
        home.make_bucket()
        assert (await writer.flush()).delivered == 20
    assert len(home.values()) == 20


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda _: refusal(429, "slow down", **{"Retry-After": "1"}), id="429"),
        pytest.param(lambda _: refusal(503, "busy", **{"Retry-After": "0"}), id="503"),
        pytest.param(lambda _: refusal(500, "engine"), id="500"),
        pytest.param(lambda _: refusal(403, "forbidden"), id="403"),
        pytest.param(lambda _: web.Response(status=302, headers={"Location": "/login"}), id="login page"),
        pytest.param(lambda _: "cut", id="cut after it was stored"),
        pytest.param(lambda _: "hang", id="no answer"),
    ],
)
async def test_passing_faults_lose_and_double_nothing(
    home: Home, make_events: MakeEvents, fault: Callable[[bytes], web.StreamResponse | str]
) -> None:
    async with FaultyProxy(home.server.url, lambda body, n: fault(body) if n <= 3 else None) as proxy:
        async with BatchWriter(home.settings(url=proxy.url, write_timeout=1, batch_size=100)) as writer:
            await writer.write_many(make_events(500))
            report = await writer.flush(timeout=20)
            assert (report.delivered, report.dead_lettered, report.pending) == (500, 0, 0)
            assert writer.stats.retries >= 1
            check(writer)
    assert len(home.values()) == 500


async def test_a_body_too_large_for_a_proxy_is_split(home: Home, make_events: MakeEvents) -> None:
    def decide(body: bytes, _: int) -> web.Response | None:
        return refusal(413, "too large") if len(body) > 20_000 else None

    async with FaultyProxy(home.server.url, decide) as proxy, BatchWriter(home.settings(url=proxy.url)) as writer:
        await writer.write_many(make_events(1000))
        assert (await writer.flush()).delivered == 1000
    assert len(home.values()) == 1000


async def test_a_poison_batch_does_not_hold_up_the_queue(home: Home, make_events: MakeEvents) -> None:
    def decide(body: bytes, _: int) -> web.Response | None:
        return refusal(500, "panic: cannot digest this") if b"s0000042" in body else None

    async with FaultyProxy(home.server.url, decide) as proxy:
        async with BatchWriter(home.settings(url=proxy.url, batch_size=100)) as writer:
            await writer.write_many(make_events(2000))
            report = await writer.flush()
            assert (report.delivered, report.dead_lettered, report.pending) == (1999, 1, 0)
            check(writer)
    [(status, reason, line)] = dead_letters(home)
    assert (status, reason) == (500, "panic: cannot digest this")
    assert b"s0000042" in line


async def test_a_server_that_is_paused_and_goes_on(private_home: Home, make_events: MakeEvents) -> None:
    async with BatchWriter(private_home.settings(write_timeout=1)) as writer:
        private_home.server.pause()
        await writer.write_many(make_events(300))
        await until(lambda: "no answer" in writer.health().reason)
        private_home.server.resume()
        assert (await writer.flush()).delivered == 300
    assert len(private_home.values()) == 300


async def test_twenty_kills_of_the_server_in_a_stream_lose_nothing(private_home: Home, make_events: MakeEvents) -> None:
    dice = random.Random(4)
    written = 0
    stop = asyncio.Event()
    async with BatchWriter(private_home.settings(batch_size=500, close_timeout=30)) as writer:

        async def stream() -> None:
            nonlocal written
            while not stop.is_set():
                await writer.write_many(make_events(500, written))
                written += 500
                await asyncio.sleep(0.1)

        streaming = asyncio.create_task(stream())
        for _ in range(20):
            await asyncio.sleep(dice.uniform(0.05, 0.4))
            await asyncio.to_thread(private_home.server.kill)
            await asyncio.sleep(dice.uniform(0, 0.5))
            await asyncio.to_thread(private_home.server.start)
            check(writer)
        stop.set()
        await streaming
        report = await writer.flush(timeout=60)
        assert (report.delivered, report.dead_lettered, report.pending) == (written, 0, 0)
    assert private_home.values() == [f"s{number:07d}" for number in range(written)]
