"""A few lines that the server refuses among many that it takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from tests.writer.conftest import Home
from tests.writer.faulty import FaultyProxy
from tests.writer.test_batch_writing import check
from writer import BatchWriter, Event
from writer.spool import Spool

BATCH = 1000


async def test_three_bad_lines_among_10000_cost_a_logarithmic_number_of_requests(
    home: Home, make_events: Callable[..., list[Event]]
) -> None:
    home.bucket += "-kept"
    home.make_bucket(retention_seconds=30 * 86_400)
    home.post(f'home_assistant_events,entity_id=sensor.other confidence="a text" {time.time_ns()}')
    events = make_events(10_000)
    events[1234].confidence = 0.5
    events[5678].time_ns -= 400 * 86_400 * 10**9
    # What the writer encodes is never malformed: the line is broken on its way.
    broken = b'state_value="s0008901"'

    def break_it(body: bytes, _: int) -> bytes:
        return body.replace(broken, b"state_value=")

    async with FaultyProxy(home.server.url, break_it) as proxy:
        settings = home.settings(url=proxy.url, batch_size=BATCH)
        async with BatchWriter(settings) as writer:
            await writer.write_many(events)
            report = await writer.flush()
            assert (report.delivered, report.dead_lettered, report.pending) == (9_997, 3, 0)
            check(writer)
            # Each is found by halving its batch.
            assert writer.stats.requests <= 10_000 / BATCH + 2 + 3 * 2 * math.ceil(math.log2(BATCH))
    bad = {1234, 5678, 8901}
    assert home.values() == [event.state_value for number, event in enumerate(events) if number not in bad]
    spool = Spool.look(home.folder / "spool.sqlite")
    letters = {letter.line.split(b'state_value="')[1][:8]: letter for letter in spool.dead_letters()}
    spool.close()
    reasons = {line.decode(): (letter.status, letter.reason) for line, letter in letters.items()}
    assert reasons.keys() == {"s0001234", "s0005678", "s0008901"}
    assert reasons["s0001234"][0] == reasons["s0005678"][0] == 422
    assert "partial write: field type conflict" in reasons["s0001234"][1]
    assert "outside retention policy" in reasons["s0005678"][1]
    assert reasons["s0008901"][0] == 400
    assert "unable to parse" in reasons["s0008901"][1]
