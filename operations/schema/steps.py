"""The small steps that a migration is made of: each changes points one by one, says what it does, and how to undo it.

A step is a pure function of points; `Tally` counts what it changes and what it can't.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from event_schema import Kind, Measurement
from operations.archive.tables import Fields, Tags

Row = tuple[tuple[int, Tags], Fields]
LARGEST = 2**63
SHOWN = 3


class Unconvertible(Exception):
    """A value that has no equal of the other kind."""


def convert(value: Any, kind: Kind) -> Any:
    """The same value as another kind, where that loses nothing. Raises Unconvertible.

    integer and float where the number stays the same; true and false as 1 and 0; any value as its text, and a text
    that is nothing but such a value.
    """
    try:
        made = _CONVERT[kind](value)
    except (ValueError, OverflowError, TypeError, KeyError):
        raise Unconvertible(f"{value!r} as {kind}") from None
    return made


def _to_float(value: Any) -> float:
    made = float(value)
    if not math.isfinite(made) or (isinstance(value, int) and int(made) != value):
        raise ValueError
    return made


def _to_integer(value: Any) -> int:
    made = int(value)
    if made != (float(value) if isinstance(value, str) else value) or not -LARGEST <= made < LARGEST:
        raise ValueError
    return made


def _to_boolean(value: Any) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[str(value).lower().removesuffix(".0")]


def _to_string(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_CONVERT = {"float": _to_float, "integer": _to_integer, "boolean": _to_boolean, "string": _to_string}


@dataclass(slots=True)
class Tally:
    """Points seen and changed, and what stands in the way, with the first few by their words."""

    points: int = 0
    changed: int = 0
    refused: int = 0
    examples: list[str] = field(default_factory=list)

    def refuse(self, why: str) -> None:
        self.refused += 1
        if len(self.examples) < SHOWN:
            self.examples.append(why)


class Step(ABC):
    """One change of every point of a measurement."""

    @abstractmethod
    def __str__(self) -> str:
        """What it does, in a few words."""

    @abstractmethod
    def change(self, tags: Tags, fields: Fields, tally: Tally) -> tuple[Tags, Fields]:
        """The point afterwards; what can't be changed is told to the tally and left as it is."""

    @abstractmethod
    def inverse(self) -> Step | None:
        """The step that takes it back, None where there is none."""


@dataclass(frozen=True, slots=True)
class RenameField(Step):
    old: str
    new: str

    def __str__(self) -> str:
        return f"rename the field {self.old} to {self.new}"

    def change(self, tags: Tags, fields: Fields, tally: Tally) -> tuple[Tags, Fields]:
        names = {key for key, _ in fields}
        if self.old not in names:
            return tags, fields
        if self.new in names:
            tally.refuse(f"a point has {self.old} and {self.new}")
            return tags, fields
        return tags, {(self.new if key == self.old else key, kind): value for (key, kind), value in fields.items()}

    def inverse(self) -> Step:
        return RenameField(self.new, self.old)


@dataclass(frozen=True, slots=True)
class RetypeField(Step):
    field: str
    old: Kind
    new: Kind

    def __str__(self) -> str:
        return f"store {self.field} as {self.new} instead of {self.old}"

    def change(self, tags: Tags, fields: Fields, tally: Tally) -> tuple[Tags, Fields]:
        if (self.field, self.old) not in fields:
            return tags, fields
        try:
            made = convert(fields[self.field, self.old], self.new)
        except Unconvertible as error:
            tally.refuse(f"{self.field} {error}")
            return tags, fields
        kept = {key: value for key, value in fields.items() if key != (self.field, self.old)}
        return tags, {**kept, (self.field, self.new): made}

    def inverse(self) -> Step:
        return RetypeField(self.field, self.new, self.old)


@dataclass(frozen=True, slots=True)
class AddTag(Step):
    """A new tag whose value follows from another one: `values` by the value of the tag `source`."""

    tag: str
    source: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        return f"add the tag {self.tag}, by {self.source}"

    def change(self, tags: Tags, fields: Fields, tally: Tally) -> tuple[Tags, Fields]:
        held = dict(tags)
        value = self.values.get(held.get(self.source, ""))
        if value is None or held.get(self.tag) == value:
            return tags, fields
        if self.tag in held:
            tally.refuse(f"a point has the tag {self.tag} already, with the value {held[self.tag]!r}")
            return tags, fields
        return (*tags, (self.tag, value)), fields

    def inverse(self) -> Step:
        return RemoveTag(self.tag)


@dataclass(frozen=True, slots=True)
class RemoveTag(Step):
    """Only for a tag that follows from others: else two series would become one."""

    tag: str

    def __str__(self) -> str:
        return f"remove the tag {self.tag}"

    def change(self, tags: Tags, fields: Fields, tally: Tally) -> tuple[Tags, Fields]:
        return tuple(one for one in tags if one[0] != self.tag), fields

    def inverse(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class DropEmptyTexts(Step):
    """Empty texts are never stored: Flux misreads a series that has some."""

    def __str__(self) -> str:
        return "leave out empty texts"

    def change(self, tags: Tags, fields: Fields, tally: Tally) -> tuple[Tags, Fields]:
        if "" not in fields.values():
            return tags, fields
        return tags, {key: value for key, value in fields.items() if value != ""}

    def inverse(self) -> None:
        return None


def apply(steps: Sequence[Step], rows: Iterable[Row], tally: Tally) -> Iterator[Row]:
    """The points after all steps; one with no field left is gone."""
    for (moment, tags), fields in rows:
        new_tags, new_fields = tags, fields
        for step in steps:
            new_tags, new_fields = step.change(new_tags, new_fields, tally)
        tally.points += 1
        tally.changed += new_tags != tags or new_fields != fields
        if new_fields:
            yield (moment, new_tags), new_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """From schema version `version - 1` to `version`.

    `steps` by tier, `measurements` as they are declared before and after (by tier; those that change), `rebuild` the
    summary tiers that are computed again from the raw events when the steps are done.
    """

    version: int
    summary: str
    steps: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    before: Mapping[str, Measurement] = field(default_factory=dict)
    after: Mapping[str, Measurement] = field(default_factory=dict)
    rebuild: tuple[str, ...] = ()

    def backwards(self) -> Mapping[str, tuple[Step, ...]]:
        """The steps that take it back. Raises ValueError naming one that can't be."""
        found = {}
        for tier, steps in self.steps.items():
            taken_back = []
            for step in reversed(steps):
                inverse = step.inverse()
                if inverse is None:
                    raise ValueError(f"version {self.version} can't be taken back: '{step}' has no way back")
                taken_back.append(inverse)
            found[tier] = tuple(taken_back)
        return found
