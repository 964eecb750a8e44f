"""The writer's log: short messages with their values as `extra`, the same message at most once a minute."""

from __future__ import annotations

import logging
import time

log = logging.getLogger("hearthflux.writer")

SECONDS_BETWEEN = 60.0


class WriterLog:
    """One writer's log. An outage of hours fills no disk: a message that comes again waits for its minute."""

    def __init__(self, **always: object) -> None:
        self._always = always
        # message -> when it was last written, and how often it was held back since
        self._said: dict[str, tuple[float, int]] = {}

    def say(self, level: int, message: str, **values: object) -> None:
        """Log `message` with `values`; `repeated` tells how often it was held back since the last time."""
        now = time.monotonic()
        last, held_back = self._said.get(message, (-SECONDS_BETWEEN, 0))
        if now - last < SECONDS_BETWEEN:
            self._said[message] = (last, held_back + 1)
            return
        self._said[message] = (now, 0)
        more = {"repeated": held_back} if held_back else {}
        log.log(level, message, extra={**self._always, **values, **more})
