"""A setting that can't be."""

from __future__ import annotations


class WrongSetting(ValueError):
    """A setting that can't be; the message names it and says what would be right."""
