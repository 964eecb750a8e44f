"""Events as line protocol, by a function generated once from the declaration.

The quick way looks texts up: a tag set's `measurement,tag=value,...` and a field's `name=value` are remembered
(bounded), because a home's values repeat. Whatever it does not know how to do - wrong, out of range, odd - goes the
careful way, which asks the rules.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

from event_schema import Event, Field, InvalidEvent, Measurement, attribute_kind
from writer.line_protocol import (
    EARLIEST_NS,
    LARGEST_INTEGER,
    LATEST_NS,
    LONGEST_KEY,
    SMALLEST_INTEGER,
    field_text,
    tag_text,
    time_ns,
)

try:
    from writer._quick import Quick
except ImportError:  # not built: see hatch_build.py
    Quick = None  # type: ignore[assignment,misc]

EncodeMany = Callable[[list[Event], int, int, int, int, int], tuple[bytes, int, Exception | None]]

REMEMBERED_PREFIXES = 20_000
REMEMBERED_VALUES = 10_000
LONGEST_REMEMBERED = 64
LOWEST_FLOAT, HIGHEST_FLOAT = -sys.float_info.max, sys.float_info.max

# As the compiled way numbers them.
KINDS = ("float", "integer", "string", "boolean")
# The exact type: 1, 1.0 and True are one key of a dict.
_QUICK_TYPES = {
    "float": "type(v) is float or type(v) is int",
    "integer": "type(v) is int",
    "string": "type(v) is str",
    "boolean": "type(v) is bool",
}


class Rules(Protocol):
    """What decides about values that could be stored but are probably wrong, and about those that cannot."""

    def usual(self, event: Event) -> bool:
        """False for an event whose tags and watched field want another look each time."""

    def mended(self, event: Event) -> Event:
        """What to store of an unusual event. May raise InvalidEvent."""

    def out_of_range(self, event: Event, field: Field, value: float) -> float | None:
        """The value to store, or None to leave it out. May raise InvalidEvent."""

    def unfit(self, event: Event, error: InvalidEvent) -> None:
        """Returns to leave out a value that cannot be stored; raises to refuse the event."""


class Strict:
    """Refuses everything that is outside the declaration."""

    def usual(self, event: Event) -> bool:
        return True

    def mended(self, event: Event) -> Event:
        return event

    def out_of_range(self, event: Event, field: Field, value: float) -> float | None:
        raise range_error(field, value)

    def unfit(self, event: Event, error: InvalidEvent) -> None:
        raise error


def range_error(field: Field, value: float) -> InvalidEvent:
    low = "any" if field.minimum is None else f"{field.minimum:g}"
    high = "any" if field.maximum is None else f"{field.maximum:g}"
    return InvalidEvent(field.name, value, f"outside its range, {low} to {high} {field.unit}".rstrip())


class WantsCareError(Exception):
    """The quick way gives up on this event."""


def _wants_care() -> NoReturn:
    raise WantsCareError


def _nothing_to_store(event: Event) -> NoReturn:
    raise InvalidEvent("event", event.entity_id, "it holds no value to store")


class Remembered(dict[Any, bytes]):
    """`,name=text` by value, of one field. Raises WantsCareError for a value that is wrong or out of range."""

    __slots__ = ("_field", "_high", "_lead", "_low", "minus_zero", "zero")

    def __init__(self, field: Field, lead: str) -> None:
        super().__init__()
        self._field, self._lead = field, lead
        numeric = field.kind in ("float", "integer")
        lowest, highest = (SMALLEST_INTEGER, LARGEST_INTEGER) if field.kind == "integer" else (-math.inf, math.inf)
        self._low = lowest if field.minimum is None else field.minimum
        self._high = highest if field.maximum is None else field.maximum
        self.zero, self.minus_zero = (self._text(0.0), self._text(-0.0)) if numeric else (b"", b"")

    def _text(self, value: object) -> bytes:
        text = field_text(self._field.name, self._field.kind, value)
        return f"{self._lead}{text}".encode() if text else b""

    def __missing__(self, value: Any) -> bytes:
        field = self._field
        if field.kind == "float":
            if not self._low <= value <= self._high or not LOWEST_FLOAT <= value <= HIGHEST_FLOAT:
                raise WantsCareError
            if value == 0.0:  # 0.0 and -0.0 are one key of a dict, and two values
                return self.minus_zero if math.copysign(1.0, value) < 0 else self.zero
            found = f"{self._lead}{field.name}={float(value)!r}".encode()
        elif field.kind == "integer":
            if not self._low <= value <= self._high:
                raise WantsCareError
            found = f"{self._lead}{field.name}={value}i".encode()
        elif field.kind == "string" and len(value) > LONGEST_REMEMBERED:
            raise WantsCareError
        else:
            try:
                found = self._text(value)
            except InvalidEvent:
                raise WantsCareError from None
        if len(self) >= REMEMBERED_VALUES:
            self.clear()
        self[value] = found
        return found


class RememberedTags(dict[Any, str]):
    """`name=text` by value, of one tag. Raises WantsCareError for a value that is wrong."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __missing__(self, value: Any) -> str:
        try:
            found = f"{self._name}={tag_text(self._name, value)}"
        except InvalidEvent:
            raise WantsCareError from None
        if len(found) <= LONGEST_REMEMBERED:
            if len(self) >= REMEMBERED_VALUES:
                self.clear()
            self[value] = found
        return found


