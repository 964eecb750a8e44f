"""What the spool keeps beside the queue, in SQLite: dead letters, and for a look what the quality rules found."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from writer import findings, salvage
from writer.findings import Finding, Kept

SCHEMA = """
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, died REAL NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL,
    line BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS resolved (
    id INTEGER PRIMARY KEY, queue BLOB NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);
"""
TABLES = {"dead_letters", "refused", "noticed", "resolved", "sqlite_sequence"}
SQLITE = b"SQLite format 3\0"
# How long others may read before a write to it fails.
BUSY_MILLISECONDS = 300
# The table of an earlier format, which held the queue too.
FORMER = "queue"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that the server refused, with its answer. `died` is a wall-clock time in seconds."""

    id: int
    died: float
    status: int
    reason: str
    line: bytes


class NotASpoolError(Exception):
    """The file is something else; the message is the end of a sentence that begins with its path."""


def connect(path: Path) -> sqlite3.Connection:
    """The database at `path`, made if it is not there, readable by its owner only."""
    # SQLite gives its journal the permissions of the file. A rollback journal, because it needs no room on the disk
    # before something is written.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(SCHEMA + findings.SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


@dataclass
class Letters:
    """Raises sqlite3.Error as SQLite does."""

    path: Path
    salvaged_from: Path | None = None
    _db: sqlite3.Connection | None = field(default=None, repr=False)

    def open(self) -> None:
        """Open the file or make it; rescue what is whole of a damaged one. Raises NotASpoolError."""
        salvage.finish_interrupted(self.path)
        self._refuse_others()
        db: sqlite3.Connection | None = None
        try:
            db = connect(self.path)
            damage = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            # "full", "unable to open", "locked" are no damage: the file stays as it is.
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise
            damage = str(error)
        if damage != "ok":
            if db is not None:
                db.close()
            self.salvaged_from = salvage.rescue(self.path, connect)
            db = connect(self.path)
        self._db = db
        # Commits of the queue wait behind it; who writes tries again.
        self._ask(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")

    def _refuse_others(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_file():
            raise NotASpoolError("is not a file")
        with self.path.open("rb") as file:
            start = file.read(len(SQLITE))
        if not start:
            return
        if start != SQLITE:
            raise NotASpoolError("is a file of another kind")
        with contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True)) as db:
            try:
                names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                if FORMER in names and db.execute(f"SELECT 1 FROM {FORMER} LIMIT 1").fetchone() is None:
                    db.execute(f"DROP TABLE {FORMER}")
                    names.remove(FORMER)
            except sqlite3.DatabaseError:
                return  # damaged: what can be read of it tells
        if FORMER in names:
            raise NotASpoolError("holds events in the format of an earlier version, which has to deliver them")
        if names - TABLES:
            raise NotASpoolError(f"is the database of another program (it has a table {min(names - TABLES)})")

    def look(self) -> None:
        """Open the file to read only."""
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        self._db = sqlite3.connect(uri, uri=True, timeout=10)
        self._db.execute("PRAGMA query_only=ON")
        self._db.execute("SELECT count(*) FROM resolved").fetchone()

    def close(self) -> None:
        if self._db is not None:
            # Whatever SQLite still says here, everything that was promised is on the disk.
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise sqlite3.ProgrammingError("it is closed")
        return self._db

    def _ask(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._opened.execute(statement, values)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._opened
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    # dead letters ---------------------------------------------------------------------------------------

    def bury(self, queue: bytes, first: int, last: int, dead: Sequence[tuple[int, str, bytes]]) -> None:
        """Keep (status, reason, line) of each, and that the chunks of these ids are resolved: both or neither."""
        with self._transaction():
            for status, reason, line in dead:
                self._ask(
                    "INSERT INTO dead_letters (died, status, reason, line) VALUES (?, ?, ?, ?)",
                    *(time.time(), status, reason, line),
                )
            self._ask("INSERT INTO resolved (queue, first, last) VALUES (?, ?, ?)", queue, first, last)

    def resolved(self, queue: bytes) -> list[tuple[int, int]]:
        """First and last ids of that queue's chunks of which the dead letters are here."""
        return list(self._ask("SELECT first, last FROM resolved WHERE queue = ?", queue))

    def forget_resolved(self) -> None:
        """Once the queue itself knows."""
        if self._ask("SELECT 1 FROM resolved").fetchone() is not None:
            self._ask("DELETE FROM resolved")

    def dead_letters(self, after: int, most: int) -> list[DeadLetter]:
        rows = self._ask(
            "SELECT id, died, status, reason, line FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?", after, most
        )
        return [DeadLetter(*row) for row in rows]

    def dead_letter(self, number: int) -> DeadLetter | None:
        found = self.dead_letters(number - 1, 1)
        return found[0] if found and found[0].id == number else None

    def dead_letter_count(self) -> int:
        return int(self._ask("SELECT count(*) FROM dead_letters").fetchone()[0])

    def remove(self, letters: Sequence[DeadLetter]) -> None:
        with self._transaction():
            for letter in letters:
                self._ask("DELETE FROM dead_letters WHERE id = ?", letter.id)

    # what the quality rules found -----------------------------------------------------------------------

    def keep(self, found: Sequence[Finding]) -> None:
        with self._transaction() as db:
            findings.keep(db, found)

    def refused(self, after: int, most: int) -> list[Kept]:
        return findings.refused(self._opened, after, most)

    def noticed(self, after: int, most: int) -> list[Kept]:
        return findings.noticed(self._opened, after, most)

    def findings(self) -> dict[str, int]:
        return findings.counts(self._opened)
