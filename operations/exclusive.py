"""One at a time in a folder."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from operations.errors import UserError


class FolderLock:
    """Taken by one process; the next one is told `refusal`. It ends with the process, whatever ends that."""

    def __init__(self, folder: Path, refusal: str) -> None:
        self._folder, self._refusal = folder, refusal
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Raises UserError where another has it, OSError where the folder cannot be written to."""
        self._file = (self._folder / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise UserError(self._refusal) from None

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@contextlib.contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Only one `what` at a time works in the folder; a killed one leaves nothing behind. Raises UserError."""
    lock = FolderLock(folder, f"Another {what} is at work in {folder}: wait for it to end.")
    lock.take()
    try:
        yield
    finally:
        lock.release()
