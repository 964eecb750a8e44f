"""Whatever is awaited may be cancelled: the counts stay true, and the spool is free afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from tests.writer.conftest import Home, until
from tests.writer.test_batch_writing import check
from writer import BatchWriter, Event

MakeEvents = Callable[..., list[Event]]


async def cancelled_after(seconds: float, task: asyncio.Task[object]) -> None:
    await asyncio.sleep(seconds)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def stored_by_a_next_writer(home: Home) -> int:
    async with BatchWriter(home.settings(close_timeout=20)) as writer:
        assert (await writer.flush()).pending == 0
    return len(home.values())


async def test_cancelled_writes_keep_the_counts_true(home: Home, make_events: MakeEvents) -> None:
    async with BatchWriter(home.settings()) as writer:
        tasks = [asyncio.create_task(writer.write(event)) for event in make_events(200)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await writer.flush()
        check(writer)
        assert writer.stats.delivered >= 100
        assert len(home.values()) == writer.stats.delivered


@pytest.mark.parametrize("seconds", [0, 0.001, 0.02])
async def test_a_cancelled_write_many_keeps_the_counts_true(
    home: Home, make_events: MakeEvents, seconds: float
) -> None:
    async with BatchWriter(home.settings()) as writer:
        await cancelled_after(seconds, asyncio.create_task(writer.write_many(make_events(20_000))))
        await writer.flush()
        check(writer)
        assert writer.stats.pending == 0
        assert len(home.values()) == writer.stats.delivered


@pytest.mark.parametrize("seconds", [0, 0.0005, 0.002, 0.01])
async def test_a_cancelled_open_gives_the_spool_back(home: Home, make_events: MakeEvents, seconds: float) -> None:
    writer = BatchWriter(home.settings())
    opening = asyncio.create_task(writer.open())
    await cancelled_after(seconds, opening)
    if not opening.cancelled():
        await writer.close()
    # The thread that was opening it may need a moment to let go.
    for _ in range(100):
        with contextlib.suppress(Exception):
            async with BatchWriter(home.settings()) as other:
                await other.write_many(make_events(3))
                assert (await other.flush()).delivered == 3
                return
        await asyncio.sleep(0.02)
    pytest.fail("the spool was not given back")


async def test_a_cancelled_flush_leaves_the_delivery_running(home: Home, make_events: MakeEvents) -> None:
    async with BatchWriter(home.settings()) as writer:
        await writer.write_many(make_events(5000))
        await cancelled_after(0.001, asyncio.create_task(writer.flush()))
        assert (await writer.flush()).delivered == 5000


@pytest.mark.parametrize("seconds", [0, 0.001, 0.05])
async def test_a_cancelled_close_loses_nothing_and_gives_the_spool_back(
    home: Home, make_events: MakeEvents, seconds: float
) -> None:
    writer = BatchWriter(home.settings(url="http://127.0.0.1:9", close_timeout=20))
    await writer.open()
    await writer.write_many(make_events(700))
    await cancelled_after(seconds, asyncio.create_task(writer.close()))
    assert await stored_by_a_next_writer(home) == 700


async def test_a_cancelled_stream_keeps_what_was_accepted_of_it(home: Home, make_events: MakeEvents) -> None:
    events, given = make_events(20_000), 0

    async def stream() -> AsyncIterator[Event]:
        nonlocal given
        for event in events:
            given += 1
            yield event

    async with BatchWriter(home.settings(batch_size=500)) as writer:
        writing = asyncio.create_task(writer.write_many(stream()))
        await until(lambda: writer.stats.accepted)
        await cancelled_after(0, writing)
        assert writing.cancelled()
        await writer.flush()
        check(writer)
        delivered = writer.stats.delivered
        assert 0 < delivered <= given < len(events)
    assert home.values() == [event.state_value for event in events[:delivered]]


@pytest.mark.parametrize("many", [True, False])
async def test_a_write_that_waits_for_room_can_be_cancelled(home: Home, make_events: MakeEvents, many: bool) -> None:
    settings = home.settings(url="http://127.0.0.1:9", spool_limit_bytes=20_000, close_timeout=0)
    events = make_events(2000)
    async with BatchWriter(settings) as writer:

        async def one_by_one() -> int:
            for event in events:
                await writer.write(event)
            return len(events)

        waiting = asyncio.create_task(writer.write_many(events) if many else one_by_one())
        accepted = 0
        while not 0 < accepted == writer.stats.accepted:
            accepted = writer.stats.accepted
            await asyncio.sleep(0.2)
        await cancelled_after(0, waiting)
        assert waiting.cancelled()
        await writer.flush(timeout=0.1)
        assert writer.stats.accepted == writer.stats.pending == accepted < len(events)
    assert await stored_by_a_next_writer(home) == accepted
    assert home.values() == [event.state_value for event in events[:accepted]]


async def test_writes_that_wait_for_room_end_when_the_writer_is_closed(home: Home, make_events: MakeEvents) -> None:
    settings = home.settings(url="http://127.0.0.1:9", spool_limit_bytes=20_000, close_timeout=0)
    writer = BatchWriter(settings)
    await writer.open()
    waiting = asyncio.create_task(writer.write_many(make_events(2000)))
    await until(lambda: "spool is full" in writer.health().reason or "no answer" in writer.health().reason)
    await writer.close()
    with pytest.raises(RuntimeError, match="closed before this event was accepted"):
        await waiting
    assert await stored_by_a_next_writer(home) == writer.stats.accepted


async def test_a_writer_can_be_opened_again(home: Home, make_events: MakeEvents) -> None:
    writer = BatchWriter(home.settings(url="http://127.0.0.1:9", close_timeout=0))
    for first in (0, 10, 20):
        async with writer:
            await writer.write_many(make_events(10, first=first))
            assert writer.stats.accepted == writer.stats.pending == first + 10
            check(writer)
    assert await stored_by_a_next_writer(home) == 30
