"""The spool's file: what a busy time made of it is given back, and nothing else goes with it; what is no spool is left
alone."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from writer.chunk import Chunk
from writer.spool import Spool, SpoolError

MEGABYTE = 1024 * 1024


def chunks(first: int, count: int) -> list[Chunk]:
    return [Chunk(number, 0.0, 1, b"x" * (MEGABYTE - 1) + b"\n") for number in range(first, first + count)]


def test_an_empty_queue_gives_its_room_back_and_keeps_what_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    spool = Spool(path)
    spool.open()
    spool.commit(chunks(1, 10))
    # These lie behind the queue, and have to be moved.
    spool.bury(1, 1, [(400, "no number", b"a line " + bytes([65 + number]) * 5000) for number in range(20)])
    spool.commit(chunks(11, 10), found=[("refused", "sensor.a", "a rule", "an event")])
    letters, refused = spool.dead_letters(), spool.refused()
    spool.commit((), [(2, 19)])
    assert [chunk.id for chunk in spool.read(0, 99, 9 * MEGABYTE)] == [20]
    spool.commit((), [(20, 20)])
    assert (spool.dead_letters(), spool.refused()) == (letters, refused)
    spool.commit(chunks(21, 3))
    assert [chunk.id for chunk in spool.read(0, 99, 9 * MEGABYTE)] == [21, 22, 23]
    spool.commit((), [(21, 23)])
    spool.close()
    assert path.stat().st_size < MEGABYTE
    again = Spool(path)
    again.open()
    assert (again.dead_letters(), again.refused(), again.salvaged_from) == (letters, refused, None)
    again.close()


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ("text", "is a file of another kind"),
        ("database", r"is the database of another program \(it has a table t\)"),
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
            other.execute("CREATE TABLE t (a)")
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(SpoolError, match=f"spool.sqlite {sentence}: move it away"):
        Spool(path).open()
    assert before == (path.read_bytes() if path.is_file() else b"")
    assert not path.with_name("spool.sqlite-wal").exists()
