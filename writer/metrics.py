"""The writer's counters for Prometheus, where prometheus_client is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from writer.batch_writer import BatchWriter

# (name, attribute of Stats, what it is)
COUNTERS = (
    ("events_accepted", "accepted", "Events that are safe on this machine"),
    ("events_delivered", "delivered", "Events that the server has stored"),
    ("events_dead_lettered", "dead_lettered", "Events that the server refused for good"),
    ("events_dropped", "dropped", "Events dropped by the policy of a full spool"),
    ("events_rejected", "rejected", "Events refused before they were accepted"),
    ("batches", "batches", "Batches of which every event is resolved"),
    ("requests", "requests", "Write requests"),
    ("requests_failed", "failed_requests", "Write requests that did not store their batch"),
    ("retries", "retries", "Write requests that were sent again"),
    ("events_sent_again", "sent_again", "Delivered events that were sent once more after an outage of the server"),
)
GAUGES = (
    ("events_pending", "pending", "Accepted events that are not resolved"),
    ("pending_bytes", "pending_bytes", "Bytes of the pending events"),
    ("oldest_pending_seconds", "oldest_pending_seconds", "Age of the oldest pending event"),
    ("batch_success_rate", "batch_success_rate", "Share of requests that stored their batch"),
)
SUMMARIES = (
    ("accept_seconds", "accept_time", "Time of a write call until its events were safe"),
    ("deliver_seconds", "deliver_time", "Time from accepting the oldest event of a batch until all of it was resolved"),
)


class WriterCollector:
    """`prometheus_client.REGISTRY.register(WriterCollector(writer))`; reads the counters when asked."""

    def __init__(self, writer: BatchWriter, *, prefix: str = "hearthflux_writer") -> None:
        self._writer, self._prefix = writer, prefix

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

        stats = self._writer.stats
        for name, attribute, what in COUNTERS:
            yield CounterMetricFamily(f"{self._prefix}_{name}", what, value=getattr(stats, attribute))
        for name, attribute, what in GAUGES:
            yield GaugeMetricFamily(f"{self._prefix}_{name}", what, value=getattr(stats, attribute))
        for name, attribute, what in SUMMARIES:
            timing = getattr(stats, attribute)
            yield SummaryMetricFamily(
                f"{self._prefix}_{name}", what, count_value=timing.count, sum_value=timing.seconds
            )
        rules: dict[str, int] = {}
        for (rule, _), count in stats.quality.items():
            rules[rule] = rules.get(rule, 0) + count
        quality = CounterMetricFamily(f"{self._prefix}_quality", "Findings of the data quality rules", labels=["rule"])
        for rule, count in rules.items():
            quality.add_metric([rule], count)
        yield quality
        healthy = float(bool(self._writer.health()))
        yield GaugeMetricFamily(f"{self._prefix}_healthy", "1 while events are accepted and delivered", value=healthy)
