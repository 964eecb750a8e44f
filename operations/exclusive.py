"""One at a time in a folder."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from operations.errors import UserError


@contextlib.contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Only one `what` at a time works in the folder; a killed one leaves nothing behind. Raises UserError."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"Another {what} is at work in {folder}: wait for it to end.") from None
        yield
