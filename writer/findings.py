"""Events that a quality rule found fault with, kept for a look in the spool's file, as they were handed in.

What was refused is in one table, what was stored in spite of it in another: neither pushes out the other. Both hold
the newest 10,000. Nothing here is ever replayed: what could be stored of these events is in the database.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["refused", "repaired", "left out", "warned"]

# (what became of the event, its entity, the rule it broke, the event)
Finding = tuple[Outcome, str, str, str]

KEPT = 10_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT, seen REAL NOT NULL, entity TEXT NOT NULL, rule TEXT NOT NULL,
    event TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS noticed (
    id INTEGER PRIMARY KEY AUTOINCREMENT, seen REAL NOT NULL, entity TEXT NOT NULL, rule TEXT NOT NULL,
    event TEXT NOT NULL, outcome TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as it was handed in, the rule that it broke, and what became of it. `seen` is a wall-clock time in
    seconds; `id` counts the refused, and apart from them all others."""

    id: int
    seen: float
    entity: str
    rule: str
    event: str
    outcome: Outcome = "refused"


def keep(db: sqlite3.Connection, found: Sequence[Finding]) -> None:
    """Part of a transaction of the caller's."""
    now = time.time()
    refused = [(now, *rest) for outcome, *rest in found if outcome == "refused"]
    noticed = [(now, *rest, outcome) for outcome, *rest in found if outcome != "refused"]
    for table, columns, rows in (
        ("refused", "seen, entity, rule, event", refused),
        ("noticed", "seen, entity, rule, event, outcome", noticed),
    ):
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
            db.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", [KEPT])


def refused(db: sqlite3.Connection, after: int = 0, most: int = 1000) -> list[Kept]:
    """Refused events with an id above `after`, oldest first."""
    return _rows(db, "SELECT id, seen, entity, rule, event FROM refused", after, most)


def noticed(db: sqlite3.Connection, after: int = 0, most: int = 1000) -> list[Kept]:
    """Events that were repaired, left out or warned of, with an id above `after`, oldest first."""
    with _made_by_an_earlier_version():
        return _rows(db, "SELECT id, seen, entity, rule, event, outcome FROM noticed", after, most)
    return []


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many are kept, by what became of them."""
    kept = {"refused": int(db.execute("SELECT count(*) FROM refused").fetchone()[0])}
    with _made_by_an_earlier_version():
        kept |= dict(db.execute("SELECT outcome, count(*) FROM noticed GROUP BY outcome ORDER BY outcome"))
    return {outcome: count for outcome, count in kept.items() if count}


@contextlib.contextmanager
def _made_by_an_earlier_version() -> Iterator[None]:
    """A spool that is only looked at may lack the younger table."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise


def _rows(db: sqlite3.Connection, select: str, after: int, most: int) -> list[Kept]:
    return [Kept(*row) for row in db.execute(f"{select} WHERE id > ? ORDER BY id LIMIT ?", [after, most])]
