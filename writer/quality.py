"""Rules about an event that is wrong, or that could be stored and is probably wrong.

Each rule rejects (InvalidEvent), repairs, warns (stores and counts) or is off:

    rule       what it finds                                        how it repairs
    schema     a value that its tag or field cannot hold            leaves the value out (warn does so too)
    range      a number outside the declared bounds                 leaves the value out
    unit       a unit that the device class cannot have, or         leaves normalized_value out: numbers in two units
               another one than the entity had before               do not belong into one series
    future     a time too far ahead of this machine's clock         the time becomes now
    retention  a time that the bucket no longer keeps               leaves the event out
    duplicate  a series twice at one time in one call               a copy is left out; another value moves on by 1 ns

What a rule finds is kept for a look as it was handed in: all that is not in the database like that, and of what is
only warned of the first of each rule and entity, then ever fewer.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Mapping

from event_schema import Event, Field, InvalidEvent
from writer.encoder import range_error
from writer.findings import Finding, Outcome
from writer.settings import Action
from writer.units import UNITS

COUNTED_ENTITIES = 10_000
REMEMBERED_UNITS = 20_000
SECOND = 1_000_000_000
# Findings wait here for the next commit; with a disk that is full the oldest give way.
FINDINGS_WAITING = 10_000
SHOWN_OF_AN_EVENT = 4000
# Warnings of one rule and entity that are kept before only each next power of two is.
WARNINGS_KEPT = 10


class LeftOutError(Exception):
    """The event is not stored, and that is how its rule repairs it."""


class Quality:
    """Applies the rules and counts what they find, by rule and entity."""

    def __init__(self, actions: Mapping[str, Action], *, future_tolerance: float, retention_days: float | None) -> None:
        self._actions = dict(actions)
        self._tolerance = future_tolerance
        self._retention = retention_days
        self._units: dict[str, str] = {}
        self._rejected: InvalidEvent | None = None
        self.counts: dict[tuple[str, str], int] = {}
        self.findings: deque[Finding] = deque(maxlen=FINDINGS_WAITING)
        self.watch_duplicates = self._action("duplicate") != "off"
        self.watch_units = self._action("unit") != "off"

    def _action(self, rule: str) -> Action:
        return self._actions.get(rule, "off")

    def _count(self, rule: str, entity: object) -> int:
        key = (rule, str(entity))
        if key not in self.counts and len(self.counts) >= COUNTED_ENTITIES:
            key = (rule, "(others)")
        count = self.counts[key] = self.counts.get(key, 0) + 1
        return count

    def _keep(self, outcome: Outcome, event: object, error: InvalidEvent) -> None:
        self.findings.append((outcome, _entity(event), str(error), repr(event)[:SHOWN_OF_AN_EVENT]))

    def _found(self, rule: str, event: Event, error: InvalidEvent, *, repaired: Outcome = "repaired") -> Action:
        """What to do about it, counted and kept. `repaired` is what a repair makes of the event."""
        action = self._action(rule)
        if action == "off":
            return action
        count = self._count(rule, event.entity_id)
        if action == "reject":
            self._rejected = error
            raise error
        if action == "repair":
            self._keep(repaired, event, error)
        elif count <= WARNINGS_KEPT or count & (count - 1) == 0:
            self._keep("warned", event, error)
        return action

    def refused(self, event: object, error: InvalidEvent) -> None:
        """Keep a refused event or message; count it, unless a rule has: then it is not what the schema says."""
        self._keep("refused", event, error)
        if error is not self._rejected:
            self._count("schema", _entity(event))
        self._rejected = None

    # what the encoder asks ------------------------------------------------------------------------------

    def unfit(self, event: Event, error: InvalidEvent) -> None:
        """Returns where the value is to be left out."""
        if self._action("schema") in ("reject", "off"):
            raise error
        self._count("schema", event.entity_id)
        self._keep("repaired", event, error)

    def out_of_range(self, event: Event, field: Field, value: float) -> float | None:
        return None if self._found("range", event, range_error(field, value)) == "repair" else value

    def usual(self, event: Event) -> bool:
        return not self.watch_units or self._wrong_unit(event) is None

    def mended(self, event: Event) -> Event:
        wrong = self._wrong_unit(event) if self.watch_units else None
        if wrong is not None and self._found("unit", event, wrong) == "repair":
            event = copy.copy(event)
            event.normalized_value = None
        return event

    def _wrong_unit(self, event: Event) -> InvalidEvent | None:
        unit, entity, device_class = event.unit_of_measurement, event.entity_id, event.device_class
        if not unit or not isinstance(unit, str) or not isinstance(entity, str):
            return None
        allowed = UNITS.get(device_class) if isinstance(device_class, str) else None
        if allowed is not None and unit not in allowed:
            return InvalidEvent(
                "unit_of_measurement", unit, f"a {device_class} is measured in one of {', '.join(sorted(allowed))}"
            )
        before = self._units.get(entity)
        if before is None:
            if len(self._units) >= REMEMBERED_UNITS:
                self._units.clear()
            self._units[entity] = unit
        elif before != unit:
            return InvalidEvent("unit_of_measurement", unit, f"{entity} was measured in {before} before")
        return None

    # what the intake asks -------------------------------------------------------------------------------

    def time_bounds(self) -> tuple[int, int]:
        """(earliest, latest) time in nanoseconds that needs no second look."""
        now = time.time()
        early = -(2**63) if self._retention is None else int((now - self._retention * 86_400) * SECOND)
        return early, int((now + self._tolerance) * SECOND)

    def odd_time(self, event: Event, early: int) -> Event:
        """The event, or a repaired copy. Raises InvalidEvent, or LeftOutError where leaving it out is the repair."""
        if event.time_ns < early:
            days = self._retention or 0
            error = InvalidEvent("time_ns", event.time_ns, f"older than the {days:g} days that the bucket keeps")
            if self._found("retention", event, error, repaired="left out") == "repair":
                raise LeftOutError
            return event
        error = InvalidEvent("time_ns", event.time_ns, "far in the future: is a clock wrong?")
        if self._found("future", event, error) == "repair":
            event = copy.copy(event)
            event.time_ns = time.time_ns()
        return event

    def twin(self, event: Event, *, same_values: bool) -> Event:
        """What to store of a second event of one series and time. Raises as `odd_time`."""
        error = InvalidEvent("time_ns", event.time_ns, "the same series and time twice in one call")
        repaired: Outcome = "left out" if same_values else "repaired"
        if self._found("duplicate", event, error, repaired=repaired) != "repair":
            return event
        if same_values:
            raise LeftOutError
        event = copy.copy(event)
        event.time_ns += 1
        return event


def _entity(event: object) -> str:
    """Of an event, or of a message in either of Home Assistant's shapes; "" where it names none."""
    inner = event
    while isinstance(inner, Mapping):
        if isinstance(entity := inner.get("entity_id"), str):
            return entity
        inner = inner.get("event", inner.get("data"))
    return str(getattr(event, "entity_id", ""))
