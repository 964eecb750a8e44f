"""The words in which a contract is written: tag, field, measurement, tier. Each is checked when it is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, SupportsIndex, overload

Kind = Literal["string", "float", "integer", "boolean"]
KINDS: tuple[Kind, ...] = ("string", "float", "integer", "boolean")
Function = Literal[
    "mean",
    "min",
    "max",
    "sum",
    "count",
    "first",
    "last",
    "value_time",
    "known_time",
    "on_time",
    "time_mean",
    "holds",
    "increase",
]
RollUp = Literal["sum", "sum_held", "min", "max", "first", "last", "ratio"]

# Stricter than line protocol: names made here need no escapes anywhere, in line protocol or in Flux.
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
# The server answers 400 to tags of these names and keeps them for its own columns.
RESERVED_NAMES = frozenset({"time", "_time", "_field", "_measurement", "_value", "_start", "_stop"})

SMALLEST_RETENTION = timedelta(hours=1)


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or _NAME.match(name) is None:
        raise ValueError(f"{what} name {name!r}: lower-case letters, digits and underscores, a letter first")
    if name in RESERVED_NAMES:
        raise ValueError(f"{what} name {name!r} is kept by InfluxDB for itself")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """An indexed label of a series. Its values are strings; an empty value means the tag is left out."""

    name: str
    description: str

    def __post_init__(self) -> None:
        _check_name("tag", self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A value of a point.

    `kind` is InfluxDB's field type; `unit` a UCUM-like symbol or "" for none; `minimum` and `maximum` are
    inclusive bounds in that unit, None for no bound.
    """

    name: str
    kind: Kind
    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        _check_name("field", self.name)
        if self.kind not in KINDS:
            raise ValueError(f"field {self.name}: kind {self.kind!r}; one of {', '.join(KINDS)}")
        bounded = self.minimum is not None or self.maximum is not None
        if bounded and self.kind not in ("float", "integer"):
            raise ValueError(f"field {self.name}: a {self.kind} has no range")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"field {self.name}: minimum {self.minimum} is above maximum {self.maximum}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SummaryField(Field):
    """A field of a summary row: what it is computed from, and how rows make the row of a longer span.

    `function` of the raw field `source` is its value in a window. `roll_up` says what several rows make:
    `sum`, `min`, `max` of the rows that have the field; `first` and `last`, the value of the earliest and the latest
    row that has it; `ratio`, the first of `parts` by the second, both
    rolled up; `sum_held`, the sum and beside it what the last value adds in windows without a row (see `roll_up`).
    """

    source: str
    function: Function
    roll_up: RollUp
    parts: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        # Named outright: in a dataclass with slots, super() without arguments means another class.
        Field.__post_init__(self)
        if (self.roll_up == "ratio") != (self.parts is not None):
            raise ValueError(f"field {self.name}: a ratio, and nothing else, names its two parts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """A named set of tags and fields, in the order in which they are written."""

    name: str
    tags: tuple[Tag, ...]
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        _check_name("measurement", self.name)
        if not self.fields:
            raise ValueError(f"measurement {self.name}: a point needs at least one field")
        names = [tag.name for tag in self.tags] + [field.name for field in self.fields]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"measurement {self.name}: {', '.join(twice)} stands twice among its tags and fields")

    @property
    def tag_names(self) -> tuple[str, ...]:
        return tuple(tag.name for tag in self.tags)

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError with the names there are."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name!r}; it has {', '.join(self.field_names)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """One resolution of the history: where it is, how wide its windows are, how long it is kept.

    `every` is the window's width (None for raw events), `retention` how long a point is kept (None for ever),
    `shard_group_duration` how much time one shard group covers: expired data go a whole group at a time.
    """

    name: str
    bucket: str
    measurement: str
    every: timedelta | None
    retention: timedelta | None
    shard_group_duration: timedelta

    def __post_init__(self) -> None:
        _check_name("tier", self.name)
        if not self.bucket or self.bucket.startswith("_") or '"' in self.bucket:
            raise ValueError(f"tier {self.name}: bucket {self.bucket!r}: not empty, no leading underscore, no quotes")
        _check_name("measurement", self.measurement)
        if self.every is not None and self.every <= timedelta(0):
            raise ValueError(f"tier {self.name}: every {self.every} is not a length of time")
        if self.shard_group_duration < SMALLEST_RETENTION:
            raise ValueError(f"tier {self.name}: shard group {self.shard_group_duration} is shorter than an hour")
        if self.retention is not None:
            if self.retention < SMALLEST_RETENTION:
                raise ValueError(f"tier {self.name}: retention {self.retention} is shorter than an hour")
            if self.shard_group_duration > self.retention:
                raise ValueError(
                    f"tier {self.name}: shard group {self.shard_group_duration} is longer than "
                    f"retention {self.retention}"
                )
            if self.every is not None and self.retention < self.every:
                raise ValueError(
                    f"tier {self.name}: retention {self.retention} is shorter than its window {self.every}"
                )


class Tiers(tuple[Tier, ...]):
    """The tiers from fine to coarse; `tiers.hourly`, `tiers["hourly"]` and `tiers[1]` are the same."""

    __slots__ = ()

    @overload
    def __getitem__(self, key: str, /) -> Tier: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> Tier: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[Tier, ...]: ...
    def __getitem__(self, key: str | SupportsIndex | slice, /) -> Tier | tuple[Tier, ...]:
        if isinstance(key, str):
            for tier in self:
                if tier.name == key:
                    return tier
            raise KeyError(f"no tier {key!r}; there are {', '.join(self.names)}")
        return super().__getitem__(key)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(tier.name for tier in self)

    def prefixed(self, prefix: str) -> Tiers:
        """The same tiers in buckets whose names begin with `prefix`, as a home has them beside others."""
        return Tiers(replace(tier, bucket=prefix + tier.bucket) for tier in self)

    @property
    def raw(self) -> Tier:
        return self["raw"]

    @property
    def hourly(self) -> Tier:
        return self["hourly"]

    @property
    def daily(self) -> Tier:
        return self["daily"]
