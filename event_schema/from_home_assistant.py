"""Home Assistant's messages as events.

Two shapes are taken: the `state_changed` message of the event bus and the websocket
(`{"event_type", "data": {"entity_id", "old_state", "new_state"}, "time_fired"}`, also inside `{"event": ...}`),
and the flat shape `{"entity_id", "state", "attributes", "timestamp", "weather": {...}}`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from event_schema.event import AttributeValue, Event, InvalidEvent, normalize

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Domains that keep their numbers in attributes: a thermostat's state is `cool`, its temperature an attribute.
DEFAULT_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "climate": ("current_temperature", "temperature", "current_humidity", "humidity"),
    "cover": ("current_position", "current_tilt_position"),
    "fan": ("percentage",),
    "humidifier": ("humidity", "current_humidity"),
    "light": ("brightness", "color_temp_kelvin"),
    "media_player": ("volume_level",),
    "sun": ("elevation", "azimuth"),
    "vacuum": ("battery_level",),
    "water_heater": ("current_temperature", "temperature"),
    "weather": ("temperature", "humidity", "pressure", "wind_speed"),
}

KWH_PER: Mapping[str, float] = {
    "Wh": 1e-3,
    "kWh": 1.0,
    "MWh": 1e3,
    "GWh": 1e6,
    "J": 1 / 3.6e6,
    "kJ": 1 / 3.6e3,
    "MJ": 1 / 3.6,
    "GJ": 1e3 / 3.6,
    "cal": 4.184 / 3.6e6,
    "kcal": 4.184 / 3.6e3,
    "Mcal": 4.184 / 3.6,
    "Gcal": 4.184e3 / 3.6,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What Home Assistant's registries know of an entity and its messages don't."""

    area: str = ""
    device_name: str = ""
    integration: str = ""


@dataclass(slots=True)
class EnergyMeters:
    """The last reading of each meter, in kWh: what makes an increase of a reading that only rises.

    A reading below the last one means the meter was reset: the increase is then the new reading itself.
    """

    last: dict[str, float] = field(default_factory=dict)

    def increase(self, entity_id: str, reading: float) -> float | None:
        """kWh since the last reading; None for the first one, which has nothing before it."""
        before = self.last.get(entity_id)
        self.last[entity_id] = reading
        if before is None:
            return None
        return reading - before if reading >= before else max(reading, 0.0)


def time_ns_of(value: object, name: str = "timestamp") -> int:
    """Nanoseconds since 1970 UTC of an ISO 8601 text, a datetime (naive is UTC) or seconds as a number."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise InvalidEvent(name, value, "has to be an ISO 8601 time such as 2026-01-31T12:00:00+00:00") from None
    if isinstance(value, datetime):
        moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MICROSECOND * 1000
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 1_000_000_000
    if isinstance(value, float) and math.isfinite(value):
        return round(value * 1e6) * 1000
    raise InvalidEvent(name, value, "has to be an ISO 8601 time or seconds since 1970")


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time zone {name!r} is not known; use an IANA name such as Europe/Amsterdam") from None


def time_of_day(time_ns: int, time_zone: str = "UTC") -> str:
    """night until 6, morning until 12, afternoon until 18, evening until 22, then night, in the home's time zone."""
    moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    hour = moment.astimezone(_zone(time_zone)).hour
    if hour < 6 or hour >= 22:
        return "night"
    if hour < 12:
        return "morning"
    return "afternoon" if hour < 18 else "evening"


