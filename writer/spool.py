"""The spool: the queue on disk (writer/segments.py), and beside it dead letters and findings (writer/letters.py).

    spool.sqlite            dead letters, what the quality rules found
    spool.sqlite.queue/     the queue's segments
    spool.sqlite.lock       one process at a time: an advisory lock, given back by the kernel when the process dies

Invariants
    1. `commit` returns after its chunks are on the disk.
    2. A chunk leaves the queue only after it is known what became of it: the server has it (or the policy dropped it),
       or its dead letters are on the disk. That knowledge may be lost in a crash: then it is sent again, which
       overwrites. Of chunks with dead letters it is kept together with those, so that none is there twice.

One thread uses a Spool. It knows nothing of HTTP, nor of what is being sent: that is the backlog's.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from writer.findings import Finding, Kept
from writer.letters import DeadLetter, Letters, NotASpoolError
from writer.records import Chunk
from writer.segments import Segments, Waiting

__all__ = ["Chunk", "DeadLetter", "Spool", "SpoolError", "Waiting"]


class SpoolError(Exception):
    """The spool cannot do what was asked (disk full, in use, unreadable); the message is for a person."""


@dataclass
class Spool:
    path: Path
    # What was damaged when it was opened: these files are kept, and what is whole in them was taken over.
    damaged: list[Path] = field(default_factory=list)
    _queue: Segments = field(init=False, repr=False)
    _letters: Letters = field(init=False, repr=False)
    _lock: IO[str] | None = field(default=None, repr=False)
    _locked: bool = False
    _is_open: bool = False

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self._queue = Segments(self.path.with_name(self.path.name + ".queue"))
        self._letters = Letters(self.path)

    # open and close -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the lock, open the files or make them, find what is whole in damaged ones. Raises SpoolError."""
        self.__post_init__()
        try:
            self._take_lock()
            self._letters.open()
            self.damaged = self._queue.open(self._letters.resolved)
            if self._letters.salvaged_from is not None:
                self.damaged.append(self._letters.salvaged_from)
            # For which a full disk may have no room; a spool on it opens all the same.
            with contextlib.suppress(sqlite3.OperationalError):
                if self._queue.knows_all:
                    self._letters.forget_resolved()
            self._is_open = True
        except NotASpoolError as error:
            self.close()
            raise SpoolError(f"{self.path} {error}: move it away, or give the writer another spool_path.") from None
        except OSError as error:
            self.close()
            raise SpoolError(f"The spool {self.path} cannot be made: {_why(error)}.") from None
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
        self._locked = True
        # Who holds it is a courtesy: a full disk must not keep a spool shut.
        with contextlib.suppress(OSError):
            self._lock.truncate(0)
            self._lock.write(f"process {os.getpid()}")
            self._lock.flush()

    @classmethod
    def look(cls, path: Path) -> Spool:
        """A spool to read only, also while a writer uses it. Raises SpoolError."""
        spool = cls(Path(path))
        try:
            spool._letters.look()
            spool._queue.look(spool._letters.resolved)
            spool._is_open = True
        except (sqlite3.Error, OSError) as error:
            spool.close()
            why = _why(error) if isinstance(error, OSError) else error
            raise SpoolError(f"The spool {path} cannot be read: {why}.") from None
        return spool

    def close(self) -> None:
        self._is_open = False
        self._queue.close()
        self._letters.close()
        if self._lock is not None:
            with contextlib.suppress(OSError):
                if self._locked:
                    self._lock.truncate(0)
                self._lock.close()
            self._lock, self._locked = None, False

    @contextlib.contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        if not self._is_open:
            raise SpoolError(f"The spool {self.path} is closed.")
        try:
            yield
        except OSError as error:
            raise SpoolError(f"The spool {self.path} cannot be {what}: {_why(error)}.") from None
        except sqlite3.Error as error:
            raise SpoolError(f"The spool {self.path} cannot be {what}: {error}.") from None

    # the queue ------------------------------------------------------------------------------------------

    def commit(self, chunks: Sequence[Chunk], done: Sequence[tuple[int, int]] = ()) -> None:
        """Give up resolved chunks (first and last id), store others. Returns when these are safe. Raises SpoolError,
        and then none of these is stored."""
        with self._doing("written"):
            self._queue.resolve(done)
            if chunks:
                self._queue.append(chunks)
            else:
                self._queue.note()

    def bury(self, first: int, last: int, dead: Sequence[tuple[int, str, bytes]]) -> None:
        """The chunks of these ids are on the server, but for `dead`: (status, reason, line) each. Raises SpoolError."""
        self._write(lambda: self._letters.bury(self._queue.queue, first, last, dead))
        self._queue.resolve([(first, last)])

    def keep(self, found: Sequence[Finding]) -> None:
        """Keep what the quality rules found for a look. Raises SpoolError."""
        self._write(lambda: self._letters.keep(found))

    def _write(self, write: Callable[[], None]) -> None:
        """On a full disk, in the place of a segment that nothing waits in."""
        with self._doing("written"):
            while True:
                try:
                    return write()
                except sqlite3.OperationalError as error:
                    if "full" not in str(error) or not self._queue.give_back():
                        raise

    def read(self, after: int, to: int, most_bytes: int) -> list[Chunk]:
        """Chunks with `after` < id <= `to`, oldest first: as many as fit into `most_bytes`, at least one."""
        with self._doing("read"):
            return self._queue.read(after, to, most_bytes)

    def waiting(self) -> Waiting:
        with self._doing("read"):
            return self._queue.waiting()

    # dead letters and what the rules found --------------------------------------------------------------------

    def dead_letters(self, after: int = 0, most: int = 1000) -> list[DeadLetter]:
        with self._doing("read"):
            return self._letters.dead_letters(after, most)

    def dead_letter_count(self) -> int:
        with self._doing("read"):
            return self._letters.dead_letter_count()

    def replay(self, ids: Sequence[int]) -> int:
        """Move dead letters to the end of the queue; returns how many there were. A crash in between leaves them in
        both."""
        with self._doing("written"):
            letters = [letter for number in ids if (letter := self._letters.dead_letter(number)) is not None]
            now, last = time.time(), self._queue.last
            self._queue.append(
                [Chunk(last + place, now, 1, letter.line + b"\n") for place, letter in enumerate(letters, 1)]
            )
            self._letters.remove(letters)
        return len(letters)

    def refused(self, after: int = 0, most: int = 1000) -> list[Kept]:
        with self._doing("read"):
            return self._letters.refused(after, most)

    def noticed(self, after: int = 0, most: int = 1000) -> list[Kept]:
        """Events that were repaired, left out or warned of."""
        with self._doing("read"):
            return self._letters.noticed(after, most)

    def findings(self) -> dict[str, int]:
        """How many events of the rules' findings are kept, by what became of them."""
        with self._doing("read"):
            return self._letters.findings()


def _why(error: OSError) -> str:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"the disk is full ({error.strerror})" if full else str(error.strerror)
