"""How good the data are: gaps, entities that fell silent, what the writer refused or could not deliver."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from operations.report.reading import DAY, EntityInfo, Reading

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
class SpoolFigures:
    """What the writer's spool holds; `dead_letters` by the server's reason, `refused` by the rule that was broken."""

    path: str
    pending: int
    dead_letters: Mapping[str, int]
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of the last 30 days of the data; `silent` have had no event for longer than `silent_after`."""

    gaps: Sequence[Gap] = ()
    silent: Sequence[EntityInfo] = ()
    entities: int = 0
    spool: SpoolFigures | None = None
    silent_after: timedelta = DAY


def gaps(counts: Mapping[str, Mapping[str, int]]) -> list[Gap]:
    """The entities with the largest share of events without a number, of those whose events mostly have one."""
    found = []
    for entity, one in counts.items():
        events, values = one.get("event_count", 0), one.get("value_count", 0)
        if events and events / 2 < values < events:
            found.append(Gap(entity, events, events - values))
    return sorted(found, key=lambda gap: (-gap.share, gap.entity_id))[:MOST]


def read_spool(path: Path) -> SpoolFigures | None:
    """The spool's figures, read beside a writer that runs; None where there is no spool or it can't be read."""
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2)) as db:
            pending = db.execute("SELECT coalesce(sum(lines), 0) FROM queue").fetchone()[0]
            dead = db.execute("SELECT reason, count(*) FROM dead_letters GROUP BY reason ORDER BY 2 DESC").fetchall()
            refused = db.execute("SELECT rule, count(*) FROM refused GROUP BY rule ORDER BY 2 DESC").fetchall()
    except sqlite3.Error:
        return None
    return SpoolFigures(str(path), int(pending), dict(dead), dict(refused))


async def read_quality(
    reading: Reading, entities: Mapping[str, EntityInfo], until: datetime, spool: Path | None
) -> Quality:
    silent = sorted((one for one in entities.values() if one.last_event < until - DAY), key=lambda one: one.last_event)
    return Quality(
        gaps=gaps(await reading.counts(until - LOOK_BACK, until)),
        silent=silent,
        entities=len(entities),
        spool=read_spool(spool) if spool is not None else None,
    )
