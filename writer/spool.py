"""The queue on disk: encoded chunks in order, dead letters, refused events. SQLite in WAL mode.

Invariants
    1. `commit` returns after its chunks are fsynced (synchronous=FULL). Ids rise while a spool is open; an empty queue
       begins again at 1.
    2. A chunk leaves the queue only in a transaction that comes after what became of it: the server has it (or the
       policy dropped it), or its dead letters are inserted in that very transaction. A lost delete means sending
       again, which overwrites.
    3. One process at a time: an advisory lock on `<path>.lock`, given back by the kernel when the process dies.

One thread uses a Spool. It knows nothing of HTTP, nor of what is being sent: that is the backlog's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from writer import findings, salvage
from writer.chunk import COUNTED, Chunk
from writer.findings import Finding, Kept

# Measured with 2 MB rows, as a busy writer makes them: half of the CPU time of SQLite's defaults. The cache spares
# reading a row's pages again when it is deleted; a long log lets pages be used again before they are copied, and most
# rows be deleted before they ever are (`_give_back`).
# Debian's SQLite overwrites deleted rows with zeros unless told not to. With auto_vacuum the pages of a deleted row are
# found without reading it, and a full disk can be relieved (`_relieve`).
LOG_BYTES = 56 * 1024 * 1024
PRAGMAS = (
    "auto_vacuum=INCREMENTAL",
    "journal_mode=WAL",
    "synchronous=FULL",
    "journal_size_limit=67108864",
    "cache_size=-8000",
    "secure_delete=OFF",
)
# A commit writes whole pages: small ones spare the disk where events come one by one, large ones take two thirds of the
# CPU where they come by the thousand. A file keeps those that it was made with.
PAGE_BYTES, LARGE_PAGE_BYTES = 16 * 1024, 64 * 1024
SCHEMA = """
CREATE TABLE IF NOT EXISTS queue (
    id INTEGER PRIMARY KEY, born REAL NOT NULL, lines INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, died REAL NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL,
    line BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS damaged (id INTEGER PRIMARY KEY, found REAL NOT NULL, born, lines, bytes, body);
"""
# Room for the few pages of a delete, given up when the disk is full: without it nothing could ever be freed.
RESERVE_PAGES = 64
PAGES_GIVEN_BACK = 2000
# What is worth giving back once the queue is empty.
FREE_BYTES = 1024 * 1024


def connect(path: Path, page_bytes: int = PAGE_BYTES) -> sqlite3.Connection:
    """The database at `path`, made if it is not there, readable by its owner only."""
    # SQLite gives its log and its index the permissions of the file.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        for pragma in (f"page_size={page_bytes}", *PRAGMAS):
            db.execute(f"PRAGMA {pragma}")
        db.execute(f"PRAGMA wal_autocheckpoint={LOG_BYTES // _pragma(db, 'page_size')}")
        db.executescript(SCHEMA + findings.SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


class SpoolError(Exception):
    """The spool cannot do what was asked (disk full, in use, unreadable); the message is for a person."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that the server refused, with its answer. `died` is a wall-clock time in seconds."""

    id: int
    died: float
    status: int
    reason: str
    line: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the queue holds: events, bytes, its first and last id, and when the oldest event was accepted."""

    lines: int = 0
    size: int = 0
    first: int = 1
    last: int = 0
    oldest: float | None = None


@dataclass
class Spool:
    path: Path
    page_bytes: int = PAGE_BYTES
    salvaged_from: Path | None = None
    _db: sqlite3.Connection | None = field(default=None, repr=False)
    _lock: IO[str] | None = field(default=None, repr=False)

    # open and close -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the lock, open the file or make it, rescue what is whole of a damaged one. Raises SpoolError."""
        self.path = Path(self.path)
        try:
            self._take_lock()
            self._open_or_salvage()
            self._keep_reserve()
        except OSError as error:
            self.close()
            raise SpoolError(f"The spool {self.path} cannot be made: {error.strerror}.") from None
        except sqlite3.Error as error:
            self.close()
            raise SpoolError(f"The spool {self.path} cannot be opened: {error}.") from None
        except BaseException:
            self.close()
            raise

    def _take_lock(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.with_name(self.path.name + ".lock")
        self._lock = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._lock.read().strip() or "another process"
            raise SpoolError(
                f"The spool {self.path} is in use by {owner}: stop that one, or give each writer its own spool_path."
            ) from None
        # Who holds it is a courtesy: a full disk must not keep a spool shut.
        with contextlib.suppress(OSError):
            self._lock.truncate(0)
            self._lock.write(f"process {os.getpid()}")
            self._lock.flush()

    def _open_or_salvage(self) -> None:
        if reason := salvage.what_else(self.path):
            raise SpoolError(f"{self.path} {reason}: move it away, or give the writer another spool_path.")
        salvage.finish_interrupted(self.path)
        try:
            self._db = self._connect(self.path)
            damage = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            # "full", "unable to open", "locked" are no damage: the file stays as it is.
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise
            damage = str(error)
        if damage != "ok":
            if self._db is not None:
                self._db.close()
            self.salvaged_from = salvage.rescue(self.path, self._connect)
            self._db = self._connect(self.path)

    def _connect(self, path: Path) -> sqlite3.Connection:
        return connect(path, self.page_bytes)

    @classmethod
    def look(cls, path: Path) -> Spool:
        """A spool to read only, also while a writer uses it. Raises SpoolError."""
        spool = cls(Path(path))
        try:
            spool._db = sqlite3.connect(f"{spool.path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
            spool._db.execute("SELECT count(*) FROM queue").fetchone()
        except sqlite3.Error as error:
            spool.close()
            raise SpoolError(f"The spool {path} cannot be read: {error}.") from None
        return spool

    def close(self) -> None:
        if self._db is not None:
            # Whatever SQLite still says here, everything that was promised is on the disk.
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None
        if self._lock is not None:
            with contextlib.suppress(OSError):
                self._lock.close()
            self._lock = None

    def _sql(self, statement: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        return self._opened.execute(statement, tuple(values))

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise SpoolError(f"The spool {self.path} is closed.")
        return self._db

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._opened
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise SpoolError(f"The spool {self.path} cannot be written: {error}.") from None

    # a full disk ----------------------------------------------------------------------------------------

    @property
    def _reserve(self) -> Path:
        return self.path.with_name(self.path.name + ".reserve")

    def _keep_reserve(self) -> None:
        """Take the reserve, or as much of it as there is room for."""
        with contextlib.suppress(OSError):
            size = RESERVE_PAGES * _pragma(self._opened, "page_size")
            if not self._reserve.exists() or self._reserve.stat().st_size < size:
                with os.fdopen(os.open(self._reserve, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                    file.write(bytes(size))

    def _free_bytes(self) -> int:
        disk = os.statvfs(self.path.parent)
        return disk.f_bavail * disk.f_frsize

    def _empty_log(self) -> bool:
        """Copy SQLite's log into the file, so that it begins anew; False where there is no room for the copy."""
        db = self._opened
        if _pragma(db, "page_count") * _pragma(db, "page_size") - self.path.stat().st_size > self._free_bytes():
            return False
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def _relieve(self, done: Sequence[tuple[int, int]]) -> bool:
        """Free what can be freed of a full disk; True if that made room.

        A delete needs a few pages of the log, for which the reserve is given up. Free pages at the file's end are
        given back, so that the log's copies of them need no room in the file.
        """
        try:
            if done:
                self._reserve.unlink(missing_ok=True)
                with self._transaction() as db:
                    db.executemany("DELETE FROM queue WHERE id BETWEEN ? AND ?", done)
                with contextlib.suppress(sqlite3.Error):
                    self._give_back()
                    # As a script, because `execute` would take only its first step, which is one page.
                    self._opened.executescript(f"PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})")
            return self._empty_log()
        except (SpoolError, sqlite3.Error, OSError):
            return False
        finally:
            self._keep_reserve()

    # the queue ------------------------------------------------------------------------------------------

    def commit(
        self,
        chunks: Sequence[Chunk],
        done: Sequence[tuple[int, int]] = (),
        found: Sequence[Finding] = (),
    ) -> None:
        """One transaction: store chunks, delete resolved ones (first and last id), keep what the quality rules found.
        Returns when all of it is safe. Raises SpoolError, and then none of it happened but deletes."""
        if not chunks and not done and not found:
            return
        try:
            self._commit(chunks, done, found)
        except SpoolError:
            if not self._relieve(done):
                raise
            self._commit(chunks, (), found)
        with contextlib.suppress(sqlite3.Error, OSError):
            if done:
                self._give_back()
            # While there is room for its copy, so that the log never holds the last of it.
            if self._free_bytes() < 2 * LOG_BYTES:
                self._empty_log()

    def _give_back(self) -> None:
        """Cut the free pages off an empty queue: what is beyond the end of the file is not copied there from the log.
        Cheap, because in this mode SQLite looks at no free page, and only the few of other tables have to be moved."""
        db = self._opened
        if db.execute("SELECT 1 FROM queue LIMIT 1").fetchone() is not None:
            return
        if _pragma(db, "freelist_count") * _pragma(db, "page_size") >= FREE_BYTES:
            for mode in ("FULL", "INCREMENTAL"):
                db.execute(f"PRAGMA auto_vacuum={mode}")

    def _commit(self, chunks: Sequence[Chunk], done: Sequence[tuple[int, int]], found: Sequence[Finding]) -> None:
        with self._transaction() as db:
            if done:
                db.executemany("DELETE FROM queue WHERE id BETWEEN ? AND ?", done)
            if chunks:
                db.executemany(
                    "INSERT INTO queue (id, born, lines, bytes, body) VALUES (?, ?, ?, ?, ?)",
                    [(chunk.id, chunk.born, chunk.lines, chunk.size, chunk.stored) for chunk in chunks],
                )
            findings.keep(db, found)

    def bury(self, first: int, last: int, dead: Sequence[tuple[int, str, bytes]]) -> None:
        """The chunks of these ids are on the server, but for `dead`: (status, reason, line) each."""
        with self._transaction() as db:
            db.execute("DELETE FROM queue WHERE id BETWEEN ? AND ?", [first, last])
            db.executemany(
                "INSERT INTO dead_letters (died, status, reason, line) VALUES (?, ?, ?, ?)",
                [(time.time(), *letter) for letter in dead],
            )

    def read(self, after: int, to: int, most_bytes: int) -> list[Chunk]:
        """Chunks with `after` < id <= `to`, oldest first: as many as fit into `most_bytes` as stored, at least one."""
        chunks: list[Chunk] = []
        size = 0
        try:
            rows = self._sql(
                f"SELECT id, {salvage.READ['queue']} FROM queue WHERE id > ? AND id <= ? ORDER BY id", [after, to]
            )
            for row in rows:
                chunk = Chunk.of_row(*row)
                size += len(chunk.stored)
                if chunks and size > most_bytes:
                    break
                chunks.append(chunk)
            rows.close()
        except sqlite3.Error as error:
            raise SpoolError(f"The spool {self.path} cannot be read: {error}.") from None
        return chunks

    def set_aside(self, number: int) -> None:
        """Move a damaged chunk, as it is, from the queue to where nothing but a person looks."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO damaged (found, born, lines, bytes, body)"
                " SELECT ?, born, lines, bytes, body FROM queue WHERE id = ?",
                [time.time(), number],
            )
            db.execute("DELETE FROM queue WHERE id = ?", [number])

    def waiting(self) -> Waiting:
        lines, size = COUNTED.format("lines"), COUNTED.format("bytes")
        born = "CASE typeof(born) WHEN 'real' THEN born END"
        row = self._sql(f"SELECT sum({lines}), sum({size}), min(id), max(id), min({born}) FROM queue").fetchone()
        return Waiting() if row[0] is None else Waiting(*row)

    # dead letters and what the rules found --------------------------------------------------------------------

    def dead_letters(self, first: int = 0, most: int = 1000) -> list[DeadLetter]:
        rows = self._sql(
            f"SELECT id, {salvage.READ['dead_letters']} FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?",
            [first, most],
        )
        return [DeadLetter(*row) for row in rows]

    def dead_letter_count(self) -> int:
        return int(self._sql("SELECT count(*) FROM dead_letters").fetchone()[0])

    def replay(self, ids: Sequence[int]) -> int:
        """Move dead letters back to the end of the queue, in one transaction; returns how many there were."""
        moved = 0
        with self._transaction() as db:
            for number in ids:
                row = db.execute("SELECT line FROM dead_letters WHERE id = ?", [number]).fetchone()
                if row is not None:
                    body = bytes(row[0]) + b"\n"
                    db.execute(
                        "INSERT INTO queue (born, lines, bytes, body) VALUES (?, 1, ?, ?)",
                        [time.time(), len(body), body],
                    )
                    db.execute("DELETE FROM dead_letters WHERE id = ?", [number])
                    moved += 1
        return moved

    def refused(self, after: int = 0, most: int = 1000) -> list[Kept]:
        return findings.refused(self._opened, after, most)

    def noticed(self, after: int = 0, most: int = 1000) -> list[Kept]:
        """Events that were repaired, left out or warned of."""
        return findings.noticed(self._opened, after, most)

    def findings(self) -> dict[str, int]:
        """How many events of the rules' findings are kept, by what became of them."""
        return findings.counts(self._opened)
