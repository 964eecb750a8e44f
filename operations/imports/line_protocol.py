"""Line protocol as `influx_inspect export` writes it, read back: one value a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

# As far as 64 bits of nanoseconds go; InfluxDB keeps the last few for itself.
LATEST_NS = 2**63 - 2

_BARE_SPACE = re.compile(rb"(?<!\\) ")
_BARE_COMMA = re.compile(r"(?<!\\),")
_BARE_EQUALS = re.compile(r"(?<!\\)=")
_ESCAPED_KEY = re.compile(r"\\([,= ])")
_ESCAPED_STRING = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Prefix:
    """`series field=` of a line. `series` is the bytes before the space: measurement and tags as they stand there."""

    series: bytes
    measurement: str
    tags: dict[str, str]
    field: str


def read_prefix(prefix: bytes) -> Prefix:
    """The series and the field of `measurement,tag=value field=`."""
    found = _BARE_SPACE.search(prefix)
    at = found.start() if found else 0
    series, name = prefix[:at], prefix[at + 1 :].removesuffix(b"=")
    text = series.decode(errors="replace")
    measurement, *parts = _BARE_COMMA.split(text)
    tags = {}
    for part in parts:
        pair = _BARE_EQUALS.split(part, maxsplit=1)
        if len(pair) == 2:
            tags[_plain(pair[0])] = _plain(pair[1])
    return Prefix(series, _plain(measurement), tags, _plain(name.decode(errors="replace")))


def _plain(text: str) -> str:
    return _ESCAPED_KEY.sub(r"\1", text)


def read_value(text: bytes) -> Any:
    """A float, an integer, a boolean or a string; None for what is none of them."""
    if text.startswith(b'"'):
        return _ESCAPED_STRING.sub(r"\1", text[1:-1].decode(errors="replace"))
    if text in (b"true", b"false"):
        return text == b"true"
    try:
        return int(text[:-1]) if text.endswith(b"i") else float(text)
    except ValueError:
        return None


def prefix_of(line: bytes) -> bytes:
    """`series field=` of a line; empty where it is none."""
    split = line.find(b'="')
    while split > 0 and line[split - 1 : split] == b"\\":
        split = line.find(b'="', split + 1)
    if split < 0:
        split = line[: line.rfind(b" ")].rfind(b"=")
    return line[: split + 1]


def is_whole(line: bytes, length: int, at: int) -> bool:
    """Whether a line whose value begins at `length` with a quote ends after that text, at the space `at`."""
    return line[at + 1 :].lstrip(b"-").isdigit() and whole_text(line[length:at])


def whole_text(value: bytes) -> bool:
    """Whether a value that begins with a quote ends with one that is not part of the text: an odd number of
    backslashes before it would make it one."""
    inner = value[1:-1]
    return len(value) > 1 and value.endswith(b'"') and (len(inner) - len(inner.rstrip(b"\\"))) % 2 == 0


def plain_name(text: bytes) -> str:
    """A name of InfluxQL, which stands in quotes where it has to."""
    name = text.decode(errors="replace")
    return re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else name
