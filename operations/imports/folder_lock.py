"""One process at a time in a folder of an import."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from operations.errors import UserError


class FolderLock:
    """Taken by one process; the next one is told `refusal`. It ends with the process, whatever ends that."""

    def __init__(self, folder: Path, refusal: str) -> None:
        self._folder, self._refusal = folder, refusal
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Raises UserError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = (self._folder / "lock").open("w")
        except OSError as error:
            raise UserError(f"The import's folder {self._folder} cannot be made: {error.strerror}.") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise UserError(self._refusal) from None

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