class Encoder:
    """`encode(event)` -> one line with its line break. Not for use by several threads at once.

    Tags are written in the order of their names, which spares the server the sorting.
    `watched` names a field that belongs to what `rules.usual` looks at. `compiled` False is for comparisons.
    """

    encode: Callable[[Event], bytes]
    # (events, start, stop, most_bytes, earliest, latest) -> (lines, where it stopped, why): see _quick.c, if compiled.
    encode_many: EncodeMany | None = None

    def __init__(
        self, measurement: Measurement, rules: Rules | None = None, *, watched: str = "", compiled: bool = True
    ) -> None:
        self._measurement = measurement
        self._rules = rules or Strict()
        self._watched = watched
        self._tags = tuple(sorted(measurement.tag_names))
        self._prefixes: dict[tuple[Any, ...], bytes] = {}
        self._tag_texts = [RememberedTags(name) for name in self._tags]
        self._longest_field = max(len(name) for name in measurement.field_names)
        self.encode = self._generated()
        if Quick is not None and compiled and {*self._key, *measurement.field_names} <= set(Event.__slots__):
            quick = self._compiled(otherwise=self.encode)
            self.encode, self.encode_many = quick.encode, quick.encode_many

    def _prefix(self, event: Event) -> bytes:
        """`measurement,tag=value,... `, without what the rules leave out."""
        parts = []
        for name in self._tags:
            value = getattr(event, name)
            if value is None or value == "":
                if name == "entity_id":
                    raise InvalidEvent(name, value, "every event names its entity")
                continue
            try:
                parts.append(f"{name}={tag_text(name, value)}")
            except InvalidEvent as error:
                if name == "entity_id":
                    raise
                self._rules.unfit(event, error)
        return self._joined(parts)

    def _joined(self, tags: list[str]) -> bytes:
        prefix = (",".join([self._measurement.name, *tags]) + " ").encode()
        if len(prefix) + 3 + self._longest_field > LONGEST_KEY:
            raise InvalidEvent(
                "tags",
                prefix[:60].decode(errors="replace"),
                f"measurement, tags and field name take at most {LONGEST_KEY} bytes",
            )
        return prefix

    def _new_prefix(self, key: tuple[Any, ...], event: Event) -> bytes:
        parts = [texts[value] for texts, value in zip(self._tag_texts, key, strict=False) if value not in (None, "")]
        if not event.entity_id or not self._rules.usual(event):
            raise WantsCareError
        prefix = self._joined(parts)
        if len(self._prefixes) >= REMEMBERED_PREFIXES:
            self._prefixes.clear()
        self._prefixes[key] = prefix
        return prefix

    def _careful(self, event: Event) -> bytes:
        event = self._rules.mended(event)
        prefix, parts = self._prefix(event), []
        for field in self._measurement.fields:
            value = getattr(event, field.name)
            if value is None:
                continue
            try:
                text = field_text(field.name, field.kind, value)
            except InvalidEvent as error:
                self._rules.unfit(event, error)
                continue
            if text := self._within_range(event, field, value, text):
                parts.append(text)
        fields = ",".join(parts).encode() + self._attributes(event)
        if not fields:
            _nothing_to_store(event)
        return b"%b%b %d\n" % (prefix, fields.removeprefix(b","), time_ns(event.time_ns))

    def _within_range(self, event: Event, field: Field, value: Any, text: str) -> str:
        low, high = field.minimum, field.maximum
        if (low is None or value >= low) and (high is None or value <= high):
            return text
        kept = self._rules.out_of_range(event, field, value)
        return "" if kept is None else field_text(field.name, field.kind, kept)

    def _quick_attributes(self, event: Event) -> bytes:
        """For the quick ways: what a rule has to say is said once, by the careful one."""
        return self._attributes(event, lambda *_: _wants_care())

    def _attributes(self, event: Event, unfit: Callable[[Event, InvalidEvent], object] | None = None) -> bytes:
        """`,attribute_name=value` for each; an attribute that is empty is left out."""
        unfit = unfit or self._rules.unfit
        attributes = event.attributes
        if attributes is None:
            return b""
        if not isinstance(attributes, Mapping):
            unfit(event, InvalidEvent("attributes", attributes, "an object with named values"))
            return b""
        parts = []
        for name, value in attributes.items():
            if value is None or value == "":
                continue
            try:
                if not isinstance(name, str) or not name.isascii() or not name.replace("_", "a").isalnum():
                    raise InvalidEvent("attributes", name, "an attribute's name is letters, digits and underscores")
                parts.append("," + field_text(f"attribute_{name}", attribute_kind(name), value))
            except InvalidEvent as error:
                unfit(event, error)
        return "".join(parts).encode()

    @property
    def _key(self) -> tuple[str, ...]:
        return (*self._tags, self._watched) if self._watched else self._tags

    def _compiled(self, *, otherwise: Callable[[Event], bytes]) -> Quick:
        fields = tuple(
            (
                field.name,
                KINDS.index(field.kind),
                -math.inf if field.minimum is None else field.minimum,
                math.inf if field.maximum is None else field.maximum,
                f",{field.name}=".encode(),
            )
            for field in self._measurement.fields
        )
        return Quick(
            Event,
            self._key,
            fields,
            self._prefixes,
            self._new_prefix,
            self._quick_attributes,
            otherwise,
            WantsCareError,
            EARLIEST_NS,
            LATEST_NS,
        )

    def _generated(self) -> Callable[[Event], bytes]:
        fields = self._measurement.fields
        source = [
            "def encode(e):",
            "    try:",
            f"        key = ({''.join(f'e.{name}, ' for name in self._key)})",
            "        prefix = known(key)",
            "        if prefix is None: prefix = new_prefix(key, e)",
        ]
        for position, field in enumerate(fields):
            known = f"m{position}[v] if {_QUICK_TYPES[field.kind]}"
            source += [
                f"        v = e.{field.name}",
                f"        a{position} = {known} else b'' if v is None else wants_care()",
            ]
        rest = "".join(f", a{position}" for position in range(1, len(fields)))
        source += [
            "        t = e.time_ns",
            f"        if type(t) is not int or not {EARLIEST_NS} <= t <= {LATEST_NS}: wants_care()",
            "        if e.attributes is None and a0:",
            f"            return join((prefix, a0{rest}, b' %d\\n' % t))",
            f"        fields = join((b',' + a0 if a0 else b''{rest}, attributes(e)))",
            "        if not fields: nothing(e)",
            "        return b'%b%b %d\\n' % (prefix, fields[1:], t)",
            "    except (WantsCareError, TypeError): pass",
            "    return careful(e)",
        ]
        scope: dict[str, Any] = {
            "known": self._prefixes.get,
            "new_prefix": self._new_prefix,
            "careful": self._careful,
            "nothing": _nothing_to_store,
            "attributes": self._quick_attributes,
            "wants_care": _wants_care,
            "WantsCareError": WantsCareError,
            "join": b"".join,
            **{f"m{position}": Remembered(field, "," if position else "") for position, field in enumerate(fields)},
        }
        exec("\n".join(source), scope)
        encode: Callable[[Event], bytes] = scope["encode"]
        return encode
