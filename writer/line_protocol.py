"""The texts of line protocol: tags, fields, and where one line ends. Refuses what it cannot represent."""

from __future__ import annotations

from event_schema import InvalidEvent

LONGEST_KEY = 65_535
LONGEST_STRING = 1_048_576
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
EARLIEST_NS, LATEST_NS = -(2**63) + 2, 2**63 - 2

_KIND_WORDS = {"float": "a finite number", "integer": "a whole number", "string": "a text", "boolean": "true or false"}


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
    return value.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


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
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


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


def field_text(name: str, kind: str, value: object) -> str:
    """`name=value`, "" for an empty text. Raises InvalidEvent."""
    text = string_text(name, value) if kind == "string" else number_text(name, kind, value)
    return f"{name}={text}" if text else ""


def time_ns(value: object) -> int:
    """A point's time. Raises InvalidEvent."""
    if type(value) is not int:
        raise InvalidEvent("time_ns", value, "whole nanoseconds since 1970 in UTC")
    if not EARLIEST_NS <= value <= LATEST_NS:
        raise InvalidEvent("time_ns", value, "a time between the years 1677 and 2262")
    return value


def split_lines(body: bytes) -> list[bytes]:
    """The lines of encoded points, without their line breaks. One inside a quoted string belongs to its line."""
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
