"""How good the data are: gaps, entities that fell silent, what the writer refused or could not deliver."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from operations.report.reading import DAY, EntityInfo, Reading
from operations.spool_view import Refusals, SpoolView, look, refusals

LOOK_BACK = timedelta(days=30)
MOST = 8


@dataclass(frozen=True, slots=True)
class Gap:
    """An entity that mostly reports numbers: the share of its events that were none, such as `unavailable`."""

    entity_id: str
    events: int
    without_value: int

    @property
    def share(self) -> float:
        return self.without_value / self.events


@dataclass(frozen=True, slots=True)
class Quality:
    """Of the last 30 days of the data; `silent` have had no event for longer than `silent_after`."""

    gaps: Sequence[Gap] = ()
    silent: Sequence[EntityInfo] = ()
    entities: int = 0
    spool: SpoolView | None = None
    refusals: Refusals | None = None
    silent_after: timedelta = DAY


def gaps(counts: Mapping[str, Mapping[str, int]]) -> list[Gap]:
    """The entities with the largest share of events without a number, of those whose events mostly have one."""
    found = []
    for entity, one in counts.items():
        events, values = one.get("event_count", 0), one.get("value_count", 0)
        if events and events / 2 < values < events:
            found.append(Gap(entity, events, events - values))
    return sorted(found, key=lambda gap: (-gap.share, gap.entity_id))[:MOST]


def _spool(path: Path) -> tuple[SpoolView | None, Refusals | None]:
    return (look(path), refusals(path)) if path.is_file() else (None, None)


async def read_quality(
    reading: Reading, entities: Mapping[str, EntityInfo], until: datetime, spool: Path | None
) -> Quality:
    view, kept = (None, None) if spool is None else await asyncio.to_thread(_spool, spool)
    silent = sorted((one for one in entities.values() if one.last_event < until - DAY), key=lambda one: one.last_event)
    return Quality(
        gaps=gaps(await reading.counts(until - LOOK_BACK, until)),
        silent=silent,
        entities=len(entities),
        spool=view,
        refusals=kept,
    )
