"""From Home Assistant's messages to events: times, states, meters, places, weather."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from event_schema.attributes import DEFAULT_ATTRIBUTES, attribute_kind
from event_schema.event import AttributeValue, Event, InvalidEvent

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ON_WORDS = frozenset({"on", "true"})
OFF_WORDS = frozenset({"off", "false"})

# Home Assistant's energy units. 1 cal = 4.184 J.
KWH_PER_UNIT: dict[str, float] = {
    "mWh": 1e-6,
    "Wh": 1e-3,
    "kWh": 1.0,
    "MWh": 1e3,
    "GWh": 1e6,
    "TWh": 1e9,
    "J": 1 / 3.6e6,
    "kJ": 1 / 3.6e3,
    "MJ": 1 / 3.6,
    "GJ": 1e3 / 3.6,
    "cal": 4.184 / 3.6e6,
    "kcal": 4.184 / 3.6e3,
    "Mcal": 4.184 / 3.6,
    "Gcal": 4.184e3 / 3.6,
}
CELSIUS = {"°C": lambda v: v, "C": lambda v: v, "°F": lambda v: (v - 32) / 1.8, "F": lambda v: (v - 32) / 1.8}
HPA_PER_UNIT = {"hPa": 1.0, "mbar": 1.0, "Pa": 0.01, "kPa": 10.0, "inHg": 33.86389, "mmHg": 1.3332239, "psi": 68.94757}

# A number's unit by its size: seconds until the year 5138, then milliseconds, microseconds, nanoseconds.
_NUMBER_UNITS = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000), (math.inf, 1))

_PARTS_OF_DAY = ("night",) * 6 + ("morning",) * 6 + ("afternoon",) * 6 + ("evening",) * 4 + ("night",) * 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where an entity is and where it comes from: what Home Assistant's messages do not say."""

    area: str | None = None
    device_name: str | None = None
    integration: str | None = None


@dataclass(slots=True)
class EnergyMeters:
    """The last reading of each rising meter in kWh, kept between events so that an outage loses no energy.

    A reading below 90 % of the last one is a new start of the meter (Home Assistant's own rule); a smaller dip
    is noise and counts as no use.
    """

    readings: dict[str, float] = field(default_factory=dict)

    def increase(self, entity_id: str, reading: float) -> float | None:
        """kWh used since the entity's last reading; None for its first."""
        last = self.readings.get(entity_id)
        if last is None:
            self.readings[entity_id] = reading
            return None
        if reading < 0.9 * last:
            self.readings[entity_id] = reading
            return max(reading, 0.0)
        if reading <= last:
            return 0.0
        self.readings[entity_id] = reading
        return reading - last


def normalized(state: object) -> float | None:
    """The state as a number: on and true 1, off and false 0, finite numbers themselves, anything else None."""
    if isinstance(state, bool):
        return 1.0 if state else 0.0
    if isinstance(state, str):
        word = state.strip().lower()
        if word in ON_WORDS:
            return 1.0
        if word in OFF_WORDS:
            return 0.0
        if "_" in word:  # Python reads 1_000 as a number; nobody else does
            return None
    elif not isinstance(state, int | float):
        return None
    try:
        number = float(state)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def to_time_ns(value: object, name: str = "timestamp") -> int:
    """Nanoseconds since 1970 in UTC of an ISO 8601 text, a datetime or a number; naive means UTC."""
    if isinstance(value, str):
        text = value.strip()
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            try:
                value = float(text) if not text.lstrip("-").isdigit() else int(text)
            except ValueError:
                raise InvalidEvent(name, text, "not an ISO 8601 time nor a number of seconds") from None
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        since: timedelta = moment - EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidEvent(name, value, "not an ISO 8601 time nor a number of seconds")
    factor = next(factor for bound, factor in _NUMBER_UNITS if abs(value) < bound)
    if isinstance(value, int):
        return value * factor
    # Microseconds are as much as a float of seconds holds.
    return round(value * factor / 1_000) * 1_000 if factor > 1 else int(value)


