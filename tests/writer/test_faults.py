# ruff: noqa: SIM117
"""Servers that refuse, hang, lie and die. Every accepted event ends in the database or as a dead letter."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.writer.conftest import Home, until
from tests.writer.faulty import EndlessProxy, FaultyProxy, refusal
from tests.writer.test_batch_writing import check
from writer import BatchWriter, Event
from writer.chunk import Chunk
from writer.spool import Spool

MakeEvents = Callable[..., list[Event]]


def dead_letters(home: Home) -> list[tuple[int, str, bytes]]:
    spool = Spool(home.folder / "spool.sqlite")
    spool.open()
    try:
        return [(letter.status, letter.reason, letter.line) for letter in spool.dead_letters()]
    finally:
        spool.close()


async def test_type_conflict_and_too_old_point_are_found_among_10000(home: Home, make_events: MakeEvents) -> None:
    home.bucket += "-kept"
    home.make_bucket(retention_seconds=30 * 86_400)
    events = make_events(10_000)
    events[4321].time_ns = time.time_ns() - 400 * 86_400 * 10**9
    async with BatchWriter(home.settings(close_timeout=20)) as writer:
        # What another program wrote: confidence as a text, where the schema says float.
        other = home.settings()
        await writer._transport.post(
            [
                b'home_assistant_events,entity_id=sensor.odd,domain=sensor confidence="high" %d\n'
                % (time.time_ns() - 10**9)
            ]
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
        return refusal(413, "too large") if len(body) > 70_000 else None

    async with FaultyProxy(home.server.url, decide) as proxy, BatchWriter(home.settings(url=proxy.url)) as writer:
        await writer.write_many(make_events(1000))
        assert (await writer.flush()).delivered == 1000
        learning = writer.stats.failed_requests
        await writer.write_many(make_events(1000, first=1000))
        assert (await writer.flush()).delivered == 2000
        # The first 413 has taught what the proxy takes.
        assert writer.stats.failed_requests == learning
    assert len(home.values()) == 2000


@pytest.mark.parametrize("poisoned", [{42}, {42, 142}, {42, 77, 500, 1201, 1999}])
async def test_poison_does_not_hold_up_the_queue(home: Home, make_events: MakeEvents, poisoned: set[int]) -> None:
    """Also not where every connection has such a batch at once."""
    marks = [f"s{number:07d}".encode() for number in poisoned]

    def decide(body: bytes, _: int) -> web.Response | None:
        return refusal(500, "panic: cannot digest this") if any(mark in body for mark in marks) else None

    async with FaultyProxy(home.server.url, decide) as proxy:
        async with BatchWriter(home.settings(url=proxy.url, batch_size=100, retry_longest=0.1)) as writer:
            await writer.write_many(make_events(2000))
            report = await writer.flush()
            assert (report.delivered, report.dead_lettered, report.pending) == (2000 - len(poisoned), len(poisoned), 0)
            check(writer)
    letters = dead_letters(home)
    assert {(status, reason) for status, reason, _ in letters} == {(500, "panic: cannot digest this")}
    assert all(any(mark in line for _, _, line in letters) for mark in marks)


async def test_poison_with_only_a_refused_line_beside_it_is_found(home: Home, make_events: MakeEvents) -> None:
    home.post(f'home_assistant_events,entity_id=sensor.other confidence="a text" {time.time_ns()}')
    conflict, poisoned = make_events(2)
    conflict.confidence = 0.5

    def decide(body: bytes, _: int) -> web.Response | None:
        return refusal(500, "panic") if b"s0000001" in body else None

    async with FaultyProxy(home.server.url, decide) as proxy:
        async with BatchWriter(home.settings(url=proxy.url, retry_longest=0.1)) as writer:
            await writer.write_many([conflict, poisoned])
            report = await writer.flush()
            assert (report.delivered, report.dead_lettered, report.pending) == (0, 2, 0)
    assert sorted(status for status, _, _ in dead_letters(home)) == [422, 500]


async def test_a_server_that_fails_for_everything_is_ill_and_nothing_is_buried(
    home: Home, make_events: MakeEvents
) -> None:
    async with FaultyProxy(home.server.url, lambda _, n: refusal(500, "engine") if n <= 150 else None) as proxy:
        async with BatchWriter(home.settings(url=proxy.url, batch_size=100, retry_longest=0.05)) as writer:
            await writer.write_many(make_events(1000))
            report = await writer.flush()
            assert (report.delivered, report.dead_lettered, report.pending) == (1000, 0, 0)
    assert len(home.values()) == 1000


async def test_retry_after_is_obeyed(home: Home, make_events: MakeEvents) -> None:
    asked: list[float] = []

    def decide(_: bytes, number: int) -> web.Response | None:
        asked.append(time.monotonic())
        return refusal(429, "slow down", **{"Retry-After": "2"}) if number == 1 else None

    async with FaultyProxy(home.server.url, decide) as proxy, BatchWriter(home.settings(url=proxy.url)) as writer:
        await writer.write_many(make_events(10))
        assert (await writer.flush()).delivered == 10
        assert asked[1] - asked[0] >= 2


@pytest.mark.parametrize(("status", "passes_on"), [(200, True), (500, False)])
async def test_a_response_that_never_ends_keeps_nothing(
    home: Home, make_events: MakeEvents, status: int, passes_on: bool
) -> None:
    """Its status says what became of the batch; its endless body is not waited for, nor kept in memory."""

    async with EndlessProxy(home.server.url, status, passes_on) as proxy:
        async with BatchWriter(home.settings(url=proxy.url, read_timeout=1, write_timeout=5)) as writer:
            await writer.write_many(make_events(100))
            assert (await writer.flush()).delivered == 100
            assert writer.stats.retries == (0 if passes_on else 1)
    assert len(home.values()) == 100


async def test_what_a_server_confirmed_and_lost_in_a_crash_is_sent_again(home: Home, make_events: MakeEvents) -> None:
    def decide(_: bytes, number: int) -> web.Response | str | None:
        # Confirmed and not stored, as InfluxDB 2.7 can do when it is killed twice; then an outage.
        return web.Response(status=204) if number == 1 else "cut" if number == 2 else None

    async with FaultyProxy(home.server.url, decide) as proxy:
        async with BatchWriter(home.settings(url=proxy.url, batch_size=50, connections=1)) as writer:
            await writer.write_many(make_events(50))
            assert (await writer.flush()).delivered == 50
            assert len(home.values()) == 0
            await writer.write_many(make_events(50, first=50))
            report = await writer.flush()
            assert (report.delivered, report.pending, writer.stats.sent_again) == (100, 0, 50)
            check(writer)
    assert len(home.values()) == 100


async def test_after_an_outage_what_is_confirmed_is_kept_however_long_ago(
    home: Home, make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second crash, which loses it, may come hours after the first."""
    monkeypatch.setattr("writer.senders.CONFIRMED_SECONDS", 0.0)
    answers: dict[int, web.Response | str] = {1: "cut", 3: web.Response(status=204), 5: "cut"}

    async with FaultyProxy(home.server.url, lambda _, number: answers.get(number)) as proxy:
        async with BatchWriter(home.settings(url=proxy.url, batch_size=50, connections=1)) as writer:
            for first in (0, 50, 100, 150):
                await writer.write_many(make_events(50, first=first))
                assert (await writer.flush()).delivered == first + 50
            assert writer.stats.sent_again == 150
            check(writer)
    assert len(home.values()) == 200


async def test_ten_thousand_bad_lines_cost_no_request_each(home: Home, make_events: MakeEvents) -> None:
    """Where the server says that it dropped every line, they share its reason."""
    home.post(f'home_assistant_events,entity_id=sensor.other normalized_value="text" {time.time_ns()}')
    async with BatchWriter(home.settings()) as writer:
        await writer.write_many(make_events(10_000))
        report = await writer.flush()
        assert (report.delivered, report.dead_lettered, report.pending) == (0, 10_000, 0)
        assert writer.stats.requests < 100
    assert all("field type conflict" in reason for _, reason, _ in dead_letters(home))


async def test_a_server_that_is_paused_and_goes_on(private_home: Home, make_events: MakeEvents) -> None:
    async with BatchWriter(private_home.settings(write_timeout=1)) as writer:
        private_home.server.pause()
        await writer.write_many(make_events(300))
        await until(lambda: "no answer" in writer.health().reason)
        private_home.server.resume()
        assert (await writer.flush()).delivered == 300
    assert len(private_home.values()) == 300
