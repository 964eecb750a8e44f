"""This machine's clock, which may be set while nobody looks: beside it stands one that only runs on.

A clock that is set forward leaves a gap in the times of a history, nothing more. One that is set back makes times come
twice: what happened after it may have earlier times than what is known already.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from operations.imports.reading import SECOND

# A clock that is corrected by less than that is not taken to be set back.
TOLERANCE = 2 * SECOND
# Home Assistant's clock may be ahead of ours by that, where it runs on another machine.
SKEW = 60 * SECOND
# How much further back the history is read than we were away; and where nobody knows how long that was.
SLACK, UNKNOWN_SLACK = 60 * SECOND, 3600 * SECOND


@cache
def boot_id() -> str:
    """Another one after each start of this machine; "" where there is none (not Linux)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Moment:
    """`wall_ns` since 1970, as this machine's clock said; `running_ns` since the machine's start `boot`."""

    wall_ns: int
    boot: str
    running_ns: int

    def as_list(self) -> list[Any]:
        return [self.wall_ns, self.boot, self.running_ns]


def present() -> Moment:
    """This moment."""
    running = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Moment(time.time_ns(), boot_id(), time.clock_gettime_ns(running))


@dataclass(frozen=True, slots=True)
class Gap:
    """What to read of a history: spans of time in nanoseconds, the one up to now last. `set_back`: times in it may
    come a second time."""

    spans: tuple[tuple[int, int], ...]
    set_back: bool


def gap(last_ns: int, seen: Moment, now: Moment) -> Gap:
    """The gap behind an event of this time, which came at the moment `seen`."""
    same_boot = bool(now.boot) and seen.boot == now.boot
    passed = now.wall_ns - seen.wall_ns
    away = now.running_ns - seen.running_ns if same_boot else max(0, passed)
    ahead = last_ns > now.wall_ns + SKEW
    if not ahead and not (same_boot and away - passed > TOLERANCE):
        return Gap(((last_ns - SECOND, now.wall_ns),), set_back=False)
    away += SLACK if same_boot else UNKNOWN_SLACK
    spans = [(min(now.wall_ns - away, last_ns - SECOND), now.wall_ns)]
    if last_ns > now.wall_ns:
        # What happened before the clock was set back has times that are still to come.
        spans.insert(0, (last_ns - SECOND, last_ns + away))
    return Gap(tuple(spans), set_back=True)
