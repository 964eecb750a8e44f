"""What a person has to mend - a token, a bucket - is waited for in the middle of a stream, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.writer.conftest import Home, until
from tests.writer.test_batch_writing import check
from writer import BatchWriter, Event

MakeEvents = Callable[..., list[Event]]


class Tokens:
    """Real ones of the server, each for one bucket."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def make(self, action: str) -> tuple[str, str]:
        """(id, token)"""
        resource = {"type": "buckets", "id": self.home.bucket_id(), "orgID": self.home.server.org_id}
        made = self.home.server.api(
            "POST",
            "/api/v2/authorizations",
            {"orgID": self.home.server.org_id, "permissions": [{"action": action, "resource": resource}]},
        )
        return made["id"], made["token"]

    def revoke(self, number: str) -> None:
        self.home.server.api("DELETE", f"/api/v2/authorizations/{number}")


@contextlib.asynccontextmanager
async def stream(writer: BatchWriter, make_events: MakeEvents) -> AsyncIterator[list[Event]]:
    """What was accepted so far of a stream that goes on until the end of the block."""
    accepted: list[Event] = []

    async def run() -> None:
        while True:
            events = make_events(10, first=len(accepted))
            await writer.write_many(events)
            accepted.extend(events)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(run())
    try:
        await until(lambda: writer.stats.delivered > 50)
        yield accepted
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("source", ["callable", "file"])
async def test_a_token_revoked_in_a_stream_is_waited_for(
    home: Home, make_events: MakeEvents, tmp_path: Path, source: str
) -> None:
    tokens, file = Tokens(home), tmp_path / "token"
    first, present = tokens.make("write")
    file.write_text(present)
    given = {"token_file": file, "token": ""} if source == "file" else {"token": file.read_text}
    async with BatchWriter(home.settings(**given)) as writer:
        async with stream(writer, make_events) as accepted:
            await asyncio.to_thread(tokens.revoke, first)
            await until(lambda: "401: unauthorized access" in writer.health().reason)
            # The next one is of no use either: it may read only.
            file.write_text((await asyncio.to_thread(tokens.make, "read"))[1])
            await until(lambda: "403: insufficient permissions for write" in writer.health().reason)
            held, before = writer.stats.delivered, len(accepted)
            await until(lambda: len(accepted) > before + 100)
            assert writer.stats.delivered == held
            assert writer.stats.pending >= len(accepted) - held
            check(writer)
            file.write_text((await asyncio.to_thread(tokens.make, "write"))[1])
            await until(lambda: writer.stats.delivered > before and writer.health() == "healthy")
        report = await writer.flush()
        assert (report.dead_lettered, report.dropped, report.pending) == (0, 0, 0)
        assert report.delivered >= len(accepted)
        check(writer)
    # A write that the end of the stream cancelled may have been accepted.
    assert home.values()[: len(accepted)] == [event.state_value for event in accepted]


async def test_a_bucket_deleted_in_a_stream_is_waited_for(home: Home, make_events: MakeEvents) -> None:
    async with BatchWriter(home.settings(connections=1)) as writer:
        async with stream(writer, make_events) as accepted:
            await asyncio.to_thread(home.server.api, "DELETE", f"/api/v2/buckets/{home.bucket_id()}")
            await until(lambda: "404" in writer.health().reason)
            assert "not found" in writer.health().reason
            gone, before = writer.stats.delivered, len(accepted)
            await until(lambda: len(accepted) > before + 100)
            assert writer.stats.delivered == gone
            await asyncio.to_thread(home.make_bucket)
            await until(lambda: writer.stats.delivered > before and writer.health() == "healthy")
        report = await writer.flush()
        assert (report.dead_lettered, report.dropped, report.pending) == (0, 0, 0)
    # What was in the bucket went with it; all that was not delivered by then is in the new one.
    assert home.values()[: len(accepted) - gone] == [event.state_value for event in accepted[gone:]]
