"""One event: a point of `HOME_ASSISTANT_EVENTS`, checked when it is made."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from event_schema.home_assistant import HOME_ASSISTANT_EVENTS

if TYPE_CHECKING:
    from event_schema.from_home_assistant import EnergyMeters, Place

AttributeValue = float | int | str | bool

# int64 without the three values that the server keeps for itself.
SMALLEST_TIME_NS: Final = -(2**63) + 2
LARGEST_TIME_NS: Final = 2**63 - 2
SMALLEST_INTEGER: Final = -(2**63)
LARGEST_INTEGER: Final = 2**63 - 1
LONGEST_STRING_FIELD: Final = 1_048_576
# Escaped measurement + tags + 4 + field key: 65,535 bytes on the server; a tag may use what is surely free.
LONGEST_TAG: Final = 4_096

_ENTITY_ID = re.compile(r"[^.\s]+\.[^.\s]+\Z")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_TAGS = HOME_ASSISTANT_EVENTS.tag_names
_FIELDS = tuple((one.name, one.kind, one.minimum, one.maximum) for one in HOME_ASSISTANT_EVENTS.fields)


class InvalidEvent(ValueError):
    """An event that can't be stored. Names the field, its value and the rule.

    Attributes: `field` (name), `value` (as given), `rule` (what would be right).
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        shown = repr(value)
        super().__init__(f"{field} is {shown if len(shown) <= 120 else shown[:117] + '...'}: {rule}")
        self.field = field
        self.value = value
        self.rule = rule


def normalize(state: object) -> float | None:
    """A state as a number: on/true -> 1.0, off/false -> 0.0 in any case, numbers and numeric strings -> float.

    None for anything else: `unavailable`, `unknown`, other text, NaN and infinities.
    """
    if isinstance(state, bool):
        return 1.0 if state else 0.0
    if isinstance(state, str):
        text = state.strip().lower()
        if text in ("on", "true"):
            return 1.0
        if text in ("off", "false"):
            return 0.0
        # Python reads "1_000" as a number; no sensor means that.
        if "_" in text:
            return None
        try:
            number = float(text)
        except ValueError:
            return None
    elif isinstance(state, int | float):
        try:
            number = float(state)
        except OverflowError:
            return None
    else:
        return None
    return number if math.isfinite(number) else None


