"""Rules about a value or a time that line protocol could hold but that is probably wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping

from event_schema import Event, Field, InvalidEvent
from writer.settings import Action

COUNTED_ENTITIES = 10_000
SECOND = 1_000_000_000


class Quality:
    """Applies each rule as configured: reject raises InvalidEvent, repair leaves the value out, warn counts.

    A time has no repair: "repair" warns. A repaired duplicate replaces the one before it on the server, as
    InfluxDB does anyway.
    """

    def __init__(self, actions: Mapping[str, Action], *, future_tolerance: float, retention_days: float | None) -> None:
        self._actions = dict(actions)
        self._tolerance = future_tolerance
        self._retention = retention_days
        self.counts: dict[tuple[str, str], int] = {}
        self.watch_duplicates = self._actions.get("duplicate", "off") != "off"

    def count(self, rule: str, entity: object) -> None:
        key = (rule, str(entity))
        if key not in self.counts and len(self.counts) >= COUNTED_ENTITIES:
            key = (rule, "(others)")
        self.counts[key] = self.counts.get(key, 0) + 1

    def _found(self, rule: str, event: Event, error: InvalidEvent) -> Action:
        action = self._actions.get(rule, "off")
        if action == "reject":
            raise error
        if action != "off":
            self.count(rule, event.entity_id)
        return action

    def out_of_range(self, event: Event, field: Field, value: float) -> float | None:
        low = "any" if field.minimum is None else f"{field.minimum:g}"
        high = "any" if field.maximum is None else f"{field.maximum:g}"
        error = InvalidEvent(field.name, value, f"outside its range, {low} to {high} {field.unit}".rstrip())
        return None if self._found("range", event, error) == "repair" else value

    def time_bounds(self) -> tuple[int, int]:
        """(earliest, latest) time in nanoseconds that needs no second look."""
        now = time.time()
        early = -(2**63) if self._retention is None else int((now - self._retention * 86_400) * SECOND)
        return early, int((now + self._tolerance) * SECOND)

    def odd_time(self, event: Event, early: int) -> None:
        if event.time_ns < early:
            days = self._retention or 0
            self._found(
                "retention", event, InvalidEvent("time_ns", event.time_ns, f"older than the {days:g} days kept")
            )
        else:
            self._found("future", event, InvalidEvent("time_ns", event.time_ns, "far in the future: is a clock wrong?"))

    def duplicate(self, event: Event) -> None:
        self._found(
            "duplicate", event, InvalidEvent("time_ns", event.time_ns, "the same series and time twice in one call")
        )
