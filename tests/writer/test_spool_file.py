"""The spool's files beside a dict: whatever happens, what was stored and not given up is there, in order."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from writer import segments
from writer.id_ranges import IdRanges
from writer.spool import Chunk, Spool, SpoolError

KILOBYTE, MEGABYTE = 1024, 1024 * 1024
SIZES = st.sampled_from([1, 50, 3000, 30_000, 60_000])


@contextlib.contextmanager
def small_segments() -> Iterator[None]:
    with mock.patch.multiple(
        segments, SEGMENT_BYTES=200 * KILOBYTE, SMALL_SEGMENT_BYTES=50 * KILOBYTE, SPARE_BYTES=600 * KILOBYTE
    ):
        yield


def kill(spool: Spool) -> None:
    """What is left when its process dies: whatever was only in its memory is gone."""
    queue = spool._queue
    if queue._file >= 0:
        os.close(queue._file)
        queue._file = -1
    queue._unwritten = IdRanges()
    spool.close()


class Files(RuleBasedStateMachine):
    folder: Path

    @initialize()
    def begin(self) -> None:
        self.path = Path(tempfile.mkdtemp(dir=self.folder)) / "spool.sqlite"
        self.wanted: dict[int, Chunk] = {}
        # May come back after a crash: what was given up and perhaps not written down, what was never accepted.
        self.perhaps: list[Chunk] = []
        self.dead = 0
        self.open()

    def open(self, *, may_be_damaged: bool = False) -> None:
        self.spool = Spool(self.path)
        self.spool.open()
        assert may_be_damaged or self.spool.damaged == []
        self.next = self.spool.waiting().last + 1
        assert len(self.spool.dead_letters()) == self.dead

    def chunks(self, sizes: list[int], gap: int) -> list[Chunk]:
        first, self.next = self.next + gap, self.next + gap + len(sizes)
        return [
            Chunk(first + place, float(first), place + 1, bytes([97 + (first + place) % 26]) * size + b"\n")
            for place, size in enumerate(sizes)
        ]

    def oldest(self, count: int) -> list[tuple[int, int]]:
        ids = sorted(self.wanted)[:count]
        self.perhaps += [self.wanted.pop(number) for number in ids]
        return [(number, number) for number in ids]

    @rule(sizes=st.lists(SIZES, min_size=1, max_size=6), gap=st.sampled_from([0, 0, 0, 3]), done=st.integers(0, 8))
    def commit(self, sizes: list[int], gap: int, done: int) -> None:
        chunks = self.chunks(sizes, gap)
        self.spool.commit(chunks, self.oldest(done))
        self.wanted |= {chunk.id: chunk for chunk in chunks}

    @rule(place=st.integers(0, 30), count=st.integers(1, 5), is_buried=st.booleans())
    def give_up(self, place: int, count: int, is_buried: bool) -> None:
        ids = sorted(self.wanted)[place : place + count]
        if ids and is_buried:
            self.spool.bury(ids[0], ids[-1], [(400, "no", b"line")])
            self.dead += 1
            for number in ids:
                del self.wanted[number]
        elif ids:
            self.spool.commit((), [(ids[0], ids[-1])])
            self.perhaps += [self.wanted.pop(number) for number in ids]

    @rule(sizes=st.lists(SIZES, min_size=1, max_size=6), written=st.sampled_from([0, 1, 2]))
    def commit_on_a_full_disk(self, sizes: list[int], written: int) -> None:
        """No new file, and no more than a part of the write."""
        full, before = OSError(errno.ENOSPC, "full"), self.next
        chunks = self.chunks(sizes, 0)

        def pwritev(file: int, pieces: list[bytes], start: int) -> int:
            return os.pwrite(file, b"".join(pieces[:written]), start)

        with (
            mock.patch("os.posix_fallocate", side_effect=full),
            mock.patch("os.pwritev", pwritev),
            mock.patch.object(segments, "_write_on", side_effect=full),
            pytest.raises(SpoolError, match="the disk is full"),
        ):
            self.spool.commit(chunks)
        self.next = before

    @rule(after=st.integers(0, 40), most=st.sampled_from([1, 100_000, 10**9]))
    def read(self, after: int, most: int) -> None:
        for start in (after, after + 1):
            ids = [number for number in sorted(self.wanted) if number > start]
            found = self.spool.read(start, self.next, most)
            assert found == [self.wanted[number] for number in ids[: len(found)]]
            assert bool(found) == bool(ids)

    @rule(is_killed=st.booleans())
    def end_and_open(self, is_killed: bool) -> None:
        (kill if is_killed else Spool.close)(self.spool)
        self.open()
        self.compare(may_come_back=is_killed)

    @rule(
        sizes=st.lists(SIZES, min_size=1, max_size=3),
        lost=st.lists(st.booleans(), min_size=1, max_size=9),
        rubbish=st.sampled_from([b"\0", b"x"]),
    )
    def power_fails_in_mid_commit(self, sizes: list[int], lost: list[bool], rubbish: bytes) -> None:
        """Any part of the write reached the disk; where it did not, there is what was there before."""
        queue = self.spool._queue
        newest = queue._living[-1] if queue._file >= 0 else None
        end = newest.end if newest is not None else 0
        chunks = self.chunks(sizes, 0)
        self.spool.commit(chunks)
        if newest is not None and queue._living[-1] is newest:
            part = (newest.end + 4 - end) // len(lost) + 1
            for place, is_lost in enumerate(lost):
                if is_lost:
                    start = end + place * part
                    os.pwrite(queue._file, rubbish * min(part, newest.end + 4 - start), start)
            self.perhaps += chunks
        else:
            self.wanted |= {chunk.id: chunk for chunk in chunks}
        kill(self.spool)
        self.open(may_be_damaged=True)
        self.compare(may_come_back=True)

    def compare(self, *, may_come_back: bool) -> None:
        found = {chunk.id: chunk for chunk in self.spool.read(0, 10**9, 10**9)}
        assert list(found) == sorted(found)
        if may_come_back:
            self.wanted |= {chunk.id: chunk for chunk in self.perhaps if found.get(chunk.id) == chunk}
        assert found == self.wanted
        waiting = self.spool.waiting()
        assert waiting.lines == sum(chunk.lines for chunk in found.values())
        assert waiting.size == sum(len(chunk.body) for chunk in found.values())

    def teardown(self) -> None:
        if not hasattr(self, "spool"):
            return
        self.compare(may_come_back=False)
        self.spool.commit((), [(1, self.next)])
        self.spool.close()
        files = self.path.with_name("spool.sqlite.queue").glob("*.segment")
        assert sum(file.stat().st_size for file in files) < MEGABYTE
        with contextlib.closing(Spool.look(self.path)) as seen:
            assert seen.waiting().lines == 0


def test_whatever_happens_to_its_files_nothing_stored_is_lost(tmp_path: Path) -> None:
    with small_segments():
        run_state_machine_as_test(
            type("Machine", (Files,), {"folder": tmp_path}),
            settings=settings(
                max_examples=30,
                stateful_step_count=30,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_a_chunk_that_stays_does_not_keep_the_disk_of_what_went(tmp_path: Path) -> None:
    """A poisoned batch waits for ever, while a thousand times as much passes by."""
    spool = Spool(tmp_path / "spool.sqlite")
    with small_segments():
        spool.open()
        spool.commit([Chunk(1, 1.0, 1, b"poison\n")])
        for number in range(2, 202):
            spool.commit([Chunk(number, 1.0, 1, b"x" * 50_000 + b"\n")], [(number - 1, number - 1)][: number - 2])
        spool.close()
        assert sum(file.stat().st_size for file in (tmp_path / "spool.sqlite.queue").iterdir()) < MEGABYTE
        spool.open()
        assert [chunk.id for chunk in spool.read(0, 999, MEGABYTE)] == [1, 201]
        spool.close()


def test_a_body_that_rotted_is_left_out_and_the_file_is_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    spool.open()
    for number in range(1, 6):
        spool.commit([Chunk(number, 1.0, 1, b"%d" % number * 1000 + b"\n")])
    spool.close()
    [segment] = (tmp_path / "spool.sqlite.queue").iterdir()
    content = segment.read_bytes()
    segment.write_bytes(content.replace(b"2222", b"222x", 1))
    spool = Spool(tmp_path / "spool.sqlite")
    spool.open()
    assert [file.name for file in spool.damaged] == ["00000001.damaged"]
    assert [chunk.id for chunk in spool.read(0, 9, MEGABYTE)] == [1, 3, 4, 5]
    spool.close()
    # The head of a record too: what comes behind is found again.
    kept = segment.with_suffix(".damaged")
    kept.write_bytes(content[: content.index(b"3333") - 20] + b"rotted" + content[content.index(b"3333") - 14 :])
    spool = Spool(tmp_path / "spool.sqlite")
    spool.open()
    assert [chunk.id for chunk in spool.read(0, 9, MEGABYTE)] == [1, 2, 4, 5]
    spool.close()


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ("text", "is a file of another kind"),
        ("database", r"is the database of another program \(it has a table t\)"),
        ("former", "holds events in the format of an earlier version, which has to deliver them"),
        ("folder", "is not a file"),
    ],
)
def test_what_is_no_spool_is_refused_and_stays_as_it_is(tmp_path: Path, made: str, sentence: str) -> None:
    path = tmp_path / "spool.sqlite"
    if made == "folder":
        path.mkdir()
    elif made == "text":
        path.write_text("years of somebody's diary")
    else:
        with contextlib.closing(sqlite3.connect(path)) as other:
            table = "queue (id INTEGER PRIMARY KEY, body BLOB)" if made == "former" else "t (a)"
            other.execute(f"CREATE TABLE {table}")
            other.execute(
                "INSERT INTO queue (body) VALUES ('m f=1 1')" if made == "former" else "INSERT INTO t VALUES (1)"
            )
            other.commit()
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(SpoolError, match=f"spool.sqlite {sentence}: move it away"):
        Spool(path).open()
    assert before == (path.read_bytes() if path.is_file() else b"")
    if made == "former":
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("DELETE FROM queue")
            other.commit()
        spool = Spool(path)
        spool.open()
        spool.close()


def test_who_reads_the_dead_letters_for_long_does_not_keep_the_queue(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    spool = Spool(path)
    spool.open()
    spool.bury(1, 1, [(400, "no", b"line" * 100)] * 100)
    with contextlib.closing(sqlite3.connect(path)) as other:
        reading = other.execute("SELECT * FROM dead_letters")
        reading.fetchone()
        began = time.monotonic()
        with pytest.raises(SpoolError, match="cannot be written: database is locked"):
            spool.keep([("refused", "sensor.a", "rule", "event")])
        assert time.monotonic() - began < 5
        spool.commit([Chunk(2, 1.0, 1, b"line\n")])
        reading.close()
    spool.keep([("refused", "sensor.a", "rule", "event")])
    assert spool.findings() == {"refused": 1}
    spool.close()