def check_tag(name: str, value: object) -> None:
    """Raise InvalidEvent for a tag value that line protocol can't hold."""
    if not isinstance(value, str):
        raise InvalidEvent(name, value, "a tag has to be text")
    if "\n" in value or "\r" in value or "\x00" in value:
        raise InvalidEvent(name, value, "a tag can't hold a line break or a NUL")
    if value.endswith("\\"):
        raise InvalidEvent(name, value, "a tag can't end with a backslash: line protocol has no way to write it")
    if len(value) > LONGEST_TAG:
        raise InvalidEvent(name, value, f"a tag can't be longer than {LONGEST_TAG} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidEvent(name, value, "a tag has to be valid Unicode (no lone surrogates)") from None


def check_string(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidEvent(name, value, "has to be text")
    if "\x00" in value:
        raise InvalidEvent(name, value, "text can't hold a NUL")
    try:
        size = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError:
        raise InvalidEvent(name, value, "has to be valid Unicode (no lone surrogates)") from None
    if size > LONGEST_STRING_FIELD:
        raise InvalidEvent(name, value, f"text can't be longer than {LONGEST_STRING_FIELD} bytes")


def check_number(name: str, value: object, minimum: float | None = None, maximum: float | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidEvent(name, value, "has to be a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise InvalidEvent(name, value, "has to be a finite number: NaN and infinities can't be stored")
    if minimum is not None and value < minimum:
        raise InvalidEvent(name, value, f"has to be at least {minimum:g}")
    if maximum is not None and value > maximum:
        raise InvalidEvent(name, value, f"has to be at most {maximum:g}")


def check_integer(name: str, value: object, minimum: float | None = None, maximum: float | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidEvent(name, value, "has to be a whole number")
    if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        raise InvalidEvent(name, value, "has to fit 64 bits")
    if minimum is not None and value < minimum:
        raise InvalidEvent(name, value, f"has to be at least {minimum:g}")
    if maximum is not None and value > maximum:
        raise InvalidEvent(name, value, f"has to be at most {maximum:g}")


@dataclass(slots=True, kw_only=True)
class Event:
    """One event of one entity.

    `time_ns` is nanoseconds since 1970 in UTC. Tags left empty and fields left None (or empty text) are not
    stored; `domain` follows from `entity_id`. `attributes` become fields `attribute_<name>`.
    Raises InvalidEvent for whatever the database could not hold.
    """

    time_ns: int
    entity_id: str
    domain: str = ""
    device_class: str = ""
    area: str = ""
    device_name: str = ""
    integration: str = ""
    weather_condition: str = ""
    time_of_day: str = ""
    state_value: str | None = None
    previous_state: str | None = None
    normalized_value: float | None = None
    confidence: float | None = None
    duration_seconds: int | None = None
    energy_consumption: float | None = None
    weather_temp: float | None = None
    weather_humidity: float | None = None
    weather_pressure: float | None = None
    unit_of_measurement: str | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise InvalidEvent if the event can't be stored; done when it is made, and again before the write."""
        if not isinstance(self.entity_id, str) or _ENTITY_ID.match(self.entity_id) is None:
            raise InvalidEvent("entity_id", self.entity_id, "has to be like sensor.kitchen_temperature")
        if not self.domain:
            self.domain = self.entity_id.partition(".")[0]
        if isinstance(self.time_ns, bool) or not isinstance(self.time_ns, int):
            raise InvalidEvent("time_ns", self.time_ns, "has to be whole nanoseconds since 1970")
        if not SMALLEST_TIME_NS <= self.time_ns <= LARGEST_TIME_NS:
            raise InvalidEvent("time_ns", self.time_ns, "has to fit InfluxDB's 64 bits of nanoseconds (1677 to 2262)")
        for name in _TAGS:
            value = getattr(self, name)
            if value is None:
                setattr(self, name, "")
            elif value != "":
                check_tag(name, value)
        stored = False
        for name, kind, minimum, maximum in _FIELDS:
            value = getattr(self, name)
            if value is None:
                continue
            if kind == "string":
                check_string(name, value)
                stored = stored or value != ""
            elif kind == "float":
                check_number(name, value, minimum, maximum)
                stored = True
            else:
                check_integer(name, value, minimum, maximum)
                stored = True
        for name, value in self.attributes.items():
            self._check_attribute(name, value)
            stored = True
        if not stored:
            raise InvalidEvent("state_value", self.state_value, "an event needs at least one field that is not empty")

    def _check_attribute(self, name: str, value: object) -> None:
        shown = f"attribute_{name}"
        if not isinstance(name, str) or _ATTRIBUTE.match(name) is None:
            raise InvalidEvent(shown, value, "an attribute's name is letters, digits and underscores, a letter first")
        if isinstance(value, bool):
            return
        if isinstance(value, str):
            check_string(shown, value)
            if value == "":
                raise InvalidEvent(shown, value, "an empty text can't be stored: leave the attribute out")
        elif isinstance(value, int):
            check_integer(shown, value)
        else:
            check_number(shown, value)

    @classmethod
    def from_home_assistant(
        cls,
        message: Mapping[str, Any],
        *,
        registry: Mapping[str, Place] | None = None,
        attributes: Mapping[str, tuple[str, ...]] | None = None,
        meters: EnergyMeters | None = None,
        time_zone: str = "UTC",
    ) -> Event:
        """The event of a `state_changed` message or of the flat shape; see `event_schema.from_home_assistant`."""
        from event_schema.from_home_assistant import event_from

        return event_from(message, registry=registry, attributes=attributes, meters=meters, time_zone=time_zone)
