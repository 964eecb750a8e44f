"""What happened while `follow` was away, from Home Assistant's history.

The recorder writes to its database some seconds after the event. Commits keep the order, so the history is whole up to
now when it has the state that each recorded entity has at this moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from event_schema import to_time_ns
from operations.follow.home_assistant import HomeAssistant
from operations.imports.reading import SECOND, Reading

ENTITIES_AT_ONCE = 50
WINDOW = 3 * 3600 * SECOND
ASK_AGAIN_SECONDS = 1.0
SERIES = "history"
LIVE = "live"


def float_ns(seconds: float) -> int:
    """A time of the history, to the microsecond."""
    return round(seconds * 1e6) * 1_000


def iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 1_000 / 1e6, UTC).isoformat()


def state_reading(state: Mapping[str, Any], series: str = LIVE) -> Reading:
    """A state as `get_states` and `state_changed` have it. Raises InvalidEvent for a time that is none."""
    updated = to_time_ns(state.get("last_updated"), "last_updated")
    changed = state.get("last_changed")
    return Reading(
        updated,
        str(state.get("entity_id")),
        str(state.get("state")),
        state.get("attributes") or {},
        updated if changed is None else to_time_ns(changed, "last_changed"),
        series,
    )


def history_readings(answer: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Reading]:
    """The states of `history/history_during_period`, in order of time."""
    found = []
    for entity_id, states in answer.items():
        for one in states:
            updated = float_ns(one["lu"])
            changed = float_ns(one["lc"]) if "lc" in one else updated
            found.append(Reading(updated, entity_id, str(one["s"]), one.get("a") or {}, changed, SERIES))
    found.sort(key=lambda one: one.time_ns)
    return found


async def history(home: HomeAssistant, entities: Sequence[str], start_ns: int, stop_ns: int) -> list[Reading]:
    """Every state of these entities in [start, stop). Raises ConnectionLost, CommandFailed."""
    found: list[Reading] = []
    for first in range(0, len(entities), ENTITIES_AT_ONCE):
        answer = await home.ask(
            "history/history_during_period",
            start_time=iso(start_ns),
            end_time=iso(stop_ns),
            entity_ids=list(entities[first : first + ENTITIES_AT_ONCE]),
            include_start_time_state=False,
            significant_changes_only=False,
            minimal_response=False,
            no_attributes=False,
        )
        found += history_readings(answer)
    found = [one for one in found if start_ns <= one.time_ns < stop_ns]
    found.sort(key=lambda one: one.time_ns)
    return found


class Away:
    """Reads the gap in windows. `unrecorded`: entities that the recorder leaves out, as seen in earlier gaps."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self.unrecorded: set[str] = set()

    async def readings(
        self,
        home: HomeAssistant,
        entities: Iterable[str],
        start_ns: int,
        current: Sequence[Reading],
        now: Callable[[], int],
    ) -> AsyncIterator[list[Reading]]:
        """States from `start_ns` on, in order of time, window by window; in the last one, what is `current`."""
        asked = sorted(entities)
        stop_ns = now()
        while start_ns + WINDOW < stop_ns:
            yield await history(home, asked, start_ns, start_ns + WINDOW)
            start_ns += WINDOW
        yield await self._last(home, asked, start_ns, current, now)

    async def _last(
        self,
        home: HomeAssistant,
        entities: Sequence[str],
        start_ns: int,
        current: Sequence[Reading],
        now: Callable[[], int],
    ) -> list[Reading]:
        wanted = {one.entity_id: one for one in current if one.time_ns >= start_ns}
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settle
        while True:
            newest = max((one.time_ns for one in wanted.values()), default=0)
            found = await history(home, entities, start_ns, max(now(), newest) + SECOND)
            last = {one.entity_id: one.time_ns for one in found}
            missing = {entity for entity, one in wanted.items() if last.get(entity, 0) < one.time_ns}
            self.unrecorded -= last.keys()
            if not missing - self.unrecorded or loop.time() >= end:
                break
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        self.unrecorded |= missing
        found += [wanted[entity] for entity in missing]
        found.sort(key=lambda one: one.time_ns)
        return found
