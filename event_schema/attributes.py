"""Which of an entity's attributes are stored, and as what kind: one kind per name, so that no two events clash."""

from __future__ import annotations

from event_schema.measurement import Kind

# By domain; an entity id as key overrides its domain.
DEFAULT_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "climate": (
        "current_temperature",
        "temperature",
        "target_temp_high",
        "target_temp_low",
        "current_humidity",
        "humidity",
        "hvac_action",
    ),
    "water_heater": ("current_temperature", "temperature"),
    "humidifier": ("current_humidity", "humidity"),
    "light": ("brightness", "color_temp_kelvin"),
    "fan": ("percentage",),
    "cover": ("current_position", "current_tilt_position"),
    "valve": ("current_position",),
    "media_player": ("volume_level", "is_volume_muted"),
    "vacuum": ("battery_level",),
    "lawn_mower": ("battery_level",),
    "weather": ("temperature", "humidity", "pressure", "wind_speed", "wind_bearing", "cloud_coverage"),
    "sun": ("elevation", "azimuth"),
}

# Every other attribute is a float.
ATTRIBUTE_KINDS: dict[str, Kind] = {"hvac_action": "string", "is_volume_muted": "boolean"}


def attribute_kind(name: str) -> Kind:
    return ATTRIBUTE_KINDS.get(name, "float")
