"""One process at a time in a folder of an import."""

from __future__ import annotations

from operations.errors import UserError
from operations.exclusive import FolderLock


class ImportLock(FolderLock):
    """Makes the folder too."""

    def take(self) -> None:
        """Raises UserError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            super().take()
        except OSError as error:
            raise UserError(f"The import's folder {self._folder} cannot be made: {error.strerror}.") from None
