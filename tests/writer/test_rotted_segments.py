"""Files of the queue that rotted, were cut, lost, copied or are somebody else's: what is whole is there, or a sentence
says why not."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.writer.test_power_cuts import small_segments
from writer.records import HEAD_BYTES
from writer.spool import Chunk, Spool, SpoolError

CHUNKS = {number: Chunk(number, 1.0, 1, b"%d " % number * (number % 7 * 60 + 9) + b"\n") for number in range(1, 121)}


def filled(folder: Path) -> list[Path]:
    """The segments of a spool with all chunks."""
    folder.mkdir()
    spool = Spool(folder / "spool.sqlite")
    spool.open()
    for number in range(1, 121, 4):
        spool.commit([CHUNKS[place] for place in range(number, number + 4)])
    spool.close()
    return sorted((folder / "spool.sqlite.queue").iterdir())


def left(folder: Path) -> tuple[list[int], list[str]]:
    """The ids in the spool, and what was damaged in it."""
    spool = Spool(folder / "spool.sqlite")
    spool.open()
    found: list[Chunk] = []
    while some := spool.read(found[-1].id if found else 0, 10**9, 3000):
        found += some
    assert all(chunk == CHUNKS[chunk.id] for chunk in found)
    last = spool.waiting().last
    spool.commit([Chunk(last + 1, 1.0, 1, b"on it goes\n")])
    assert spool.read(last, 10**9, 1)[0].id == last + 1
    spool.commit((), [(last + 1, last + 1)])
    spool.close()
    return [chunk.id for chunk in found], [path.name for path in spool.damaged]


def without(place: int, size: int, content: bytes) -> set[int]:
    """The chunks in a file that have nothing in there."""
    whole = set()
    for number, chunk in CHUNKS.items():
        start = content.find(b"\n" + chunk.body) + 1 or content.find(chunk.body)
        if start >= 0 and (start + len(chunk.body) <= place or start - HEAD_BYTES >= place + size):
            whole.add(number)
    return whole


@pytest.mark.parametrize("seed", range(12))
def test_what_is_whole_beside_a_damage_is_there(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    with small_segments():
        segments = filled(tmp_path / "spool")
        path = dice.choice(segments)
        content = path.read_bytes()
        place, size = dice.randrange(len(content)), dice.choice([1, 4, 512, 4096])
        damage = dice.choice([bytes(size), dice.randbytes(size)])[: len(content) - place]
        path.write_bytes(content[:place] + damage + content[place + size :])
        elsewhere = {number for number, chunk in CHUNKS.items() if chunk.body not in content}
        for _ in range(2):
            ids, _ = left(tmp_path / "spool")
            assert ids == sorted(set(ids))
            assert set(ids) >= without(place, size, content) | elsewhere
            assert len(ids) > 60


def test_a_segment_that_was_copied_counts_once(tmp_path: Path) -> None:
    with small_segments():
        for segment in filled(tmp_path / "spool"):
            shutil.copy(segment, segment.with_name(f"{segment.stem} (copy).segment"))
        assert left(tmp_path / "spool")[0] == list(CHUNKS)
        assert left(tmp_path / "spool") == (list(CHUNKS), [])


def test_of_a_segment_that_is_gone_the_others_stay(tmp_path: Path) -> None:
    with small_segments():
        filled(tmp_path / "spool")[1].unlink()
        ids, damaged = left(tmp_path / "spool")
        assert 60 < len(ids) < 120
        assert damaged == []


def test_somebody_elses_file_is_left_as_it_is(tmp_path: Path) -> None:
    with small_segments():
        folder = filled(tmp_path / "spool")[0].parent
        (folder / "diary.txt").write_text("years of it")
        (folder / "diary.segment").write_text("years of it" * 500)
        assert left(tmp_path / "spool") == (list(CHUNKS), ["diary.damaged"])
        assert (folder / "diary.damaged").read_text() == "years of it" * 500
        assert (folder / "diary.txt").read_text() == "years of it"
        assert left(tmp_path / "spool") == (list(CHUNKS), [])
        other = filled(tmp_path / "other")[0]
        shutil.copy(other, folder / "other.segment")
        for opens in (lambda path: Spool(path).open(), Spool.look):
            with pytest.raises(SpoolError, match=r"\.segment in spool.sqlite.queue is part of another queue, move it"):
                opens(tmp_path / "spool" / "spool.sqlite")


@pytest.mark.parametrize("name", ["spool.sqlite.queue", "spool.sqlite.lock", "spool.sqlite.queue/1.segment"])
def test_a_file_where_a_folder_belongs_and_the_other_way_round(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("queue"):
        path.write_text("a file")
    else:
        path.mkdir(parents=True)
    with pytest.raises(SpoolError, match=r"spool.sqlite cannot be made: (File exists|Is a directory)"):
        Spool(tmp_path / "spool.sqlite").open()
