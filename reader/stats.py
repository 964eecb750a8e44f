"""What the reader counts: how long its queries took, what they answered with, which tiers they read."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

# Upper bounds in seconds, the last one open: from a read of days to one of years of raw events.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRecord:
    """One query: its kind, the entity if it has one, seconds until its answer, rows answered, scripts sent, and how
    many rows the server gave from which tier, in the order of reading. `note` says what a reader of the answer should
    know, `error` why there is none."""

    kind: str
    entity_id: str = ""
    seconds: float
    rows: int = 0
    requests: int = 0
    tiers: dict[str, int] = field(default_factory=dict)
    note: str = ""
    error: str = ""


@dataclass(slots=True)
class ResponseTimes:
    """Seconds of the queries of one kind: count, sum, the longest, and how many took at most each of BOUNDS; beside
    them the rows that were answered, and how many of the queries read which tier."""

    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    rows: int = 0
    tier_reads: dict[str, int] = field(default_factory=dict)

    def add(self, record: QueryRecord) -> None:
        self.count += 1
        self.seconds += record.seconds
        self.longest = max(self.longest, record.seconds)
        self.within[bisect_left(BOUNDS, record.seconds)] += 1
        self.rows += record.rows
        for tier in record.tiers:
            self.tier_reads[tier] = self.tier_reads.get(tier, 0) + 1

    @property
    def mean(self) -> float:
        return self.seconds / self.count if self.count else 0.0


@dataclass(slots=True)
class ReaderStats:
    """Since this reader was made. `rows` are those answered, `tier_rows` those that the server gave, by tier;
    `tier_reads` how many queries read a tier. `last` is the newest query."""

    queries: int = 0
    failed: int = 0
    rows: int = 0
    requests: int = 0
    tier_reads: Counter[str] = field(default_factory=Counter)
    tier_rows: Counter[str] = field(default_factory=Counter)
    response_times: dict[str, ResponseTimes] = field(default_factory=dict)
    last: QueryRecord | None = None

    def add(self, record: QueryRecord) -> None:
        self.last = record
        self.queries += 1
        self.requests += record.requests
        self.failed += bool(record.error)
        self.rows += record.rows
        self.tier_reads.update(record.tiers.keys())
        self.tier_rows.update(record.tiers)
        self.response_times.setdefault(record.kind, ResponseTimes()).add(record)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = asdict(self)
        # asdict would count a Counter's pairs.
        plain |= {"tier_reads": dict(self.tier_reads), "tier_rows": dict(self.tier_rows)}
        for kind, times in self.response_times.items():
            plain["response_times"][kind]["mean"] = times.mean
        return plain
