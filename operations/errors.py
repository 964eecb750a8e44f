"""What a user is told when something they can change went wrong."""

from __future__ import annotations


class UserError(Exception):
    """One sentence for the user: what was wrong, where, what would be right. Ends the command with `exit_code`."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
