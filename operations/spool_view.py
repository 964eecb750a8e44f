"""The writer's spool as it is, also while a writer uses it: read only, without its lock."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from operations.errors import UserError
from writer.settings import DEFAULT_SPOOL
from writer.spool import Spool, SpoolError


@dataclass(frozen=True, slots=True)
class SpoolView:
    """What waits and what was refused for good. A writer that runs may have delivered the last few already."""

    path: Path
    pending: int
    pending_bytes: int
    oldest_pending_seconds: float
    dead_letters: int


def spool_path(environment: Mapping[str, str] = os.environ) -> tuple[Path, bool]:
    """Where the writer's spool is, and whether INFLUXDB_SPOOL_PATH says so (else it is the default)."""
    given = environment.get("INFLUXDB_SPOOL_PATH", "").strip()
    return (Path(given), True) if given else (DEFAULT_SPOOL, False)


def _must_be_there(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"There is no spool at {path}: name the writer's in INFLUXDB_SPOOL_PATH.")


def _unreadable(path: Path, error: sqlite3.Error) -> UserError:
    return UserError(f"The spool {path} cannot be read: {error}.")


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    _must_be_there(path)
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as spool:
            yield spool
    except sqlite3.Error as error:
        raise _unreadable(path, error) from None


def look(path: Path, *, now: float | None = None) -> SpoolView:
    """Look into a spool. Raises UserError where there is none or it can't be read."""
    _must_be_there(path)
    try:
        with contextlib.closing(Spool.look(path)) as spool:
            waiting, letters = spool.waiting(), spool.dead_letter_count()
    except SpoolError as error:
        raise UserError(str(error)) from None
    except sqlite3.Error as error:
        raise _unreadable(path, error) from None
    age = 0.0 if waiting.oldest is None else max(0.0, (time.time() if now is None else now) - waiting.oldest)
    return SpoolView(path, waiting.lines, waiting.size, age, letters)


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many events were given up or never accepted: by the server's reason, by the rule that was broken."""

    dead_letters: Mapping[str, int]
    refused: Mapping[str, int]


def refusals(path: Path) -> Refusals:
    """What a spool keeps for a look, most frequent first. Raises UserError as `look` does."""
    counts = "SELECT {0}, count(*) FROM {1} GROUP BY {0} ORDER BY 2 DESC, 1"
    with _reading(path) as spool:
        dead = spool.execute(counts.format("reason", "dead_letters")).fetchall()
        refused = spool.execute(counts.format("rule", "refused")).fetchall()
    return Refusals(dict(dead), dict(refused))
