"""What `follow` counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from operations.follow.follower import Follower

PREFIX = "hearthflux_follow"


class FollowCollector:
    """Registers with a prometheus_client registry; reads the counters when asked."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counts = self._follower.counts
        following = float(self._follower.state == "following")
        yield GaugeMetricFamily(f"{PREFIX}_following", "1 while events come live", value=following)
        events = CounterMetricFamily(f"{PREFIX}_events", "Events by where they came from", labels=["source"])
        events.add_metric(["live"], counts.live)
        events.add_metric(["history"], counts.filled)
        yield events
        skipped = CounterMetricFamily(f"{PREFIX}_skipped", "Events that were left out, and why", labels=["reason"])
        for reason, count in counts.skipped.items():
            skipped.add_metric([reason], count)
        yield skipped
        yield CounterMetricFamily(f"{PREFIX}_connections", "Connections to Home Assistant", value=counts.connections)
        yield GaugeMetricFamily(
            f"{PREFIX}_last_event_timestamp_seconds", "When the last event was taken", value=counts.last_event
        )
