"""What an event is: tags, fields, units, tiers and the version of all that. Imports nothing else of the project."""

from event_schema.home_assistant import (
    DAILY_EVENTS,
    HOME_ASSISTANT_EVENTS,
    HOURLY_EVENTS,
    SCHEMA_VERSION,
    SUMMARY_TAGS,
    TIERS,
)
from event_schema.measurement import Field, Kind, Measurement, Tag, Tier, Tiers

__all__ = [
    "DAILY_EVENTS",
    "HOME_ASSISTANT_EVENTS",
    "HOURLY_EVENTS",
    "SCHEMA_VERSION",
    "SUMMARY_TAGS",
    "TIERS",
    "Field",
    "Kind",
    "Measurement",
    "Tag",
    "Tier",
    "Tiers",
]