def _mapping(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = message.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidEvent(name, value, "has to be a mapping")
    return value


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _tag(value: object) -> str:
    """A name as people give it, without what line protocol can't hold."""
    return " ".join(_text(value).split()).rstrip("\\")


def _number(weather: Mapping[str, Any], name: str) -> float | None:
    value = weather.get(name)
    if value is None or value in ("", "unknown", "unavailable"):
        return None
    number = normalize(value)
    if number is None:
        raise InvalidEvent(f"weather.{name}", value, "has to be a number")
    return number


def _attributes(
    entity_id: str, given: Mapping[str, Any], chosen: Mapping[str, tuple[str, ...]]
) -> dict[str, AttributeValue]:
    names = chosen.get(entity_id)
    if names is None:
        names = chosen.get(entity_id.partition(".")[0], ())
    stored: dict[str, AttributeValue] = {}
    for name in names:
        value = given.get(name)
        if isinstance(value, bool):
            stored[name] = value
        elif isinstance(value, int | float):
            # Always a float: a thermostat that reports 21 and then 21.5 would be a conflict of field types.
            if math.isfinite(value):
                stored[name] = float(value)
        elif isinstance(value, str) and value != "":
            stored[name] = value
    return stored


def event_from(
    message: Mapping[str, Any],
    *,
    registry: Mapping[str, Place] | None = None,
    attributes: Mapping[str, tuple[str, ...]] | None = None,
    meters: EnergyMeters | None = None,
    time_zone: str = "UTC",
) -> Event:
    """The event of one message.

    `registry` gives area, device and integration by entity; `attributes` names those to keep, by domain or
    entity (default DEFAULT_ATTRIBUTES); `meters` remembers readings between calls, and without it no energy is
    derived. Raises InvalidEvent.
    """
    if not isinstance(message, Mapping):
        raise InvalidEvent("message", message, "has to be a mapping")
    if isinstance(message.get("event"), Mapping):
        message = message["event"]
    if isinstance(message.get("data"), Mapping):
        body = message["data"]
        state = body.get("new_state")
        if state is None:
            raise InvalidEvent("new_state", None, "the entity was removed: there is no state to store")
        if not isinstance(state, Mapping):
            raise InvalidEvent("new_state", state, "has to be a mapping")
        old = _mapping(body, "old_state")
        entity_id = state.get("entity_id") or body.get("entity_id")
        moment = state.get("last_updated") or message.get("time_fired")
    else:
        state, old = message, {}
        entity_id = message.get("entity_id")
        moment = message.get("timestamp")
    if not isinstance(entity_id, str) or not entity_id:
        raise InvalidEvent("entity_id", entity_id, "is required, like sensor.kitchen_temperature")
    if moment is None:
        raise InvalidEvent("timestamp", moment, "is required")
    time_ns = time_ns_of(moment)
    given = _mapping(state, "attributes")
    weather = _mapping(message, "weather")
    place = (registry or {}).get(entity_id, Place())
    value = state.get("state")
    number = normalize(value)
    shown = str(value).lower() if isinstance(value, bool) else _text(value)
    unit = _text(given.get("unit_of_measurement"))
    duration = message.get("duration_seconds")
    if duration is None and old.get("last_changed"):
        duration = max((time_ns - time_ns_of(old["last_changed"], "old_state.last_changed")) // 1_000_000_000, 0)
    energy = message.get("energy_consumption")
    is_meter = given.get("state_class") == "total_increasing" and unit in KWH_PER
    if energy is None and is_meter and number is not None and meters is not None:
        energy = meters.increase(entity_id, number * KWH_PER[unit])
    return Event(
        time_ns=time_ns,
        entity_id=entity_id,
        device_class=_tag(given.get("device_class")),
        area=_tag(place.area or message.get("area")),
        device_name=_tag(place.device_name or message.get("device_name") or given.get("friendly_name")),
        integration=_tag(place.integration or message.get("integration")),
        weather_condition=_tag(weather.get("condition")),
        time_of_day=time_of_day(time_ns, time_zone),
        state_value=shown or None,
        previous_state=_text(old.get("state") or message.get("previous_state")) or None,
        normalized_value=number,
        confidence=message.get("confidence"),
        duration_seconds=duration,
        energy_consumption=energy,
        weather_temp=_number(weather, "temperature"),
        weather_humidity=_number(weather, "humidity"),
        weather_pressure=_number(weather, "pressure"),
        unit_of_measurement=unit or None,
        attributes=_attributes(entity_id, given, DEFAULT_ATTRIBUTES if attributes is None else attributes),
    )
