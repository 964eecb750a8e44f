"""Packed bodies: the same bytes come back, with the extension and without it; a damaged one is not taken for lines."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.writer.conftest import Home
from writer import BatchWriter, packing
from writer.backlog import Backlog
from writer.chunk import Chunk
from writer.packing import unpack_slowly
from writer.salvage import rescue
from writer.spool import Spool, connect

Unpack = Callable[[bytes, int], bytes]
# Both ways there are; where the compiled one was not built, it is the slow one twice.
EACH_WAY = pytest.mark.parametrize("unpack", [packing._unpack, unpack_slowly], ids=["compiled", "slowly"])

# Repetitions near and far, short and long, that run into themselves, between what does not repeat.
PIECES = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=30), st.integers(1, 300)),
    st.sampled_from([b"home_assistant_events,entity_id=sensor.a state_value=", bytes(70_000), bytes(range(256)) * 3]),
)
BODIES = st.lists(PIECES, max_size=12).map(b"".join)


def length_of(left: int) -> bytes:
    return b"" if left < 15 else b"\xff" * ((left - 15) // 255) + bytes([(left - 15) % 255])


def packed_otherwise(body: bytes) -> bytes:
    """An LZ4 block by a packer that shares nothing with the extension."""
    seen: dict[bytes, int] = {}
    block, at, unwritten = b"", 0, 0
    while at < len(body) - 12:
        before = seen.get(body[at : at + 4], -70_000)
        seen[body[at : at + 4]] = at
        if at - before > 65_535:
            at += 1
            continue
        length = 4
        while at + length < len(body) - 5 and body[before + length] == body[at + length]:
            length += 1
        literals = body[unwritten:at]
        block += bytes([min(len(literals), 15) << 4 | min(length - 4, 15)]) + length_of(len(literals)) + literals
        block += (at - before).to_bytes(2, "little") + length_of(length - 4)
        at = unwritten = at + length
    literals = body[unwritten:]
    return block + bytes([min(len(literals), 15) << 4]) + length_of(len(literals)) + literals


def stored(body: bytes, count: int) -> bytes:
    block = packed_otherwise(body)
    what = b"%d bytes, %d lines" % (len(body), count)
    return zlib.crc32(block, zlib.crc32(what)).to_bytes(4, "little") + block


def chunk(number: int) -> Chunk:
    body = lines(100, number * 100)
    return Chunk(number, 1.0, 100, stored(body, 100), len(body))


def lines(count: int, first: int = 0) -> bytes:
    return b"".join(
        b'home_assistant_events,domain=sensor,entity_id=sensor.room_%d state_value="%d.5",normalized_value=%d.5 %d\n'
        % (n % 40, n % 97, n % 97, 10**18 + n * 10**9)
        for n in range(first, first + count)
    )


@EACH_WAY
@settings(max_examples=120, deadline=None)
@given(body=BODIES)
def test_what_is_packed_comes_back(unpack: Unpack, body: bytes) -> None:
    assert unpack(packed_otherwise(body), len(body)) == body
    found = packing.pack(body, 1)
    if len(found) < len(body):
        assert len(found) <= len(body) - len(body) // 8 + 4
        assert unpack(found[4:], len(body)) == body


@EACH_WAY
def test_a_block_as_the_format_describes_it(unpack: Unpack) -> None:
    # Written by hand: three literals, 3 + 4 bytes from 3 before, 20 literals in a longer length, then the last five.
    block = bytes([0x33]) + b"abc" + bytes([3, 0, 0xF1, 5]) + b"01234567890123456789" + bytes([7, 0, 0x50]) + b"vwxyz"
    body = b"abc" + b"abcabca" + b"01234567890123456789" + b"34567" + b"vwxyz"
    assert unpack(block, len(body)) == body


@EACH_WAY
@settings(max_examples=120, deadline=None)
@given(body=BODIES, data=st.data())
def test_what_is_no_block_is_refused(unpack: Unpack, body: bytes, data: st.DataObject) -> None:
    block = bytearray(packed_otherwise(body))
    for _ in range(data.draw(st.integers(0, 3))):
        if block:
            block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(block[: data.draw(st.integers(0, len(block)))])
    size = max(0, len(body) + data.draw(st.integers(-2, 2)))
    found = []
    for way in (unpack, packing._unpack):
        try:
            found.append(way(cut, size))
            assert len(found[-1]) == size
        except ValueError as error:
            assert str(error) == f"not an LZ4 block of {size} bytes"  # noqa: PT017
            found.append(b"")
    assert found[0] == found[1]


def test_only_what_gets_smaller_is_packed() -> None:
    short = lines(3)
    assert packing.pack(short, 3) == short
    body = lines(1000)
    found = packing.pack(body, 1000)
    assert len(found) * 5 < len(body) if packing._pack is not None else found is body
    assert packing.is_whole(found, len(body), 1000)
    assert packing.unpack(found, len(body)) == body
    assert packing.unpack(body, len(body)) is body
    noise = random.Random(1).randbytes(10_000)
    assert packing.pack(noise, 9) is noise


@pytest.mark.parametrize("place", [0, 2, 4, 400, -1])
def test_a_bit_that_fell_over_is_noticed(place: int) -> None:
    body = lines(1000)
    found = bytearray(stored(body, 1000))
    assert packing.is_whole(bytes(found), len(body), 1000)
    found[place] ^= 4
    assert not packing.is_whole(bytes(found), len(body), 1000)
    assert not packing.is_whole(bytes(found[:-1]), len(body), 1000)


# What a bit that fell over on the disk may have made of a row, as SQLite reads it. A blob that became a text is whole.
DAMAGES = {
    "a bit of the block": "body = CAST(substr(body, 1, 40) || X'00' || substr(body, 42) AS BLOB)",
    "its end": "body = substr(body, 1, length(body) - 1)",
    "size": "bytes = bytes + 1",
    "a huge size": "bytes = 1 << 40",
    "no number": "bytes = 12161.5",
    "lines": "lines = lines + 1",
    "no lines": "lines = 'many'",
    "longer than its lines": "bytes = 10",
    "no time, no number": "born = 'now', bytes = 'many'",
}
damaged_in = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())


def five_batches(path: Path, damage: str) -> None:
    spool = Spool(path)
    spool.open()
    spool.commit([chunk(number) for number in range(1, 6)])
    spool.close()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE queue SET {damage} WHERE id = 3")


@damaged_in
async def test_a_damaged_batch_is_kept_and_the_others_are_delivered(
    home: Home, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path = home.folder / "spool.sqlite"
    five_batches(path, damage)
    async with BatchWriter(home.settings()) as writer:
        report = await writer.flush(timeout=20)
        assert (report.delivered, report.pending) == (400, 0)
        stats = writer.stats
        assert stats.delivered == 400
        assert stats.accepted == stats.delivered + stats.dropped
        assert stats.pending_bytes == 0
        assert writer.health().status == "healthy"
    assert len(home.values()) == 400
    assert [record.message for record in caplog.records if "damaged" in record.message] == [
        "a batch in the spool is damaged: it was dropped, and is kept in the spool's table 'damaged'"
    ]
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM queue").fetchone() == (0,)
        [[kept]] = db.execute("SELECT CAST(body AS BLOB) FROM damaged").fetchall()
    assert kept[:30] == chunk(3).stored[:30]


async def test_a_blob_that_became_a_text_is_delivered(home: Home) -> None:
    five_batches(home.folder / "spool.sqlite", "body = CAST(body AS TEXT)")
    async with BatchWriter(home.settings()) as writer:
        assert (await writer.flush(timeout=20)).delivered == 500
    assert len(home.values()) == 500


@damaged_in
def test_a_rescue_leaves_a_damaged_batch_out(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "spool.sqlite"
    five_batches(path, damage)
    kept = rescue(path, connect)
    again = Spool(path)
    again.open()
    assert [one.body for one in again.read(0, 99, 10**9)] == [lines(100, n * 100) for n in (1, 2, 4, 5)]
    assert again.waiting().lines == 400
    again.close()
    with contextlib.closing(sqlite3.connect(kept)) as damaged:
        assert damaged.execute("SELECT count(*) FROM queue WHERE id = 3").fetchone() == (1,)


def test_without_the_extension_packed_bodies_are_read_and_new_ones_are_not_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    spool.open()
    spool.commit([chunk(1)])
    monkeypatch.setattr(packing, "_pack", None)
    monkeypatch.setattr(packing, "_unpack", unpack_slowly)
    spool.commit([Chunk(2, 1.0, 100, lines(100)).packed()])
    chunks = spool.read(0, 2, 10**9)
    assert [one.body for one in chunks] == [lines(100, 100), lines(100)]
    assert [one.packed_from > 0 for one in chunks] == [False, False]
    spool.close()


def test_the_backlog_counts_lines_and_keeps_what_is_packed() -> None:
    chunks = [chunk(number) for number in range(1, 4)]
    size = sum(len(one.body) for one in chunks)
    backlog = Backlog()
    backlog.add(chunks, stored=True)
    assert (backlog.pending_bytes, backlog.unsent_bytes) == (size, size)
    assert backlog._loaded_bytes * 4 < size
    # What fits into a request is counted as it is sent.
    assert len(backlog.take(0, 10_000, len(chunks[0].body) + len(chunks[1].body))) == 2
    backlog.resolve(0, recorded=False)
    assert backlog.pending_bytes == len(chunks[2].body)
