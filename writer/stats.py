"""What the writer counts. `accepted = delivered + dead_lettered + dropped + pending` holds at every moment."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

BRIEF = (
    "accepted",
    "delivered",
    "dead_lettered",
    "dropped",
    "pending",
    "pending_bytes",
    "rejected",
    "batches",
    "requests",
    "retries",
    "sent_again",
)


@dataclass(slots=True)
class Timing:
    """Seconds of something that happens often: count, sum, the longest."""

    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.seconds += seconds
        self.longest = max(self.longest, seconds)

    @property
    def mean(self) -> float:
        return self.seconds / self.count if self.count else 0.0


@dataclass(slots=True)
class Stats:
    """Events since this writer was opened. What its spool held then counts as accepted: `recovered` of them.

    `accept_time` is of write calls until their events were safe, `deliver_time` of batches from accepting their oldest
    event until all of them were resolved. `sent_again` are delivered events that were sent once more after an outage of
    the server. `quality` counts by (rule, entity).
    """

    accepted: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    dropped: int = 0
    pending: int = 0
    recovered: int = 0
    rejected: int = 0
    pending_bytes: int = 0
    batches: int = 0
    requests: int = 0
    retries: int = 0
    failed_requests: int = 0
    sent_again: int = 0
    oldest_pending_seconds: float = 0.0
    accept_time: Timing = field(default_factory=Timing)
    deliver_time: Timing = field(default_factory=Timing)
    quality: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def batch_success_rate(self) -> float:
        """Answered requests that stored their batch, of all; 1.0 before the first."""
        return 1.0 - self.failed_requests / self.requests if self.requests else 1.0

    def brief(self) -> dict[str, Any]:
        """Plain values for one line of a log: findings of the quality rules by rule, times as their mean."""
        rules: dict[str, int] = {}
        for (rule, _), count in self.quality.items():
            rules[rule] = rules.get(rule, 0) + count
        plain = {name: getattr(self, name) for name in BRIEF}
        plain["oldest_pending_seconds"] = round(self.oldest_pending_seconds, 1)
        plain["batch_success_rate"] = round(self.batch_success_rate, 4)
        plain["accept_ms"] = round(self.accept_time.mean * 1e3, 3)
        plain["deliver_ms"] = round(self.deliver_time.mean * 1e3, 3)
        return {**plain, "quality": rules}

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = asdict(self)
        plain["batch_success_rate"] = self.batch_success_rate
        plain["quality"] = [
            {"rule": rule, "entity_id": entity, "count": count} for (rule, entity), count in self.quality.items()
        ]
        return plain


@dataclass(frozen=True, slots=True)
class FlushReport:
    """What became of everything accepted so far; `pending` is 0 unless the time ran out."""

    delivered: int
    dead_lettered: int
    dropped: int
    pending: int


@dataclass(frozen=True, slots=True)
class Health:
    """`status` "healthy" or "unhealthy", and why. Equal to its status as a text."""

    status: str
    reason: str = ""

    def __str__(self) -> str:
        return self.status if not self.reason else f"{self.status}: {self.reason}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.status == other
        return isinstance(other, Health) and (self.status, self.reason) == (other.status, other.reason)

    def __hash__(self) -> int:
        return hash(self.status)

    def __bool__(self) -> bool:
        return self.status == "healthy"
