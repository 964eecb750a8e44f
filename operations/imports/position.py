"""How far an import came: written whole or not at all, so that a killed import goes on where it was."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from operations import paths
from operations.errors import UserError
from operations.imports.folder_lock import ImportLock

FORMAT = 3


def folder_for(identity: str, target: str) -> Path:
    """The folder of this import: `.local/import/<what>-<hash>`."""
    short = re.sub(r"[^a-z0-9]+", "-", identity.lower())[:24].strip("-")
    digest = hashlib.sha256(f"{identity}\n{target}".encode()).hexdigest()[:12]
    return paths.local("import") / f"{short}-{digest}"


class Position:
    """The kept position of one import. One process at a time: the second is refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "position.json"
        self._lock = ImportLock(folder, "This import runs already in another process: wait for it, or stop it first.")

    def open(self) -> dict[str, Any] | None:
        """Take the lock; what was kept, or None. Raises UserError."""
        self._lock.take()
        try:
            return self._kept()
        except BaseException:
            self.close()
            raise

    def _kept(self) -> dict[str, Any] | None:
        try:
            kept = json.loads(self._path.read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            raise UserError(f"{self._path} is damaged: remove {self.folder} to begin this import anew.") from None
        if not isinstance(kept, dict) or kept.get("format") != FORMAT:
            raise UserError(f"{self._path} is of another version: remove {self.folder} to begin this import anew.")
        return kept

    def keep(self, content: dict[str, Any]) -> None:
        """Raises OSError where the disk refuses."""
        paths.write_at_once(self._path, json.dumps({"format": FORMAT, **content}).encode())

    def close(self) -> None:
        self._lock.release()
