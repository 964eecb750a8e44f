"""The health and storage figures as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from operations.health.checks import HealthReport
from operations.spool_view import SpoolView
from operations.storage.figures import StorageFigures

PREFIX = "hearthflux"


class HealthCollector:
    """`CollectorRegistry().register(HealthCollector(report, storage, spool))`: what one look has found."""

    def __init__(
        self, report: HealthReport, storage: StorageFigures | None = None, spool: SpoolView | None = None
    ) -> None:
        self._report, self._storage, self._spool = report, storage, spool

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily as Gauge

        yield Gauge(f"{PREFIX}_healthy", "1 while no check has a reason against it", value=self._report.healthy)
        by_check = Gauge(f"{PREFIX}_check_healthy", "1 while this check has found nothing", labels=["check"])
        lag = Gauge(f"{PREFIX}_task_lag_seconds", "since the last window that the task has done", labels=["task"])
        wrong = Gauge(f"{PREFIX}_summary_windows_wrong", "recent windows missing or wrong", labels=["tier"])
        age = Gauge(f"{PREFIX}_newest_event_age_seconds", "since the newest event")
        for finding in self._report.findings:
            if not finding.looked_at:
                continue
            by_check.add_metric([finding.check], float(not finding.reasons))
            for task, state in finding.figures.get("tasks", {}).items():
                if state["lag_seconds"] is not None:
                    lag.add_metric([task], state["lag_seconds"])
            if finding.check == "summaries":
                for tier, count in finding.figures.get("wrong", {}).items():
                    wrong.add_metric([tier], count)
            if finding.figures.get("age_seconds") is not None:
                age.add_metric([], finding.figures["age_seconds"])
        yield from (by_check, lag, wrong, age)
        if self._storage is not None:
            yield from _storage(self._storage)
        if self._spool is not None:
            yield Gauge(f"{PREFIX}_spool_pending", "events that wait in the spool", value=self._spool.pending)
            yield Gauge(
                f"{PREFIX}_spool_oldest_pending_seconds",
                "how long the oldest has waited",
                value=self._spool.oldest_pending_seconds,
            )
            yield Gauge(f"{PREFIX}_spool_dead_letters", "events refused for good", value=self._spool.dead_letters)


def _storage(figures: StorageFigures) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily as Gauge

    by_bucket = {
        name: Gauge(f"{PREFIX}_bucket_{name}", what, labels=["bucket", "tier"])
        for name, what in (
            ("bytes", "TSM and write-ahead log, without deleted shards"),
            ("index_bytes", "the index, estimated"),
            ("series", "series"),
            ("bytes_per_day", "how fast new data take up space"),
        )
    }
    for bucket in figures.buckets:
        for name, gauge in by_bucket.items():
            gauge.add_metric([bucket.name, bucket.tier or ""], getattr(bucket, name))
    yield from by_bucket.values()
    if figures.used_percent is not None:
        yield Gauge(f"{PREFIX}_storage_used_percent", "of the limit or of the disk", value=figures.used_percent)
    if figures.days_left is not None:
        yield Gauge(f"{PREFIX}_storage_days_left", "until the limit is expected", value=figures.days_left)
