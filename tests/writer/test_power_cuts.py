"""Whatever a disk makes of what was not synced when the power fails, and whichever calls fail before: nothing that was
accepted is lost, and nothing is there twice."""

from __future__ import annotations

import contextlib
import errno
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.writer.disk import Disk, PowerCut
from writer import segments
from writer.letters import connect
from writer.spool import Chunk, Spool, SpoolError

SIZES = [1, 30, 400, 600, 3000, 9000]
ERRORS = [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.EROFS]


class Life:
    """Of a spool on a disk that fails by `dice`, beside what has to be true of it."""

    def __init__(self, folder: Path, dice: random.Random, errors: float) -> None:
        self.folder, self.dice, self.errors, self.lives = folder, dice, errors, 0
        # Accepted and not resolved; what may be there besides; what must never be there again.
        self.wanted: dict[int, Chunk] = {}
        self.perhaps: dict[int, set[Chunk]] = {}
        self.dead: set[bytes] = set()
        # What the call was told that the power cut short.
        self.given_up: set[int] = set()
        self.highest = self.serial = 0
        home = folder / "0"
        home.mkdir()
        self.disk = Disk(home, self.fault)
        self.faulty = False
        self.left = 0

    def fault(self, call: str) -> int | None:
        self.left -= 1
        if self.left == 0:
            raise PowerCut
        if self.faulty and call not in ("open", "close") and self.dice.random() < self.errors:
            if call in ("pwritev", "pwrite") and self.dice.random() < 0.5:
                return self.dice.choice([1, 60, 700])
            raise OSError(self.dice.choice(ERRORS), f"fault of {call}")
        return None

    def run(self) -> None:
        for _ in range(self.dice.randint(1, 4)):
            self.left = self.dice.choice([3, 10, 30, 60, 150, 10**6])
            try:
                with self.disk.watched():
                    self.faulty = False
                    self.spool = Spool(self.disk.folder / "spool.sqlite")
                    self.spool.open()
                    self.compare()
                    for _ in range(self.dice.randint(0, 25)):
                        self.faulty = self.dice.random() < 0.5
                        self.dice.choices(
                            [self.commit, self.resolve, self.bury, self.note, self.read], [6, 4, 2, 1, 1]
                        )[0]()
                    if self.dice.random() < 0.3:
                        self.left = 10**6
                        self.faulty = False
                        self.read()
                        self.spool.close()
            except PowerCut:
                pass
            self.left = 10**6
            self.disk.is_off = True
            with self.disk.watched(), contextlib.suppress(PowerCut):
                self.spool.close()
            self.spool._letters.close()
            if self.spool._lock is not None:
                self.spool._lock.close()
            self.disk.close()
            self.lives += 1
            self.disk = Disk(self.disk.after_a_power_cut(self.dice, self.folder / str(self.lives)), self.fault)
            self.faulty = False
        with self.disk.watched():
            self.spool = Spool(self.disk.folder / "spool.sqlite")
            self.spool.open()
            self.compare()
            self.spool.close()
        self.disk.close()

    def compare(self) -> None:
        """After a power cut."""
        letters = [letter.line for letter in self.spool.dead_letters()]
        assert len(letters) == len(set(letters)), "a dead letter twice"
        self.dead |= set(letters)
        found: list[Chunk] = []
        while some := self.spool.read(found[-1].id if found else 0, 10**9, 2000):
            found += some
        ids = [chunk.id for chunk in found]
        assert ids == sorted(set(ids)), "order"
        assert found == self.spool.read(0, 10**9, 10**9)
        there = {chunk.id: chunk for chunk in found}
        for number, chunk in self.wanted.items():
            if chunk.body in self.dead or number in self.given_up:
                continue
            assert there.get(number) == chunk, f"lost {number}"
        for chunk in found:
            known = self.wanted.get(chunk.id) == chunk or chunk in self.perhaps.get(chunk.id, ())
            assert known, f"never written {chunk.id}"
            assert chunk.body not in self.dead, f"dead twice {chunk.id}"
        waiting = self.spool.waiting()
        assert (waiting.lines, waiting.last) == (sum(chunk.lines for chunk in found), self.spool._queue.last)
        are_there = any((self.disk.folder / "spool.sqlite.queue").glob("*.segment"))
        assert waiting.last >= self.highest or not are_there, "ids fall"
        self.highest = waiting.last
        self.wanted, self.given_up = there, set()

    def forget(self, ids: list[int]) -> None:
        self.given_up -= set(ids)
        for number in ids:
            del self.wanted[number]

    def oldest(self, count: int) -> list[int]:
        """To give up: they may come back, or be gone already where that fails."""
        start = self.dice.choice([0, 0, 0, 1, 3])
        ids = sorted(self.wanted)[start : start + count]
        for number in ids:
            self.perhaps.setdefault(number, set()).add(self.wanted[number])
        self.given_up |= set(ids)
        return ids

    def commit(self) -> None:
        first = self.spool._queue.last + 1 + self.dice.choice([0, 0, 0, 2])
        chunks = []
        for place in range(self.dice.choice([1, 1, 2, 5, 12])):
            self.serial += 1
            body = b"%d " % self.serial * self.dice.choice(SIZES)
            chunks.append(
                Chunk(
                    first + place, float(self.serial), 1 + self.serial % 3, body[: self.dice.choice(SIZES) + 8] + b"\n"
                )
            )
        done = self.oldest(self.dice.choice([0, 0, 1, 4]))
        for chunk in chunks:
            self.perhaps.setdefault(chunk.id, set()).add(chunk)
        try:
            self.spool.commit(chunks, [(number, number) for number in done])
        except SpoolError:
            return
        self.forget(done)
        self.wanted |= {chunk.id: chunk for chunk in chunks}
        self.highest = chunks[-1].id

    def resolve(self) -> None:
        done = self.oldest(self.dice.choice([1, 3, 8, 50]))
        with contextlib.suppress(SpoolError):
            self.spool.commit((), [(number, number) for number in done])
            self.forget(done)

    def bury(self) -> None:
        done = self.oldest(1)
        if done:
            body = self.wanted[done[0]].body
            self.spool.bury(done[0], done[0], [(400, "no", body)])
            self.dead.add(body)
            self.forget(done)

    def note(self) -> None:
        with contextlib.suppress(SpoolError):
            self.spool.commit(())

    def read(self) -> None:
        found = [chunk for chunk in self.spool.read(0, 10**9, 10**9) if chunk.id not in self.given_up]
        wanted = [self.wanted[number] for number in sorted(self.wanted) if number not in self.given_up]
        assert found == wanted, ([c.id for c in found], [c.id for c in wanted], self.given_up)


def unsynced(path: Path) -> sqlite3.Connection:
    """SQLite's own promise is taken as given."""
    db = connect(path)
    db.execute("PRAGMA synchronous=OFF")
    return db


@contextlib.contextmanager
def small_segments() -> Iterator[None]:
    with (
        mock.patch.multiple(
            segments, SEGMENT_BYTES=16_384, SMALL_SEGMENT_BYTES=4096, SPARE_BYTES=49_152, ROOM_FOR_RESOLVED=600
        ),
        mock.patch("writer.letters.connect", unsynced),
    ):
        yield


def live(folder: Path, seed: int, errors: float) -> None:
    home = Path(tempfile.mkdtemp(dir=folder))
    try:
        Life(home, random.Random(seed), errors).run()
    finally:
        shutil.rmtree(home)


@settings(
    max_examples=100,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32), errors=st.sampled_from([0.0, 0.0, 0.05, 0.3]))
def test_no_power_cut_and_no_error_takes_what_was_accepted(tmp_path: Path, seed: int, errors: float) -> None:
    with small_segments():
        live(tmp_path, seed, errors)
