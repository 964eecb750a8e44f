"""The queue on disk: encoded chunks in order, dead letters, refused events. SQLite in WAL mode.

Invariants
    1. `append` returns after the chunks are fsynced (synchronous=FULL); ids rise.
    2. A chunk leaves the queue only in the transaction that records what became of it: delivered (a delete),
       or dead letters (inserts and the delete together). A lost delete means sending again, which overwrites.
    3. One process at a time: an advisory lock on `<path>.lock`, given back by the kernel when the process dies.

One thread uses a Spool. The newest chunks are also held in memory (bounded), so the disk is read only after a
backlog or a restart. With durable=False the queue is in memory only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

HOT_BYTES = 8 * 1024 * 1024
LONGEST_BODY = 1_000_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT, born REAL NOT NULL, lines INTEGER NOT NULL, bytes INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, died REAL NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL,
    line BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT, seen REAL NOT NULL, entity TEXT NOT NULL, rule TEXT NOT NULL,
    event TEXT NOT NULL);
"""
REFUSED_KEPT = 10_000
SALVAGED_AT_MOST = 1_000_000


class SpoolError(Exception):
    """The spool cannot do what was asked (disk full, in use, unreadable); the message is for a person."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines, each ended by a line break. `born` is a wall-clock time in seconds."""

    id: int
    born: float
    lines: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DeadLetter:
    id: int
    died: float
    status: int
    reason: str
    line: bytes


@dataclass(slots=True)
class Appended:
    lines: int = 0
    size: int = 0
    dropped_lines: int = 0
    dropped_size: int = 0


