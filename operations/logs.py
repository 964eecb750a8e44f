"""Logging as the environment asks for it: LOG_LEVEL, and LOG_FORMAT=json|text. Logs go to stderr.

In an outage the same thing happens again and again: a message is written at most once a minute, and the next one of
its kind says how many were left out.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from operations.errors import UserError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("json", "text")
SECONDS_BETWEEN = 60.0
# More kinds of messages than a program has: only a bound, so that no memory is lost to it.
KINDS_REMEMBERED = 1000
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def extras(record: logging.LogRecord) -> dict[str, object]:
    """What was passed as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message and what was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(extras(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """The same for people: one line, what was passed as `extra` at its end as name=value."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        line = super().formatMessage(record).replace("\n", "\\n")
        return " ".join([line, *(f"{name}={value}" for name, value in extras(record).items())])


@dataclass(slots=True)
class RateLimit:
    """A filter that lets one message of a kind pass in `seconds`. A kind is a logger, a level and a template: the
    values in a message do not make another kind of it, but another `check` does."""

    seconds: float = SECONDS_BETWEEN
    _last: dict[tuple[object, ...], float] = field(default_factory=dict)
    _left_out: dict[tuple[object, ...], int] = field(default_factory=dict)

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, record.levelno, record.msg, getattr(record, "check", None))
        now = time.monotonic()
        if now - self._last.get(kind, float("-inf")) < self.seconds:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        if len(self._last) >= KINDS_REMEMBERED:
            self._last.clear()
            self._left_out.clear()
        self._last[kind] = now
        left_out = self._left_out.pop(kind, 0)
        if left_out:
            record.left_out = left_out
        return True


def configure(environment: Mapping[str, str] = os.environ, *, default_level: str = "WARNING") -> None:
    """Set up the root logger. Raises UserError for a level or a format that there is not."""
    level = (environment.get("LOG_LEVEL") or default_level).upper()
    if level not in LEVELS:
        raise UserError(f"LOG_LEVEL is {level!r}; it can be one of {', '.join(LEVELS)}.")
    chosen = (environment.get("LOG_FORMAT") or "text").lower()
    if chosen not in FORMATS:
        raise UserError(f"LOG_FORMAT is {chosen!r}; it can be one of {', '.join(FORMATS)}.")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if chosen == "json" else TextFormatter())
    if level != "DEBUG":
        handler.addFilter(RateLimit().filter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
