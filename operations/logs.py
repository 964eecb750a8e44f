"""Logging as the environment asks for it: LOG_LEVEL, and LOG_FORMAT=json|text. Logs go to stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from operations.errors import UserError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("json", "text")
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message and what was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(environment: Mapping[str, str] = os.environ) -> None:
    """Set up the root logger. Raises UserError for a level or a format that there is not."""
    level = (environment.get("LOG_LEVEL") or "WARNING").upper()
    if level not in LEVELS:
        raise UserError(f"LOG_LEVEL is {level!r}; it can be one of {', '.join(LEVELS)}.")
    chosen = (environment.get("LOG_FORMAT") or "text").lower()
    if chosen not in FORMATS:
        raise UserError(f"LOG_FORMAT is {chosen!r}; it can be one of {', '.join(FORMATS)}.")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if chosen == "json" else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
