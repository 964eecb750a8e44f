"""Where the command keeps what belongs to this machine: the folder `.local` of the project."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tools.find import ROOT

LOCAL = Path(os.environ.get("HEARTHFLUX_LOCAL") or ROOT / ".local")

# A disk, a quota or a limit of this process: what stands there is to make room.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def local(*parts: str) -> Path:
    """A path below `.local` (or HEARTHFLUX_LOCAL); the folder itself is made, readable by the user only."""
    LOCAL.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LOCAL.joinpath(*parts)


def write_at_once(path: Path, content: bytes) -> None:
    """Write a file that has its name only when it is whole, also where this process is killed meanwhile or the machine
    loses its power. Raises OSError, and what was there before is still there."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