@lru_cache(maxsize=64)
def _zone_named(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):
        raise ValueError(f"time zone {name!r} is not known: use an IANA name such as Europe/Amsterdam") from None


def home_zone(zone: tzinfo | str | None = None) -> tzinfo:
    """The zone itself, by its IANA name, or from HOME_TIME_ZONE (default UTC). Raises ValueError."""
    if isinstance(zone, tzinfo):
        return zone
    return _zone_named(zone or os.environ.get("HOME_TIME_ZONE") or "UTC")


def time_of_day(time_ns: int, zone: tzinfo) -> str:
    """morning 6-12, afternoon 12-18, evening 18-22, night 22-6 by the home's clock."""
    return _PARTS_OF_DAY[(EPOCH + timedelta(seconds=time_ns // 1_000_000_000)).astimezone(zone).hour]


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidEvent(name, value, "an object with named values")
    return value


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise InvalidEvent(name, value, "a text or a number")
    return str(value) or None


def _number(name: str, value: object) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().lower() in ("unavailable", "unknown", "none"):
        return None
    number = None if isinstance(value, bool) else normalized(value)
    if number is None:
        raise InvalidEvent(name, value, "a finite number")
    return number


def _states(message: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    """(the new state, the old one, what stands around them) of either shape of message."""
    envelope = message
    for _ in range(3):
        if "new_state" in envelope:
            break
        inner = envelope.get("event", envelope.get("data"))
        if not isinstance(inner, Mapping):
            return message, {}, message
        envelope = inner
    new = envelope.get("new_state")
    if new is None:
        raise InvalidEvent("new_state", None, "the entity was removed: there is no state to store")
    fired = message.get("time_fired") or _mapping("event", message.get("event")).get("time_fired")
    around = {**envelope, "fired": fired}
    return _mapping("new_state", new), _mapping("old_state", envelope.get("old_state")), around


def _entity_id(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidEvent("entity_id", value, "every event names its entity, such as sensor.kitchen_temperature")
    domain, dot, name = value.strip().partition(".")
    if not dot or not domain or not name:
        raise InvalidEvent("entity_id", value, "a domain, a dot and a name, such as sensor.kitchen_temperature")
    return value.strip()


def _kept_attributes(
    entity_id: str, given: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]]
) -> dict[str, AttributeValue] | None:
    names = wanted.get(entity_id)
    if names is None:
        names = wanted.get(entity_id.partition(".")[0], ())
    kept: dict[str, AttributeValue] = {}
    for name in names:
        value = given.get(name)
        if value is None or value == "":
            continue
        kind = attribute_kind(name)
        if kind == "float":
            number = normalized(value)
            if number is not None:
                kept[name] = number
        elif kind == "boolean":
            number = normalized(value)
            if number is not None:
                kept[name] = bool(number)
        elif kind == "integer":
            number = normalized(value)
            if number is not None:
                kept[name] = round(number)
        else:
            kept[name] = str(value)
    return kept or None


def _energy(
    entity_id: str, state: object, old: Mapping[str, Any], given: Mapping[str, Any], meters: EnergyMeters | None
) -> float | None:
    factor = KWH_PER_UNIT.get(str(given.get("unit_of_measurement")))
    reading = None if isinstance(state, bool) else normalized(state)
    if factor is None or reading is None or given.get("state_class") != "total_increasing":
        return None
    known = EnergyMeters() if meters is None else meters
    before = normalized(old.get("state"))
    if before is not None and entity_id not in known.readings:
        unit = str(_mapping("old_state.attributes", old.get("attributes")).get("unit_of_measurement"))
        known.readings[entity_id] = before * KWH_PER_UNIT.get(unit, factor)
    return known.increase(entity_id, reading * factor)


def _weather(given: Mapping[str, Any]) -> dict[str, Any]:
    temp = _number("weather.temperature", given.get("temperature"))
    pressure = _number("weather.pressure", given.get("pressure"))
    temp_unit = given.get("temperature_unit", "°C")
    pressure_unit = given.get("pressure_unit", "hPa")
    if temp is not None and temp_unit not in CELSIUS:
        raise InvalidEvent("weather.temperature_unit", temp_unit, f"one of {', '.join(CELSIUS)}")
    if pressure is not None and pressure_unit not in HPA_PER_UNIT:
        raise InvalidEvent("weather.pressure_unit", pressure_unit, f"one of {', '.join(HPA_PER_UNIT)}")
    return {
        "weather_temp": None if temp is None else CELSIUS[temp_unit](temp),
        "weather_humidity": _number("weather.humidity", given.get("humidity")),
        "weather_pressure": None if pressure is None else pressure * HPA_PER_UNIT[pressure_unit],
        "weather_condition": _text("weather.condition", given.get("condition")),
    }


def _duration(new: Mapping[str, Any], old: Mapping[str, Any]) -> int | None:
    """Seconds that the old state lasted: from its last_changed to the new state's."""
    if "duration_seconds" in new:
        seconds = _number("duration_seconds", new["duration_seconds"])
        return None if seconds is None else round(seconds)
    if old.get("last_changed") is None or new.get("last_changed") is None:
        return None
    span = to_time_ns(new["last_changed"], "last_changed") - to_time_ns(old["last_changed"], "old last_changed")
    return span // 1_000_000_000 if span >= 0 else None


def convert(
    message: Mapping[str, Any],
    *,
    registry: Mapping[str, Placement | Mapping[str, Any]] | None,
    zone: tzinfo | str | None,
    meters: EnergyMeters | None,
    weather: Mapping[str, Any] | None,
    attributes: Mapping[str, tuple[str, ...]] | None,
) -> Event:
    """See `Event.from_home_assistant`."""
    if not isinstance(message, Mapping):
        raise InvalidEvent("message", message, "an object with named values")
    new, old, around = _states(message)
    entity_id = _entity_id(new.get("entity_id", around.get("entity_id")))
    given = _mapping("attributes", new.get("attributes"))
    stamp = new.get("timestamp", new.get("last_updated"))
    if stamp is None:
        stamp = new.get("last_changed", around.get("fired"))
    if stamp is None:
        raise InvalidEvent("timestamp", None, "every event says when it happened (timestamp or last_updated)")
    time_ns = to_time_ns(stamp)
    state = new.get("state")
    text = _text("state", state)
    place = (registry or {}).get(entity_id) or {}
    if isinstance(place, Placement):
        place = {"area": place.area, "device_name": place.device_name, "integration": place.integration}
    number = normalized(state)
    event = Event(
        time_ns=time_ns,
        entity_id=entity_id,
        device_class=_text("device_class", given.get("device_class")),
        area=_text("area", new.get("area", place.get("area"))),
        device_name=_text("device_name", new.get("device_name", place.get("device_name", given.get("friendly_name")))),
        integration=_text("integration", new.get("integration", place.get("integration"))),
        time_of_day=time_of_day(time_ns, home_zone(zone)),
        state_value=text,
        previous_state=_text("previous_state", new.get("previous_state", old.get("state"))),
        normalized_value=number,
        confidence=_number("confidence", new.get("confidence")),
        duration_seconds=_duration(new, old),
        energy_consumption=_energy(entity_id, state, old, given, meters),
        unit_of_measurement=_text("unit_of_measurement", given.get("unit_of_measurement")),
        attributes=_kept_attributes(entity_id, given, DEFAULT_ATTRIBUTES if attributes is None else attributes),
        **_weather(_mapping("weather", new.get("weather", around.get("weather")) or weather)),
    )
    if event.device_name is None:
        event.device_name = _text("friendly_name", given.get("friendly_name"))
    return event
