"""What can still be read of a damaged spool: whole rows only, nothing guessed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from writer import packing

SEARCHED_AT_MOST = 1_000_000
# table -> columns to take over
TABLES = {
    "queue": "born, lines, bytes, body",
    "dead_letters": "died, status, reason, line",
    "refused": "seen, entity, rule, event",
    "noticed": "seen, entity, rule, event, outcome",
    "damaged": "found, born, lines, bytes, body",
}
# How they are read: one bit makes a text of a blob, and then not every text can be read, or nothing.
BLOBS = ("body", "line")
READ = {
    table: ", ".join(f"coalesce(CAST({one} AS BLOB), x'')" if one in BLOBS else one for one in names.split(", "))
    for table, names in TABLES.items()
}

SQLITE = b"SQLite format 3\0"

Row = tuple[Any, ...]


def what_else(path: Path) -> str:
    """What the file is where it is no spool and never was one; "" for a spool, also a damaged one."""
    if not path.exists():
        return ""
    if not path.is_file():
        return "is not a file"
    with path.open("rb") as file:
        start = file.read(len(SQLITE))
    if not start or path.with_name(path.name + "-wal").exists():
        return ""
    if start != SQLITE:
        return "is a file of another kind"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError:
        return ""
    others = names - TABLES.keys() - {"sqlite_sequence"}
    return f"is the database of another program (it has a table {min(others)})" if others else ""


def rescue(path: Path, connect: Callable[[Path], sqlite3.Connection]) -> Path:
    """Put a new file with every row that can be read whole in the place of a damaged one, which is kept.

    Returns where the damaged one is now. Interrupted at any point, the rows are in one of the two:
    `finish_interrupted` then does what is left.
    """
    fresh = _fresh(path)
    _remove(fresh)
    _extend_to_its_pages(path)
    with contextlib.closing(connect(fresh)) as target, contextlib.closing(sqlite3.connect(path)) as damaged:
        target.execute("BEGIN")
        for table, names in TABLES.items():
            with contextlib.suppress(sqlite3.DatabaseError):
                for row in _rows(damaged, table, READ[table]):
                    if table != "queue" or _is_whole(row):
                        marks = ", ".join("?" * len(row))
                        with contextlib.suppress(sqlite3.IntegrityError):  # not what was stored, in another way
                            target.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)
        target.execute("COMMIT")
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}")
    # The file itself last: while it is there, a rescue begins anew.
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    fresh.rename(path)
    return aside


def finish_interrupted(path: Path) -> None:
    """A rescue that ended between its two last steps left a whole file under its working name."""
    if _fresh(path).exists() and not path.exists():
        _fresh(path).rename(path)


def _fresh(path: Path) -> Path:
    return path.with_name(f"{path.name}.rescued")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _is_whole(row: Row) -> bool:
    _, lines, size, stored = row
    return packing.is_whole(stored, size, lines) and packing.unpack(stored, size).endswith(b"\n")


def _extend_to_its_pages(path: Path) -> None:
    """SQLite refuses a file shorter than its header says, whole rows and all: give it empty pages at its end."""
    with path.open("r+b") as file:
        header = file.read(100)
        if len(header) == 100 and header.startswith(b"SQLite format 3"):
            page = int.from_bytes(header[16:18], "big")
            size = int.from_bytes(header[28:32], "big") * (65536 if page == 1 else page)
            if path.stat().st_size < size:
                file.truncate(size)


def _rows(damaged: sqlite3.Connection, table: str, names: str) -> Iterator[Row]:
    """Rows by id, one at a time and past those that cannot be read."""
    lowest, highest = _ids(damaged, table)
    for number in range(lowest, highest + 1):
        with contextlib.suppress(sqlite3.DatabaseError):
            found = damaged.execute(f"SELECT {names} FROM {table} WHERE id = ?", [number]).fetchone()
            if found is not None:
                yield found


def _ids(damaged: sqlite3.Connection, table: str) -> tuple[int, int]:
    """The lowest and the highest id. Where one end of the table cannot be read, the search starts at the other."""
    ends: list[int | None] = []
    for end in ("min", "max"):
        try:
            ends.append(damaged.execute(f"SELECT {end}(id) FROM {table}").fetchone()[0])
        except sqlite3.DatabaseError:
            ends.append(None)
    lowest, highest = ends
    if highest is None:
        highest = 0 if lowest is None else lowest + SEARCHED_AT_MOST
        with contextlib.suppress(sqlite3.DatabaseError):
            row = damaged.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]).fetchone()
            highest = max(highest, row[0]) if row else highest
    return (lowest if lowest is not None else max(1, highest - SEARCHED_AT_MOST)), highest
