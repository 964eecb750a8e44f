"""What a user does first: open, write, flush, look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from tests.writer.conftest import Home
from writer import BatchWriter, Event, InvalidEvent, SpoolError, WriterClosed

MakeEvents = Callable[..., list[Event]]


def check(writer: BatchWriter) -> None:
    stats = writer.stats
    assert stats.accepted == stats.delivered + stats.dead_lettered + stats.dropped + stats.pending


@pytest.mark.parametrize("durability", ["fsync", "memory"])
async def test_a_thousand_events_are_stored(home: Home, make_events: MakeEvents, durability: str) -> None:
    events = make_events(1000)
    async with BatchWriter(home.settings(durability=durability)) as writer:
        started = time.monotonic()
        assert await writer.write_many(events) == 1000
        report = await writer.flush()
        assert time.monotonic() - started < 30
        assert (report.delivered, report.dead_lettered, report.dropped, report.pending) == (1000, 0, 0, 0)
        assert writer.stats.batch_success_rate > 0.95
        assert writer.health() == "healthy"
        check(writer)
    assert home.values() == [event.state_value for event in events]


async def test_packed_requests_are_stored(home: Home, make_events: MakeEvents) -> None:
    async with BatchWriter(home.settings(gzip=True)) as writer:
        await writer.write_many(make_events(3000))
        assert (await writer.flush()).delivered == 3000
    assert len(home.values()) == 3000


async def test_single_writes_at_the_same_time_share_commits(home: Home, make_events: MakeEvents) -> None:
    async with BatchWriter(home.settings()) as writer:
        await asyncio.gather(*(writer.write(event) for event in make_events(300)))
        assert writer.stats.accepted == 300
        await writer.flush()
        assert writer.stats.batches < 50
    assert len(home.values()) == 300


async def test_a_batch_goes_out_when_its_time_is_over(home: Home, make_events: MakeEvents) -> None:
    async with BatchWriter(home.settings(batch_timeout=0.3)) as writer:
        await writer.write_many(make_events(5))
        while writer.stats.delivered < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert len(home.values()) == 5


async def test_an_async_stream_is_written(home: Home, make_events: MakeEvents) -> None:
    async def stream() -> AsyncIterator[Event]:
        for event in make_events(1500):
            yield event

    async with BatchWriter(home.settings()) as writer:
        assert await writer.write_many(stream()) == 1500
        assert (await writer.flush()).delivered == 1500


async def test_a_refused_event_leaves_the_others(home: Home, make_events: MakeEvents) -> None:
    events = make_events(10)
    events[3].normalized_value = float("nan")
    async with BatchWriter(home.settings()) as writer:
        with pytest.raises(InvalidEvent, match=r"normalized_value nan: a finite number \(1 of 10"):
            await writer.write_many(events)
        assert (await writer.flush()).delivered == 9
        assert writer.stats.rejected == 1
        assert writer.stats.quality == {("schema", "sensor.room_3"): 1}
        check(writer)


async def test_a_closed_writer_says_how_to_open_it(home: Home, make_events: MakeEvents) -> None:
    writer = BatchWriter(home.settings())
    with pytest.raises(WriterClosed, match="async with"):
        await writer.write(make_events(1)[0])


async def test_a_second_writer_on_the_same_spool_is_refused(home: Home) -> None:
    async with BatchWriter(home.settings()):
        with pytest.raises(SpoolError, match="in use by process"):
            await BatchWriter(home.settings()).open()
    async with BatchWriter(home.settings()) as writer:
        assert writer.health() == "healthy"


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
@pytest.mark.parametrize("durability", ["fsync", "memory"])
async def test_a_full_spool_drops_by_its_policy_and_counts(
    private_home: Home, make_events: MakeEvents, policy: str, durability: str
) -> None:
    private_home.server.pause()
    events = make_events(3000)
    settings = private_home.settings(
        spool_limit_bytes=100_000, when_full=policy, durability=durability, batch_size=100, close_timeout=20
    )
    async with BatchWriter(settings) as writer:
        for start in range(0, 3000, 100):
            await writer.write_many(events[start : start + 100])
            check(writer)
            assert writer.stats.pending_bytes <= 100_000
        assert writer.stats.dropped > 1000
        private_home.server.resume()
        await writer.flush()
        stats = writer.stats
        assert (stats.accepted, stats.pending) == (3000, 0)
        stored = private_home.values()
        assert len(stored) == stats.delivered
        assert ("s0002999" in stored) == (policy == "drop_oldest")


async def test_a_full_spool_blocks_until_there_is_room(private_home: Home, make_events: MakeEvents) -> None:
    private_home.server.pause()
    settings = private_home.settings(spool_limit_bytes=50_000, batch_size=100)
    async with BatchWriter(settings) as writer:
        task = asyncio.create_task(writer.write_many(make_events(2000)))
        await asyncio.sleep(0.5)
        assert not task.done()
        assert writer.stats.pending_bytes <= 50_000
        private_home.server.resume()
        assert await task == 2000
        assert (await writer.flush()).delivered == 2000
