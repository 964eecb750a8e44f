"""The reader's counters for Prometheus, where prometheus_client is installed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from reader.stats import BOUNDS

if TYPE_CHECKING:
    from reader.summary_reader import SummaryReader

# (name, attribute of ReaderStats, what it is)
COUNTERS = (
    ("queries", "queries", "Queries asked"),
    ("queries_failed", "failed", "Queries without an answer"),
    ("requests", "requests", "Scripts sent to the server"),
)


class ReaderCollector:
    """`prometheus_client.REGISTRY.register(ReaderCollector(reader))`; reads the counters when asked."""

    def __init__(self, reader: SummaryReader, *, prefix: str = "hearthflux_reader") -> None:
        self._reader, self._prefix = reader, prefix

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        stats = self._reader.stats
        for name, attribute, what in COUNTERS:
            yield CounterMetricFamily(f"{self._prefix}_{name}", what, value=getattr(stats, attribute))
        given = CounterMetricFamily(
            f"{self._prefix}_tier_rows", "Rows that the server gave from this tier", labels=["tier"]
        )
        for tier, count in stats.tier_rows.items():
            given.add_metric([tier], count)
        yield given
        rows = CounterMetricFamily(f"{self._prefix}_rows", "Rows answered", labels=["kind"])
        reads = CounterMetricFamily(
            f"{self._prefix}_tier_reads", "Queries that read this tier", labels=["kind", "tier"]
        )
        times = HistogramMetricFamily(f"{self._prefix}_response_seconds", "Time until the answer", labels=["kind"])
        for kind, found in stats.response_times.items():
            bounds = (*map(str, BOUNDS), "+Inf")
            buckets = [(bound, float(count)) for bound, count in zip(bounds, accumulate(found.within), strict=True)]
            times.add_metric([kind], buckets, sum_value=found.seconds)
            rows.add_metric([kind], found.rows)
            for tier, count in found.tier_reads.items():
                reads.add_metric([kind, tier], count)
        yield from (times, rows, reads)
