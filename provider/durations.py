"""Flux duration literals such as 1h30m."""

from __future__ import annotations

import re

_PART = re.compile(r"(\d+)(ns|us|µs|ms|mo|s|m|h|d|w|y)")
# A month and a year count as the shortest there is: only used to compare.
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "mo": 28 * 86400.0,
    "y": 365 * 86400.0,
}
DURATION_RULE = "it has to be a duration such as 30s, 15m or 1h30m"


def seconds(literal: str) -> float | None:
    """Seconds of a literal, a month as 28 days; None if it is none."""
    found = _PART.findall(literal)
    if not found or "".join(number + unit for number, unit in found) != literal:
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in found)
