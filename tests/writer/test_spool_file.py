"""The spool's file: what a busy time made of it is given back, and nothing else goes with it."""

from __future__ import annotations

from pathlib import Path

from writer.spool import Chunk, Spool

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
