"""What is known of an archived day without opening its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from event_schema import Kind
from event_schema.measurement import KINDS

LAYOUT = 1
DAY_NS = 86_400 * 1_000_000_000


class ArchiveProblem(Exception):
    """The archive can't do what was asked; a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file: `key` is the tag or field as the database has it, `role` tag or field."""

    name: str
    key: str
    role: str
    kind: Kind

    def __post_init__(self) -> None:
        if self.role not in ("tag", "field") or self.kind not in KINDS:
            raise ValueError(f"column {self.name}: {self.role} of kind {self.kind}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A day of one measurement: where its file is, its checksum, how many points and values of each field it has.

    `revision` counts how often the day was written: late events make a new one. A day that was archived with no
    points left has `file` "".
    """

    org: str
    bucket: str
    measurement: str
    schema_version: int
    day: date
    revision: int
    file: str
    bytes: int
    sha256: str
    rows: int
    values: dict[str, int]
    columns: tuple[Column, ...]
    written: str
    layout: int = LAYOUT

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"day": self.day.isoformat()}, indent=1, ensure_ascii=False) + "\n"

    @property
    def name(self) -> str:
        folder = folder_of(self.bucket, self.schema_version, self.measurement)
        return f"{folder}/{self.day.year:04d}/{self.day.isoformat()}.json"


def folder_of(bucket: str, version: int, measurement: str) -> str:
    """Where the days of a measurement are, from the target's root."""
    return f"{bucket}/v{version}/{measurement}"


def file_name(folder: str, day: date, revision: int) -> str:
    """A new revision is a new file, so that a manifest's file is whole at every moment."""
    suffix = "" if revision == 1 else f".r{revision}"
    return f"{folder}/{day.year:04d}/{day.isoformat()}{suffix}.parquet"


def manifest_of(text: bytes, name: str) -> Manifest:
    """Read a manifest. Raises ArchiveProblem that names it."""
    try:
        found: dict[str, Any] = json.loads(text)
        if found.get("layout") != LAYOUT:
            raise ArchiveProblem(
                f"The manifest {name} has layout {found.get('layout')!r}; this version of hearthflux reads {LAYOUT}."
            )
        columns = tuple(Column(**one) for one in found.pop("columns"))
        values = {str(key): int(count) for key, count in found.pop("values").items()}
        day = date.fromisoformat(found.pop("day"))
        return Manifest(**found, columns=columns, values=values, day=day)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArchiveProblem(
            f"The manifest {name} is damaged ({type(error).__name__}: {error}): 'hearthflux archive run' writes the "
            "day again while the server has it, once this file is removed."
        ) from None


def start_ns(day: date) -> int:
    """The day's first nanosecond, UTC."""
    return (day - date(1970, 1, 1)).days * DAY_NS


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def day_of(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def days_between(first: date, stop: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((stop - first).days)]


Counts = Mapping[str, int]
