"""Line protocol, by a function generated once from the declaration.

Refuses what line protocol cannot represent. A tag set's `measurement,tag=value,...` is remembered (bounded),
so a second event of the same entity costs only its fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from event_schema import Event, Field, InvalidEvent, Measurement, attribute_kind

LONGEST_KEY = 65_535
LONGEST_STRING = 1_048_576
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
EARLIEST_NS, LATEST_NS = -(2**63) + 2, 2**63 - 2
REMEMBERED_PREFIXES = 20_000
REMEMBERED_VALUES = 10_000
LONGEST_REMEMBERED = 64

_KEY_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_STRING_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})
_KIND_WORDS = {"float": "a finite number", "integer": "a whole number", "string": "a text", "boolean": "true or false"}

_PYTHON_TYPES = {"float": "float", "integer": "int", "string": "str", "boolean": "bool"}

# Called for a value outside its range; returns the value to store or None to leave it out, or raises.
OutOfRange = Callable[[Event, Field, float], "float | None"]


def tag_text(name: str, value: object) -> str:
    """An escaped tag value. Raises InvalidEvent for what a tag cannot hold."""
    if not isinstance(value, str):
        raise InvalidEvent(name, value, "a tag is a text")
    if "\n" in value or "\r" in value:
        raise InvalidEvent(name, value, "a tag cannot hold a line break")
    if "\0" in value:
        raise InvalidEvent(name, value, "a tag cannot hold a null character")
    if value.endswith("\\"):
        raise InvalidEvent(name, value, "a tag cannot end with a backslash")
    if "\\" in value and any(pair in value for pair in ("\\,", "\\=", "\\ ", "\\\\")):
        raise InvalidEvent(name, value, "a tag cannot hold a backslash before a comma, space, equals sign or backslash")
    _encodable(name, value)
    return value.translate(_KEY_ESCAPES)


def _encodable(name: str, value: str) -> int:
    try:
        return len(value.encode())
    except UnicodeEncodeError:
        raise InvalidEvent(name, value, "not valid Unicode text") from None


def string_text(name: str, value: object) -> str:
    """A quoted string field, "" for an empty one. Raises InvalidEvent."""
    if not isinstance(value, str):
        raise InvalidEvent(name, value, "a text")
    if not value:
        return ""
    if _encodable(name, value) > LONGEST_STRING:
        raise InvalidEvent(name, value, f"a text of at most {LONGEST_STRING:,} bytes")
    return f'"{value.translate(_STRING_ESCAPES)}"'


def number_text(name: str, kind: str, value: object) -> str:
    """A float, integer or boolean field as line protocol writes it. Raises InvalidEvent."""
    if kind == "boolean":
        if not isinstance(value, bool):
            raise InvalidEvent(name, value, _KIND_WORDS[kind])
        return "true" if value else "false"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidEvent(name, value, _KIND_WORDS[kind])
    if kind == "integer":
        if value != value or value in (float("inf"), float("-inf")) or int(value) != value:
            raise InvalidEvent(name, value, _KIND_WORDS[kind])
        if not SMALLEST_INTEGER <= int(value) <= LARGEST_INTEGER:
            raise InvalidEvent(name, value, "a whole number of 64 bits")
        return f"{int(value)}i"
    try:
        number = float(value)
    except OverflowError:
        raise InvalidEvent(name, value, _KIND_WORDS[kind]) from None
    if number - number != 0.0:
        raise InvalidEvent(name, value, _KIND_WORDS[kind])
    return repr(number)


class Remembered(dict[Any, "str | None"]):
    """`name=text` by value, of one field. Home values repeat: a look-up is a fraction of a float's repr.

    A value that needs more care (wrong, out of range, long) gives None and is not remembered.
    """

    __slots__ = ("_field", "_high", "_low")

    def __init__(self, field: Field) -> None:
        super().__init__()
        self._field = field
        self._low = -math.inf if field.minimum is None else field.minimum
        self._high = math.inf if field.maximum is None else field.maximum

    def __missing__(self, value: Any) -> str | None:
        field = self._field
        try:
            if field.kind == "string":
                if not 0 < len(value) <= LONGEST_REMEMBERED:
                    return None
                text = string_text(field.name, value)
            else:
                if field.kind != "boolean" and not self._low <= value <= self._high:
                    return None
                text = number_text(field.name, field.kind, value)
        except InvalidEvent:
            return None
        if len(self) >= REMEMBERED_VALUES:
            self.clear()
        self[value] = found = f"{field.name}={text}"
        return found


class Encoder:
    """`encode(event)` -> one line without its line break. Not for use by several threads at once."""

    encode: Callable[[Event], str]

    def __init__(self, measurement: Measurement, *, out_of_range: OutOfRange | None = None) -> None:
        self._measurement = measurement
        self._out_of_range = out_of_range or self._refuse
        self._prefixes: dict[tuple[Any, ...], str] = {}
        self._longest_field = max(len(name) for name in measurement.field_names)
        self.encode = self._compile()

    @staticmethod
    def _refuse(event: Event, field: Field, value: float) -> float | None:
        bounds = f"{'' if field.minimum is None else field.minimum} to {'' if field.maximum is None else field.maximum}"
        raise InvalidEvent(field.name, value, f"outside its range of {bounds} {field.unit}".rstrip())

    def _prefix(self, key: tuple[Any, ...]) -> str:
        parts = [self._measurement.name]
        for name, value in zip(self._measurement.tag_names, key, strict=True):
            if value is None or value == "":
                if name == "entity_id":
                    raise InvalidEvent(name, value, "every event names its entity")
                continue
            parts.append(f"{name}={tag_text(name, value)}")
        prefix = ",".join(parts)
        if len(prefix.encode()) + 4 + self._longest_field > LONGEST_KEY:
            raise InvalidEvent(
                "tags", prefix[:60], f"measurement, tags and field name take at most {LONGEST_KEY} bytes"
            )
        if len(self._prefixes) >= REMEMBERED_PREFIXES:
            self._prefixes.clear()
        self._prefixes[key] = prefix
        return prefix

    def _slow(self, event: Event, field: Field, value: object) -> str:
        """`name=value` of what the quick path did not take: conversions, ranges, refusals; "" leaves it out."""
        if field.kind == "string":
            text = string_text(field.name, value)
            return f"{field.name}={text}" if text else ""
        text = number_text(field.name, field.kind, value)
        if field.minimum is not None or field.maximum is not None:
            number = float(value)  # type: ignore[arg-type]
            low = field.minimum is not None and number < field.minimum
            if low or (field.maximum is not None and number > field.maximum):
                kept = self._out_of_range(event, field, number)
                return "" if kept is None else f"{field.name}={number_text(field.name, field.kind, kept)}"
        return f"{field.name}={text}"

    def _attributes(self, attributes: object) -> list[str]:
        if not isinstance(attributes, Mapping):
            raise InvalidEvent("attributes", attributes, "an object with named values")
        parts = []
        for name, value in attributes.items():
            if value is None or value == "":
                continue
            if not isinstance(name, str) or not name or not name.replace("_", "a").isalnum() or not name.isascii():
                raise InvalidEvent("attributes", name, "an attribute's name is letters, digits and underscores")
            kind, key = attribute_kind(name), f"attribute_{name}"
            text = string_text(key, value) if kind == "string" else number_text(key, kind, value)
            parts.append(f"{key}={text}")
        return parts

    def _time(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidEvent("time_ns", value, "whole nanoseconds since 1970 in UTC")
        if not EARLIEST_NS <= value <= LATEST_NS:
            raise InvalidEvent("time_ns", value, "a time between the years 1677 and 2262")
        return str(value)

    def _compile(self) -> Callable[[Event], str]:
        tags, fields = self._measurement.tag_names, self._measurement.fields
        source = [
            "def encode(e):",
            f"    key = ({''.join(f'e.{name}, ' for name in tags)})",
            "    try: prefix = known(key)",
            "    except TypeError: prefix = None",
            "    if prefix is None: prefix = make_prefix(key)",
            "    parts = []; append = parts.append",
        ]
        for position, field in enumerate(fields):
            source += [
                f"    v = e.{field.name}",
                "    if v is not None:",
                # The exact type: 1, 1.0 and True are one key of a dict.
                f"        s = m{position}[v] if type(v) is {_PYTHON_TYPES[field.kind]} else None",
                f"        if s is None: s = slow(e, f{position}, v)",
                "        if s: append(s)",
            ]
        source += [
            "    if e.attributes is not None: parts += attributes(e.attributes)",
            "    if not parts: raise InvalidEvent('event', e.entity_id, 'it holds no value to store')",
            "    t = e.time_ns",
            f"    if type(t) is not int or not {EARLIEST_NS} <= t <= {LATEST_NS}: t = time(t)",
            "    return f\"{prefix} {','.join(parts)} {t}\"",
        ]
        scope: dict[str, Any] = {
            "known": self._prefixes.get,
            "make_prefix": self._prefix,
            "slow": self._slow,
            "attributes": self._attributes,
            "time": self._time,
            "InvalidEvent": InvalidEvent,
            **{f"f{position}": field for position, field in enumerate(fields)},
            **{f"m{position}": Remembered(field) for position, field in enumerate(fields)},
        }
        exec("\n".join(source), scope)
        encode: Callable[[Event], str] = scope["encode"]
        return encode


def split_lines(body: bytes) -> list[bytes]:
    """The lines of encoded points. A line break inside a quoted string belongs to its line."""
    lines, pending = [], b""
    for piece in body.split(b"\n"):
        pending = pending + b"\n" + piece if pending else piece
        if pending and not _inside_string(pending):
            lines.append(pending)
            pending = b""
    if pending:
        lines.append(pending)
    return lines


def _inside_string(line: bytes) -> bool:
    start = 0
    while True:  # quotes before the first bare space belong to tags and mean nothing
        start = line.find(b" ", start)
        if start < 0:
            return False
        if line[start - 1 : start] != b"\\":
            break
        start += 1
    fields = line[start:]
    if b"\\" in fields:
        fields = fields.replace(b"\\\\", b"").replace(b'\\"', b"")
    return fields.count(b'"') % 2 == 1
