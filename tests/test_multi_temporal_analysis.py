"""Raw events to hourly and daily rows and back out by the reader: every row against plain Python."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from event_schema import Event
from flux_tasks import SummaryServer, backfill, downsamples, repair
from flux_tasks.totals import wrong_windows
from flux_tasks.windows import windows_between
from operations.influxd import LocalInfluxd
from reader import InvalidQuery, ReaderError, ReaderSettings, SummaryReader
from tests.reference import Home, Key, Row, differences, ns
from writer import BatchWriter, WriterSettings

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
DAYS = 31


def a_home() -> list[Event]:
    """A month of a kitchen sensor every 20 minutes, a meter, a lamp with text states, one without a device class."""
    rng = random.Random(7)
    events = []
    moment = NOW - timedelta(days=DAYS)
    while moment < NOW:
        ns = int(moment.timestamp()) * 1_000_000_000
        temperature = round(rng.uniform(-5, 25), 2)
        events.append(
            Event(
                time_ns=ns,
                entity_id="sensor.kitchen_temperature",
                device_class="temperature",
                state_value=str(temperature),
                normalized_value=temperature,
                weather_condition=rng.choice(["sunny", "rainy"]),
                area="kitchen",
            )
        )
        if rng.random() < 0.4:
            events.append(
                Event(
                    time_ns=ns,
                    entity_id="sensor.meter",
                    device_class="energy",
                    state_value="1",
                    normalized_value=1.0,
                    energy_consumption=rng.random(),
                )
            )
            state = rng.choice(["on", "off", "unavailable"])
            value = {"on": 1.0, "off": 0.0}.get(state)
            events.append(Event(time_ns=ns, entity_id="light.lamp", state_value=state, normalized_value=value))
            events.append(Event(time_ns=ns, entity_id="sensor.text", state_value=rng.choice(["open", "shut"])))
        moment += timedelta(minutes=20)
    return events


@pytest.fixture(scope="module")
def filled(home: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    events = a_home()
    spool: Path = tmp_path_factory.mktemp("spool") / "spool.sqlite"
    settings = WriterSettings(
        url=home["url"], token=home["writer_token"], org=home["org"], bucket=home["buckets"]["raw"], spool_path=spool
    )

    async def fill() -> None:
        async with BatchWriter(settings) as writer:
            await writer.write_many(events)
            report = await writer.flush()
            assert (report.delivered, report.dead_lettered, report.pending) == (len(events), 0, 0)
        async with SummaryServer(url=home["url"], token=home["operations_token"], org=home["org"]) as server:
            done = await backfill(server, NOW - timedelta(days=DAYS + 1), NOW)
            assert done.ok

    asyncio.run(fill())
    return events


@pytest.fixture
async def reader(home: dict[str, Any]) -> AsyncIterator[SummaryReader]:
    settings = ReaderSettings(url=home["url"], token=home["reader_token"], org=home["org"])
    async with SummaryReader(settings) as reader:
        yield reader


@pytest.mark.parametrize(("tier", "width"), [("hourly", HOUR), ("daily", timedelta(days=1))])
async def test_every_stored_row_is_what_plain_python_gives(
    home: dict[str, Any], influxd: LocalInfluxd, filled: list[Event], tier: str, width: timedelta
) -> None:
    async with SummaryServer(url=influxd.url, token=influxd.token, org=home["org"]) as server:
        records = await server.rows(
            f'from(bucket: "{home["buckets"][tier]}") |> range(start: 0) '
            f'|> filter(fn: (r) => r._measurement == "{tier}_events")'
        )
    stored: dict[Key, Row] = defaultdict(dict)
    for record in records:
        key = (record["entity_id"], record["domain"], record.get("device_class") or "", ns(record["_time"]))
        stored[key][record["_field"]] = record["_value"]
    reference = Home(filled)
    wanted = reference.hourly() if tier == "hourly" else reference.daily()

    # An hour that ended while the tests run may have been summed up meanwhile.
    def over(rows: Mapping[Key, Row]) -> dict[Key, Row]:
        return {key: row for key, row in rows.items() if key[3] + width // timedelta(microseconds=1) * 1000 <= ns(NOW)}

    assert differences(over(wanted), over(stored)) == []


async def test_a_day_is_24_rows_and_a_month_30(reader: SummaryReader, filled: list[Event]) -> None:
    hours = await reader.query_hourly_summaries("sensor.kitchen_temperature", "1d", now=NOW)
    assert len(hours) == 24
    assert [row.time for row in hours] == sorted(row.time for row in hours)
    # One that ended while the tests run may be summed up meanwhile, and takes the place of the oldest.
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    over = [row for row in hours if row.time < hour]
    assert len(over) >= 23
    assert over[-1].time + HOUR == hour
    assert all(row.device_class == "temperature" and row.value_count == 3 for row in over)
    days = await reader.query_daily_summaries("sensor.kitchen_temperature", "30d", now=NOW)
    assert len(days) == 30
    counts = [row.event_count for row in days if row.time < hour.replace(hour=0)]
    assert counts in ([72] * 30, [72] * 29)


async def test_texts_have_counts_and_no_numbers(reader: SummaryReader, filled: list[Event]) -> None:
    rows = await reader.query_daily_summaries("sensor.text", "30d", now=NOW)
    assert rows
    assert all(row.event_count and row.value_count == 0 and row.avg_value is None for row in rows)


async def test_repair_finds_what_came_late_and_what_is_gone(home: dict[str, Any], filled: list[Event]) -> None:
    """A window that lost its rows and one with a stray row are found, computed again, and only those."""
    spec = downsamples()[0]
    async with SummaryServer(url=home["url"], token=home["operations_token"], org=home["org"]) as server:
        (window,) = windows_between(spec, NOW - 5 * HOUR, NOW - 5 * HOUR + timedelta(microseconds=1))
        await server.delete(spec.target_bucket, spec.target_measurement, window.start, window.stop - HOUR / 2)
        assert await wrong_windows(server, spec, [window]) == [window]
        report = await repair(server, NOW - timedelta(days=2), NOW)
        assert (report.computed, report.wrong) == (1, 0)
        again = await repair(server, NOW - timedelta(days=2), NOW)
        assert (again.computed, again.wrong) == (0, 0)


@pytest.mark.parametrize("duration", ["", "1x", "0d", "-1d", "24", "1.5h"])
async def test_a_duration_that_is_none_is_a_sentence(reader: SummaryReader, duration: str) -> None:
    with pytest.raises(InvalidQuery, match="such as 12h, 30d or 2w"):
        await reader.query_hourly_summaries("sensor.a", duration)


async def test_no_entity_breaks_out_of_its_query(reader: SummaryReader, filled: list[Event]) -> None:
    assert await reader.query_hourly_summaries('x" or r.entity_id != "', "1d") == []


async def test_wrong_token_and_no_server_are_sentences(home: dict[str, Any]) -> None:
    for url, sentence in ((home["url"], "does not know this token"), ("http://127.0.0.1:9", "No answer from InfluxDB")):
        async with SummaryReader(ReaderSettings(url=url, token="not-a-token", org=home["org"])) as reader:
            with pytest.raises(ReaderError, match=sentence) as caught:
                await reader.query_hourly_summaries("sensor.a", "1d")
            assert "not-a-token" not in str(caught.value)
