"""The annotated CSV that `/api/v2/query` answers with, as rows.

influxdb-client has a parser of its own, which makes an object and a second copy of each row; a year of days is read
several times as fast by this one (docs/queries.md).
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

Row = dict[str, Any]
Read = Callable[[str], Any]


class QueryFailed(Exception):
    """The server began its answer and then found that it can't give it; the message is the server's."""


def _text(value: str) -> str:
    return value


def _is_true(value: str) -> bool:
    return value == "true"


READERS: dict[str, Read] = {
    "string": _text,
    "double": float,
    "long": int,
    "unsignedLong": int,
    "boolean": _is_true,
    # Beyond microseconds the digits are cut: Python's times have no more.
    "dateTime:RFC3339": datetime.fromisoformat,
    "dateTime:RFC3339Nano": datetime.fromisoformat,
    "base64Binary": base64.b64decode,
}


def parse(text: str) -> list[Row]:
    """Every row of every table: column -> value, None where it is empty. Raises QueryFailed.

    `result` is the name given by `yield`, `table` the table's number, times are aware datetimes.
    """
    rows: list[Row] = []
    types: Sequence[str] = ()
    defaults: Sequence[str] = ()
    columns: list[tuple[int, str, Read, Any]] | None = None
    for cells in csv.reader(io.StringIO(text, newline="")):
        if not cells:
            columns = None
            continue
        first = cells[0]
        if first.startswith("#"):
            columns = None
            if first == "#datatype":
                types = cells
            elif first == "#default":
                defaults = cells
            continue
        if columns is None:
            columns = _columns(cells, types, defaults)
            continue
        row: Row = {}
        for place, name, read, default in columns:
            cell = cells[place]
            row[name] = read(cell) if cell else default
        if "error" in row and "reference" in row:
            raise QueryFailed(str(row["error"]))
        rows.append(row)
    return rows


def _columns(names: Sequence[str], types: Sequence[str], defaults: Sequence[str]) -> list[tuple[int, str, Read, Any]]:
    columns = []
    for place, name in enumerate(names):
        if not name:
            continue
        read = READERS.get(types[place] if place < len(types) else "string", _text)
        default = defaults[place] if place < len(defaults) else ""
        columns.append((place, name, read, read(default) if default else None))
    return columns