@dataclass
class Spool:
    path: Path
    durable: bool = True
    limit_bytes: int | None = None
    recovered_lines: int = 0
    recovered_bytes: int = 0
    oldest: float | None = None
    salvaged_from: Path | None = None
    _cursor: int = 0
    _last: int = 0
    _size: int = 0
    _hot: deque[Chunk] = field(default_factory=deque)
    _hot_size: int = 0
    _hot_is_next: bool = True
    _done: list[tuple[int, int]] = field(default_factory=list)
    _db: sqlite3.Connection | None = None
    _lock: IO[str] | None = None

    # open and close -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the lock, open or repair the file, count what is there. Raises SpoolError."""
        self.path = Path(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = self.path.with_name(self.path.name + ".lock").open("a+")
            self.path.with_name(self.path.name + ".lock").chmod(0o600)
        except OSError as error:
            raise SpoolError(f"The spool {self.path} cannot be made: {error.strerror}.") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "another process"
            self._lock.close()
            self._lock = None
            raise SpoolError(
                f"The spool {self.path} is in use by {owner}: stop that one, or give each writer its own spool_path."
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()}")
        self._lock.flush()
        try:
            self._connect()
        except sqlite3.DatabaseError as error:
            self._salvage(error)
        count = self._sql("SELECT count(*), sum(lines), sum(bytes), min(id), max(id), min(born) FROM queue").fetchone()
        if count[0]:
            self.recovered_lines, self.recovered_bytes, self.oldest = count[1], count[2], count[5]
            self._cursor, self._last, self._size = count[3] - 1, count[4], count[2]
            self._hot_is_next = False
        else:
            row = self._sql("SELECT seq FROM sqlite_sequence WHERE name = 'queue'").fetchone()
            self._cursor = self._last = row[0] if row else 0

    def _connect(self) -> None:
        new = not self.path.exists()
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
        if new:
            self.path.chmod(0o600)
        # Debian's SQLite overwrites deleted rows with zeros unless told not to: a quarter of the spool's CPU time.
        for pragma in (
            "page_size=8192",
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=1000",
            "secure_delete=OFF",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("PRAGMA journal_size_limit=67108864")
        self._db.executescript(SCHEMA)
        self._db.execute("SELECT count(*), sum(bytes), sum(lines), min(born) FROM queue").fetchone()
        self._db.execute("SELECT count(*) FROM dead_letters").fetchone()

    def _salvage(self, error: sqlite3.DatabaseError) -> None:
        """Move a damaged file aside and take over every row that can still be read whole."""
        if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
            raise SpoolError(f"The spool {self.path} cannot be opened: {error}.") from None
        if self._db is not None:
            self._db.close()
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}")
        for suffix in ("", "-wal", "-shm"):
            source = self.path.with_name(self.path.name + suffix)
            if source.exists():
                source.rename(aside.with_name(aside.name + suffix))
        self._connect()
        self.salvaged_from = aside
        _extend_to_its_pages(aside)
        columns = {"queue": "born, lines, bytes, body", "dead_letters": "died, status, reason, line"}
        with contextlib.closing(sqlite3.connect(aside)) as damaged, contextlib.suppress(sqlite3.DatabaseError):
            for table, names in columns.items():
                for row in _readable_rows(damaged, table, names):
                    if table == "queue" and (len(row[3]) != row[2] or not bytes(row[3]).endswith(b"\n")):
                        continue
                    marks = ", ".join("?" * len(row))
                    self._sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)

    def close(self) -> None:
        if self._db is not None:
            with contextlib.suppress(SpoolError):
                self.settle()
            self._db.close()
            self._db = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _sql(self, statement: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        if self._db is None:
            raise SpoolError(f"The spool {self.path} is closed.")
        return self._db.execute(statement, tuple(values))

    @contextlib.contextmanager
    def _transaction(self) -> Any:
        try:
            self._sql("BEGIN IMMEDIATE")
            yield
            self._sql("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._sql("ROLLBACK")
            raise SpoolError(f"The spool {self.path} cannot be written: {error}.") from None

    @property
    def taken_to(self) -> int:
        """The id of the last chunk that was taken or dropped; safe to read from another thread."""
        return self._cursor

    @property
    def last_id(self) -> int:
        return self._last

    @property
    def unsettled(self) -> bool:
        return bool(self._done)

    # the queue ------------------------------------------------------------------------------------------

    def append(self, groups: list[list[str]]) -> Appended:
        """Seal each group of lines as one chunk; returns when all are safe. Raises SpoolError."""
        now = time.time()
        sealed = [(("\n".join(lines) + "\n").encode(), len(lines)) for lines in groups]
        result = Appended(sum(lines for _, lines in sealed), sum(len(body) for body, _ in sealed))
        if self.durable:
            with self._transaction():
                self._delete_done()
                settled = len(self._done)
                if self.limit_bytes is not None and self._size + result.size > self.limit_bytes:
                    self._evict(self._size + result.size - self.limit_bytes, result)
                self._db.executemany(  # type: ignore[union-attr]
                    "INSERT INTO queue (id, born, lines, bytes, body) VALUES (?, ?, ?, ?, ?)",
                    [(self._last + 1 + i, now, lines, len(body), body) for i, (body, lines) in enumerate(sealed)],
                )
            del self._done[:settled]
        elif self.limit_bytes is not None and self._size + result.size > self.limit_bytes:
            self._evict_hot(self._size + result.size - self.limit_bytes, result)
        self._size += result.size - result.dropped_size
        for body, lines in sealed:
            self._last += 1
            if self._hot_is_next:
                self._hot.append(Chunk(self._last, now, lines, body))
                self._hot_size += len(body)
        if self.durable and self._hot_size > HOT_BYTES:
            self._hot.clear()
            self._hot_size, self._hot_is_next = 0, False
        return result

    def _evict(self, excess: int, result: Appended) -> None:
        """Drop the oldest chunks that are not being sent."""
        last = self._cursor
        for number, lines, size in self._sql("SELECT id, lines, bytes FROM queue WHERE id > ? ORDER BY id", [last]):
            if result.dropped_size >= excess:
                break
            last = number
            result.dropped_lines += lines
            result.dropped_size += size
        self._sql("DELETE FROM queue WHERE id > ? AND id <= ?", [self._cursor, last])
        self._cursor = last
        while self._hot and self._hot[0].id <= last:
            self._hot_size -= len(self._hot.popleft().body)

    def _evict_hot(self, excess: int, result: Appended) -> None:
        while self._hot and result.dropped_size < excess:
            chunk = self._hot.popleft()
            self._hot_size -= len(chunk.body)
            result.dropped_lines += chunk.lines
            result.dropped_size += len(chunk.body)
            self._cursor = chunk.id

    def take(self, most_lines: int) -> list[Chunk]:
        """The next chunks to send, together at most `most_lines` and 1 MB (one chunk may be more alone)."""
        taken: list[Chunk] = []
        lines = size = 0
        if self._hot_is_next:
            while self._hot:
                chunk = self._hot[0]
                if taken and (lines + chunk.lines > most_lines or size + len(chunk.body) > LONGEST_BODY):
                    break
                taken.append(self._hot.popleft())
                lines, size = lines + chunk.lines, size + len(chunk.body)
            self._hot_size -= size
        else:
            rows = self._sql("SELECT id, born, lines, body FROM queue WHERE id > ? ORDER BY id", [self._cursor])
            for row in rows:
                chunk = Chunk(*row)
                if taken and (lines + chunk.lines > most_lines or size + len(chunk.body) > LONGEST_BODY):
                    break
                taken.append(chunk)
                lines, size = lines + chunk.lines, size + len(chunk.body)
            rows.close()
        if taken:
            self._cursor = taken[-1].id
        if self._cursor >= self._last:
            self._hot_is_next = True
        return taken

    def finish(self, chunks: list[Chunk], dead: list[tuple[int, str, bytes]]) -> None:
        """Everything in `chunks` is either on the server or in `dead` as (status, reason, line)."""
        if dead:
            with self._transaction():
                self._sql("DELETE FROM queue WHERE id BETWEEN ? AND ?", [chunks[0].id, chunks[-1].id])
                self._db.executemany(  # type: ignore[union-attr]
                    "INSERT INTO dead_letters (died, status, reason, line) VALUES (?, ?, ?, ?)",
                    [(time.time(), *letter) for letter in dead],
                )
        elif self.durable:
            self._done.append((chunks[0].id, chunks[-1].id))
        self._size -= sum(len(chunk.body) for chunk in chunks)

    def _delete_done(self) -> None:
        self._db.executemany("DELETE FROM queue WHERE id BETWEEN ? AND ?", self._done)  # type: ignore[union-attr]

    def settle(self) -> None:
        """Write down the deliveries that wait for the next transaction."""
        if self._done:
            with self._transaction():
                self._delete_done()
            self._done.clear()

    # dead letters and refused events --------------------------------------------------------------------

    def dead_letters(self, first: int = 0, most: int = 1000) -> list[DeadLetter]:
        rows = self._sql(
            "SELECT id, died, status, reason, line FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?", [first, most]
        )
        return [DeadLetter(*row) for row in rows]

    def dead_letter_count(self) -> int:
        return int(self._sql("SELECT count(*) FROM dead_letters").fetchone()[0])

    def replay(self, ids: list[int]) -> int:
        """Move dead letters back to the end of the queue, in one transaction."""
        moved = 0
        with self._transaction():
            for number in ids:
                row = self._sql("SELECT line FROM dead_letters WHERE id = ?", [number]).fetchone()
                if row is not None:
                    body = bytes(row[0]) + b"\n"
                    self._sql(
                        "INSERT INTO queue (born, lines, bytes, body) VALUES (?, 1, ?, ?)",
                        [time.time(), len(body), body],
                    )
                    self._sql("DELETE FROM dead_letters WHERE id = ?", [number])
                    moved += 1
        return moved

    def keep_refused(self, refused: list[tuple[str, str, str]]) -> None:
        """Keep (entity, rule, event) of refused events for a look, the newest 10,000."""
        with self._transaction():
            self._db.executemany(  # type: ignore[union-attr]
                "INSERT INTO refused (seen, entity, rule, event) VALUES (?, ?, ?, ?)",
                [(time.time(), *item) for item in refused],
            )
            self._sql("DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?", [REFUSED_KEPT])


def _extend_to_its_pages(path: Path) -> None:
    """SQLite refuses a file shorter than its header says, whole rows and all: give it empty pages at its end."""
    with path.open("r+b") as file:
        header = file.read(100)
        if len(header) == 100 and header.startswith(b"SQLite format 3"):
            page = int.from_bytes(header[16:18], "big")
            size = int.from_bytes(header[28:32], "big") * (65536 if page == 1 else page)
            if path.stat().st_size < size:
                file.truncate(size)


def _readable_rows(damaged: sqlite3.Connection, table: str, names: str) -> Iterable[tuple[Any, ...]]:
    """Rows by id, one at a time and past those that cannot be read."""
    try:
        lowest, highest = damaged.execute(f"SELECT min(id), max(id) FROM {table}").fetchone()
    except sqlite3.DatabaseError:
        row = damaged.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]).fetchone()
        highest = row[0] if row else 0
        lowest = max(1, highest - SALVAGED_AT_MOST)
    for number in range(lowest or 1, (highest or 0) + 1):
        with contextlib.suppress(sqlite3.DatabaseError):
            found = damaged.execute(f"SELECT {names} FROM {table} WHERE id = ?", [number]).fetchone()
            if found is not None:
                yield found
