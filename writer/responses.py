"""What an answer of the server means for a batch. One table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

LONGEST_RETRY_AFTER = 300.0


class Outcome(Enum):
    DELIVERED = "delivered"
    RETRY = "wait and send again"
    HOLD = "hold, alert and ask for a new token"
    SPLIT = "split the batch; a single line is a dead letter"


# Status 0 stands for no answer: refused, cut, timed out.
OUTCOMES: dict[int, Outcome] = {
    0: Outcome.RETRY,
    200: Outcome.DELIVERED,
    204: Outcome.DELIVERED,
    400: Outcome.SPLIT,
    401: Outcome.HOLD,
    403: Outcome.HOLD,
    404: Outcome.HOLD,
    408: Outcome.RETRY,
    413: Outcome.SPLIT,
    422: Outcome.SPLIT,
    429: Outcome.RETRY,
    500: Outcome.RETRY,
    502: Outcome.RETRY,
    503: Outcome.RETRY,
    504: Outcome.RETRY,
}
# A server that answers these for one batch only, while it takes others, is choking on that batch.
POISON_STATUSES = frozenset({500, 502})
# Statuses that a smaller request may not meet: a batch that goes on failing with them is split.
SPLIT_AT_LAST = POISON_STATUSES | {0, 408, 504}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status (0 for none), the server's reason, and the seconds it asked to wait."""

    status: int
    reason: str = ""
    retry_after: float | None = None

    @property
    def outcome(self) -> Outcome:
        known = OUTCOMES.get(self.status)
        if known is not None:
            return known
        if 200 <= self.status < 300:
            return Outcome.DELIVERED
        # A redirect or an unknown refusal is a matter of configuration: nothing is given up for it.
        return Outcome.RETRY if self.status >= 500 else Outcome.HOLD


def reason_of(body: bytes | str | None, status: int) -> str:
    """The server's own words, from its JSON where it sent some."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and isinstance(parsed.get("message"), str):
        text = parsed["message"]
    return text.strip()[:2000] or f"status {status}"


def retry_after_seconds(text: str | None) -> float | None:
    """Seconds of a Retry-After header, a number or a date; at most 300."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        from datetime import UTC, datetime
        from email.utils import parsedate_to_datetime

        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if seconds == seconds else None
