"""Connect, fill the gap, go on; when the connection ends, again.

The position (the time of the last event, and what is known of each entity) is kept after the writer has an event on
this machine's disk. Killed between the two, `follow` reads the last second once more and makes the same points of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from event_schema import Event, InvalidEvent, Placement
from operations import paths
from operations.errors import UserError
from operations.follow.away import SERIES, Away, iso, state_reading
from operations.follow.clock import TOLERANCE, Moment, gap, present
from operations.follow.home_assistant import CommandFailed, ConnectionLost, HomeAssistant, TokenRefused, connected
from operations.follow.registry import EVENTS, read_registry
from operations.follow.settings import FollowSettings
from operations.imports.history import History
from operations.imports.reading import Reading
from writer import BatchWriter, SpoolError

log = logging.getLogger("hearthflux.follow")

AT_ONCE = 500
KEEP_SECONDS = 1.0
REGISTRY_SECONDS = 1.0
# What is in the way: of the connection, or of keeping the position.
CONNECTION, POSITION = "connection", "position"


@dataclass(slots=True)
class Counts:
    """Since the start of this process."""

    live: int = 0
    filled: int = 0
    connections: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    last_event: float = 0.0


class Follower:
    """Follows one Home Assistant. `run` ends only by cancellation, or at the start by what the user has to mend."""

    def __init__(self, settings: FollowSettings, writer: BatchWriter) -> None:
        self.settings = settings
        self.counts = Counts()
        self.state = "connecting"
        # Why it is not well, by what is in the way.
        self.troubles: dict[str, str] = {}
        self._writer = writer
        self._registry: dict[str, Placement] = {}
        self._history = self._new_history()
        self._follows: dict[str, bool] = {}
        self._away = Away(settings.settle)
        self._last_ns = 0
        self._last_seen = present()
        self._kept_at = 0.0
        self._registry_due: float | None = None
        # Whether the writer has everything that the history knows of.
        self._settled = True

    # position -------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Take up the kept position. Raises UserError for one that cannot be read."""
        path = self.settings.position
        try:
            kept = json.loads(path.read_text())
            self._last_ns, self._last_seen = kept["last_ns"], Moment(*kept["seen"])
            self._history.restore(kept["history"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"The position {path} cannot be read ({error}): remove it to begin anew from now."
            ) from None

    def keep(self) -> None:
        """Write the position. A disk that refuses is told in health; the position before it stays."""
        if not self._last_ns or not self._settled:
            return
        content = {"last_ns": self._last_ns, "seen": self._last_seen.as_list(), "history": self._history.state()}
        try:
            self.settings.position.parent.mkdir(parents=True, exist_ok=True)
            paths.write_at_once(self.settings.position, json.dumps(content).encode())
        except OSError as error:
            log.error("position not kept", extra={"reason": error.strerror})
            self.troubles[POSITION] = f"the position {self.settings.position} cannot be written: {error.strerror}"
            return
        self._kept_at = time.monotonic()
        self.troubles.pop(POSITION, None)

    def start_from(self, time_ns: int) -> None:
        """Without a kept position, fill from this time on."""
        if not self._last_ns:
            self._last_ns, self._last_seen = time_ns, present()

    # for ever -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until cancelled. Raises UserError for a wrong token, or a file of it that cannot be read, as long as
        there was no connection."""
        failures = 0
        while True:
            try:
                async with self.connection() as home:
                    failures = 0
                    self.counts.connections += 1
                    await self._session(home)
            except ConnectionLost as error:
                why = str(error)
            except CommandFailed as error:
                why = f"Home Assistant refused a command: {error}"
            except SpoolError as error:
                # What the history knows, the writer has not: go back to what both have.
                why = str(error)
                self._go_back()
            except (TokenRefused, UserError) as error:
                if not self.counts.connections:
                    raise UserError(str(error)) from None
                why = str(error)
            self.state, self.troubles[CONNECTION] = "connecting", why
            self.keep()
            log.warning("not connected", extra={"reason": why})
            wait = min(self.settings.longest_wait, 0.5 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)
            failures += 1
            await asyncio.sleep(wait)

    def _go_back(self) -> None:
        self._history = self._new_history()
        self._history.use_registry(self._registry)
        self._last_ns, self._settled = 0, True
        self.restore()

    def _new_history(self) -> History:
        choice = self.settings.choice
        return History(zone=self.settings.zone, attributes=choice.attributes, weather_entity=choice.weather)

    def connection(self) -> Any:
        settings = self.settings
        return connected(settings.url, settings.websocket, settings.current_token(), silence=settings.silence)

    async def _session(self, home: HomeAssistant) -> None:
        self.state = "filling"
        # Events from now on wait in the connection's queue while the gap is filled.
        for event_type in ("state_changed", *EVENTS):
            await home.subscribe(event_type)
        await self.load_registry(home)
        states = await home.ask("get_states")
        log.info("connected", extra={"version": home.version, "entities": len(states)})
        await self._fill(home, self._current(states))
        waiting = home.waiting
        self.state = "following"
        self.troubles.pop(CONNECTION, None)
        log.info("following", extra={"filled": self.counts.filled})
        while True:
            events = await home.events(AT_ONCE)
            await self._live(events, waiting)
            waiting = max(0, waiting - len(events))
            if self._registry_due is not None and time.monotonic() >= self._registry_due:
                await self.load_registry(home)

    async def load_registry(self, home: HomeAssistant) -> None:
        self._registry_due = None
        self._registry = await read_registry(home)
        self._history.use_registry(self._registry)
        self._follows.clear()

    @property
    def registry(self) -> Mapping[str, Placement]:
        return self._registry

    def follows(self, entity_id: str) -> bool:
        known = self._follows.get(entity_id)
        if known is None:
            place = self._registry.get(entity_id)
            area = None if place is None else place.area
            known = self._follows[entity_id] = (
                self.settings.choice.entities.follows(entity_id, area) or entity_id == self.settings.choice.weather
            )
        return known

    def _current(self, states: Sequence[Mapping[str, Any]]) -> list[Reading]:
        found = []
        for one in states:
            if not self.follows(str(one.get("entity_id"))):
                continue
            try:
                found.append(state_reading(one, SERIES))
            except InvalidEvent as error:
                self.counts.skipped[error.rule] += 1
                self._writer.refuse(one, error)
        return found

    # the gap --------------------------------------------------------------------------------------------

    async def _fill(self, home: HomeAssistant, current: list[Reading]) -> None:
        if not self._last_ns:
            # The first start: what holds now, and nothing before it.
            await self._write(sorted(current, key=lambda one: one.time_ns), since_known=False)
            return
        found = gap(self._last_ns, self._last_seen, present())
        if found.set_back:
            log.warning("the clock was set back", extra={"last_event": iso(self._last_ns)})
        entities = {one.entity_id for one in current}
        entities |= {entity for entity in (*self._registry, *self._history.entities) if self.follows(entity)}
        for number, (start, stop) in enumerate(found.spans, 1):
            # What holds now ends the span that ends now.
            at_last = number == len(found.spans)
            now = (lambda: present().wall_ns) if at_last else (lambda stop=stop: stop)
            async for readings in self._away.readings(home, entities, start, current if at_last else (), now):
                for first in range(0, len(readings), AT_ONCE):
                    part = readings[first : first + AT_ONCE]
                    await self._write(part, since_known=True, set_back=found.set_back)
        if found.set_back:
            self._history.set_back(present().wall_ns)

    async def _write(self, readings: Sequence[Reading], *, since_known: bool, set_back: bool = False) -> None:
        """Write readings; with `since_known` only what is after the last event that each entity had. With `set_back`
        that cannot be told by the time: what is not after it is written without what follows from the event before,
        which leaves that of a point that is there."""
        events: list[Event] = []
        self._settled = False
        for reading in readings:
            if not self.follows(reading.entity_id):
                self.counts.skipped["not followed"] += 1
                continue
            known = since_known and reading.time_ns <= self._history.last_time_ns(reading.entity_id)
            if known and not set_back:
                continue
            try:
                events.append(self._history.alone(reading) if known else self._history.event(reading))
            except InvalidEvent as error:
                self.counts.skipped[f"{error.field}: {error.rule}"] += 1
                self._writer.refuse(reading, error)
                continue
            if reading.series == SERIES:
                self.counts.filled += 1
            else:
                self.counts.live += 1
        if events:
            try:
                await self._writer.write_many(events)
            except InvalidEvent as error:
                self.counts.skipped[f"{error.field}: {error.rule}"] += 1
            self._last_ns, self._last_seen = events[-1].time_ns, present()
            self.counts.last_event = time.time()
        self._settled = True
        if time.monotonic() - self._kept_at >= KEEP_SECONDS:
            self.keep()

    # live -----------------------------------------------------------------------------------------------

    async def _live(self, events: Sequence[Mapping[str, Any]], waited: int) -> None:
        """The first `waited` events came while the gap was filled: the fill may have had them already."""
        old: list[Reading] = []
        new: list[Reading] = []
        for number, event in enumerate(events):
            content = event.get("data") or {}
            if event.get("event_type") in EVENTS:
                if content.get("old_entity_id"):
                    self._history.rename(content["old_entity_id"], content["entity_id"])
                self._registry_due = time.monotonic() + REGISTRY_SECONDS
                continue
            state = content.get("new_state")
            if state is None:
                self.counts.skipped["the entity was removed"] += 1
                continue
            try:
                (old if number < waited else new).append(state_reading(state))
            except InvalidEvent as error:
                self.counts.skipped[f"{error.field}: {error.rule}"] += 1
                self._writer.refuse(state, error)
        if old:
            await self._write(old, since_known=True)
        if new:
            first = min(one.time_ns for one in new)
            if first < self._last_ns - TOLERANCE:
                self._history.set_back(first)
            await self._write(new, since_known=False)

    # ask ------------------------------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """`status`, `reasons`, and what a person would look at first."""
        reasons = list(self.troubles.values())
        if self.state != "following" and not reasons:
            reasons.append("filling what happened while it was away" if self.state == "filling" else "connecting")
        writer = self._writer.health()
        if writer.reason:
            reasons.append(writer.reason)
        return {
            "status": "unhealthy" if reasons else "healthy",
            "reasons": reasons,
            "state": self.state,
            "events": {"live": self.counts.live, "from_history": self.counts.filled},
            "skipped": dict(self.counts.skipped),
            "incomplete": {f"{what}: {why}": one.count for (what, why), one in self._history.incomplete.items()},
            "connections": self.counts.connections,
            "last_event_seconds_ago": round(time.time() - self.counts.last_event, 1)
            if self.counts.last_event
            else None,
            "pending": self._writer.stats.pending,
            "dead_lettered": self._writer.stats.dead_lettered,
        }
