"""What an import found and did: kept beside the position, printed for people, given as JSON to programs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from event_schema import Event
from operations.imports.reading import SECOND, Count, Skipped

SHOWN_LINES = 25
SERIES_NAMED = 20
# The parts of a report by how they are kept.
NUMBERS = ("read", "written", "already_there", "summed_up", "rows_already_there", "statistics_read", "seconds")
BY_TIER = ("rows", "rows_too_old", "statistics", "statistics_already_there", "statistics_too_old")
LEFT_OUT = ("skipped", "incomplete", "statistics_skipped")


def moment(time_ns: int) -> str:
    """A time for people and JSON, to the second; times no calendar has are shown as they are."""
    try:
        return datetime.fromtimestamp(time_ns // SECOND, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{time_ns} ns"


def left_out(skipped: Skipped) -> list[dict[str, Any]]:
    """What, why, how many, from when to when: for programs."""
    return [
        {
            "what": what,
            "reason": reason,
            "count": one.count,
            "from": moment(one.first_ns) if one.first_ns else None,
            "to": moment(one.last_ns) if one.last_ns else None,
        }
        for (what, reason), one in sorted(skipped.items())
    ]


def aside(already_there: int, too_old: Mapping[str, int]) -> str:
    """What became of the other rows, in brackets."""
    found = [f"{already_there:,} rows were there already"] if already_there else []
    found += [f"{count:,} {tier} ones are older than such rows are kept" for tier, count in too_old.items() if count]
    return f" ({'; '.join(found)})" if found else ""


def counted(skipped: Skipped) -> list[str]:
    """The same for people."""
    return [f"{one.count:,} of {what}: {reason}" for (what, reason), one in sorted(skipped.items())]


@dataclass(slots=True)
class EntityReport:
    """An entity's share: how many readings, when, from which series, its unit and class."""

    readings: Count = field(default_factory=Count)
    series: list[str] = field(default_factory=list)
    unit: str = ""
    device_class: str = ""
    friendly_name: str = ""

    def see(self, events: Sequence[Event], series: Iterable[str]) -> None:
        """Count events, in order of time, that came from these series of the source."""
        seen = self.readings
        seen.add(events[0].time_ns, 0)
        seen.add(events[-1].time_ns, len(events))
        for one in sorted(series):
            if one not in self.series and len(self.series) < SERIES_NAMED:
                self.series.append(one)
        for name, tag in (
            ("unit", "unit_of_measurement"),
            ("device_class", "device_class"),
            ("friendly_name", "device_name"),
        ):
            last = next((said for event in reversed(events) if (said := getattr(event, tag))), None)
            if last is not None:
                setattr(self, name, last)

    def merge(self, later: EntityReport) -> None:
        """Count what was counted behind it, too."""
        self.readings.merge(later.readings)
        for one in later.series:
            if one not in self.series and len(self.series) < SERIES_NAMED:
                self.series.append(one)
        for name in ("unit", "device_class", "friendly_name"):
            if last := getattr(later, name):
                setattr(self, name, last)

    def as_list(self) -> list[Any]:
        seen = self.readings
        return [seen.count, seen.first_ns, seen.last_ns, self.series, self.unit, self.device_class, self.friendly_name]

    @classmethod
    def from_list(cls, kept: list[Any]) -> EntityReport:
        return cls(Count(*kept[:3]), *kept[3:])


