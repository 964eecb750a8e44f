"""Sizes in bytes, as people write and read them."""

from __future__ import annotations

import re

from operations.errors import UserError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", re.IGNORECASE)


def parse_size(text: str, option: str) -> int:
    """Bytes of `20GB`, `512MiB` or a plain number. Raises UserError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or found[2].lower() not in _UNITS or float(found[1]) <= 0:
        raise UserError(f"{option} {text!r} is not a size: give one such as 20GB or 512MiB.", exit_code=2)
    return round(float(found[1]) * _UNITS[found[2].lower()])


def unit_of(size: float) -> tuple[str, float]:
    """The largest decimal unit that leaves at least 1 of a size, and its bytes."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(size) >= factor:
            return unit, factor
    return "B", 1.0


def shown_size(size: float) -> str:
    """Such as 1.2 GB."""
    unit, factor = unit_of(size)
    return f"{size / factor:.0f} {unit}" if unit == "B" else f"{size / factor:.1f} {unit}"