@dataclass(slots=True)
class Report:
    """Counts of one import over all its runs. `written`, `rows` and `statistics` are what this import wrote.

    All that was read has its place: `read` states are those written, already there, summed up and `skipped`;
    `statistics_read` hours are those written, already there, too old and in `statistics_skipped` (which names days
    too). `readings`: the states that make an event and are kept somewhere. `incomplete`: what some of them lack.
    """

    source: str = ""
    dry_run: bool = False
    finished: bool = False
    read: int = 0
    readings: Count = field(default_factory=Count)
    raw_from_ns: int = 0
    written: int = 0
    already_there: int = 0
    summed_up: int = 0
    rows: dict[str, int] = field(default_factory=lambda: {"hourly": 0, "daily": 0})
    rows_already_there: int = 0
    rows_too_old: dict[str, int] = field(default_factory=lambda: {"hourly": 0, "daily": 0})
    statistics_read: int = 0
    statistics: dict[str, int] = field(default_factory=lambda: {"hourly": 0, "daily": 0})
    statistics_already_there: dict[str, int] = field(default_factory=lambda: {"hourly": 0, "daily": 0})
    statistics_too_old: dict[str, int] = field(default_factory=lambda: {"hourly": 0, "daily": 0})
    statistics_skipped: Skipped = field(default_factory=Skipped)
    backfilled: dict[str, int] = field(default_factory=dict)
    skipped: Skipped = field(default_factory=Skipped)
    incomplete: Skipped = field(default_factory=Skipped)
    left_out: dict[str, str] = field(default_factory=dict)
    entities: dict[str, EntityReport] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    refused_events: int = 0
    seconds: float = 0.0

    def see(self, entity_id: str, events: Sequence[Event], series: Iterable[str]) -> None:
        """Count an entity's events, in order of time."""
        self.readings.add(events[0].time_ns, 0)
        self.readings.add(events[-1].time_ns, len(events))
        self.entities.setdefault(entity_id, EntityReport()).see(events, series)

    def merge(self, later: Report) -> None:
        """Count the readings of the next slice, too, and what was skipped of it."""
        self.read += later.read
        self.readings.merge(later.readings)
        self.skipped.merge(later.skipped)
        self.incomplete.merge(later.incomplete)
        self.summed_up += later.summed_up
        for entity_id, one in later.entities.items():
            self.entities.setdefault(entity_id, EntityReport()).merge(one)

    # keep and take up again ---------------------------------------------------------------------------------

    def kept(self) -> dict[str, Any]:
        """Everything, as JSON takes it, for the next run."""
        return {
            "readings": [self.readings.count, self.readings.first_ns, self.readings.last_ns],
            **{name: getattr(self, name) for name in (*NUMBERS, *BY_TIER)},
            **{name: getattr(self, name).as_list() for name in LEFT_OUT},
            "entities": {entity: one.as_list() for entity, one in self.entities.items()},
        }

    def take_up(self, kept: Mapping[str, Any]) -> None:
        self.readings = Count(*kept["readings"])
        for name in NUMBERS:
            setattr(self, name, kept[name])
        for name in BY_TIER:
            setattr(self, name, dict(kept[name]))
        for name in LEFT_OUT:
            setattr(self, name, Skipped.from_list(kept[name]))
        self.entities = {entity: EntityReport.from_list(one) for entity, one in kept["entities"].items()}

    # show ---------------------------------------------------------------------------------------------------

    def likely_renames(self) -> list[tuple[str, str]]:
        """(earlier, later) entities of one name and unit of which one began when the other had ended."""
        by_name: dict[tuple[str, str, str], list[tuple[int, int, str]]] = {}
        for entity, one in self.entities.items():
            if one.friendly_name and one.readings.first_ns:
                key = (entity.partition(".")[0], one.friendly_name, one.unit)
                by_name.setdefault(key, []).append((one.readings.first_ns, one.readings.last_ns, entity))
        found = []
        for group in by_name.values():
            group.sort()
            for (_, last, earlier), (first, _, later) in itertools.pairwise(group):
                if last <= first:
                    found.append((earlier, later))
        return found

    @property
    def stored(self) -> int:
        """Events written, without those that the server refused."""
        return self.written - self.refused_events

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "dry_run": self.dry_run,
            "finished": self.finished,
            "read": self.read,
            "readings": self.readings.count,
            "from": moment(self.readings.first_ns) if self.readings.count else None,
            "to": moment(self.readings.last_ns) if self.readings.count else None,
            "raw_from": moment(self.raw_from_ns) if self.raw_from_ns > 0 else None,
            "events": {
                "written": self.stored,
                "already_there": self.already_there,
                "summed_up": self.summed_up,
                "skipped": self.skipped.total,
                "refused": self.refused_events,
            },
            "rows": {**self.rows, "already_there": self.rows_already_there, "too_old": self.rows_too_old},
            "statistics": {
                "read": self.statistics_read,
                "written": self.statistics,
                "already_there": self.statistics_already_there,
                "too_old": self.statistics_too_old,
                "skipped": left_out(self.statistics_skipped),
            },
            "backfilled": self.backfilled,
            "entities": [
                {
                    "entity_id": entity,
                    "readings": one.readings.count,
                    "from": moment(one.readings.first_ns),
                    "to": moment(one.readings.last_ns),
                    "series": one.series,
                    "unit_of_measurement": one.unit,
                    "device_class": one.device_class,
                }
                for entity, one in sorted(self.entities.items())
            ],
            "skipped": left_out(self.skipped),
            "incomplete": left_out(self.incomplete),
            "left_out": [{"what": what, "reason": reason} for what, reason in sorted(self.left_out.items())],
            "likely_renames": [{"earlier": one, "later": other} for one, other in self.likely_renames()],
            "refused": self.refused,
            "seconds": round(self.seconds, 2),
        }

    def text(self) -> str:
        """For people: what there is, what maps to what, what does not and why."""
        if not self.read and not self.statistics_read:
            return f"{self.source}: nothing in it."
        lines = [f"{self.source}", *self._states_lines(), *self._statistics_lines()]
        if self.backfilled:
            lines.append("summed up again: " + ", ".join(f"{n:,} {tier} rows" for tier, n in self.backfilled.items()))
        lines += self._section("what maps to what", self._entity_lines())
        lines += self._section("left out", [f"{what}: {reason}" for what, reason in sorted(self.left_out.items())])
        lines += self._section("skipped", counted(self.skipped))
        lines += self._section("skipped of the long-term statistics", counted(self.statistics_skipped))
        lines += self._section("stored without what cannot be stored", counted(self.incomplete))
        lines += self._section(
            "renamed on the way? To join them, put them under [rename] in the mapping file",
            [f'"{earlier}" = "{later}"' for earlier, later in self.likely_renames()],
        )
        lines += self._section("refused by the server", self.refused)
        return "\n".join(lines)

    def _states_lines(self) -> list[str]:
        lines = []
        if self.readings.count:
            lines.append(
                f"{self.readings.count:,} states of {len(self.entities):,} entities, "
                f"from {moment(self.readings.first_ns)} to {moment(self.readings.last_ns)}"
            )
        if self.raw_from_ns > 0 and self.summed_up:
            lines.append(
                f"{self.summed_up:,} of them are older than raw events are kept ({moment(self.raw_from_ns)}): "
                f"they {'would become' if self.dry_run else 'became'} {self.rows['hourly']:,} hourly and "
                f"{self.rows['daily']:,} daily rows" + aside(self.rows_already_there, self.rows_too_old)
            )
        lines.append(
            f"{self.stored:,} events {self._would}written, {self.already_there:,} were there already"
            + (f", {self.skipped.total:,} states of {self.read:,} were skipped" if self.skipped else "")
            + (f", {self.refused_events:,} were refused by the server" if self.refused_events else "")
        )
        return lines

    def _statistics_lines(self) -> list[str]:
        if not self.statistics_read:
            return []
        return [
            f"{self.statistics['hourly']:,} hourly and {self.statistics['daily']:,} daily rows {self._would}written "
            f"from {self.statistics_read:,} hours of long-term statistics, apart from those of events"
            + aside(sum(self.statistics_already_there.values()), self.statistics_too_old)
        ]

    @property
    def _would(self) -> str:
        return "would be " if self.dry_run else ""

    def _entity_lines(self) -> list[str]:
        return [
            f"{', '.join(one.series)} -> {entity}"
            + (f" [{one.unit}]" if one.unit else "")
            + f"  {one.readings.count:,} from {moment(one.readings.first_ns)} to {moment(one.readings.last_ns)}"
            for entity, one in sorted(self.entities.items())
        ]

    @staticmethod
    def _section(title: str, lines: list[str]) -> list[str]:
        if not lines:
            return []
        more = len(lines) - SHOWN_LINES
        shown = [f"  {line}" for line in lines[:SHOWN_LINES]]
        return ["", f"{title}:", *shown, *([f"  and {more:,} more: see --report"] if more > 0 else [])]
