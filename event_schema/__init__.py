"""What an event is: tags, fields, units, tiers and the version of all that. Imports nothing else of the project."""

from event_schema.attributes import ATTRIBUTE_KINDS, DEFAULT_ATTRIBUTES, attribute_kind
from event_schema.conversion import EnergyMeters, Placement, home_zone, normalized, time_of_day, to_time_ns
from event_schema.event import Event, InvalidEvent
from event_schema.home_assistant import (
    DAILY_EVENTS,
    HOLD_DAYS,
    HOME_ASSISTANT_EVENTS,
    HOURLY_EVENTS,
    METER_DEVICE_CLASSES,
    METER_RESET_SHARE,
    NUMBER_DOMAINS,
    SCHEMA_VERSION,
    SUMMARY_FIELDS,
    SUMMARY_TAGS,
    TIERS,
)
from event_schema.measurement import Field, Kind, Measurement, SummaryField, Tag, Tier, Tiers

__all__ = [
    "ATTRIBUTE_KINDS",
    "DAILY_EVENTS",
    "DEFAULT_ATTRIBUTES",
    "HOLD_DAYS",
    "HOME_ASSISTANT_EVENTS",
    "HOURLY_EVENTS",
    "METER_DEVICE_CLASSES",
    "METER_RESET_SHARE",
    "NUMBER_DOMAINS",
    "SCHEMA_VERSION",
    "SUMMARY_FIELDS",
    "SUMMARY_TAGS",
    "TIERS",
    "EnergyMeters",
    "Event",
    "Field",
    "InvalidEvent",
    "Kind",
    "Measurement",
    "Placement",
    "SummaryField",
    "Tag",
    "Tier",
    "Tiers",
    "attribute_kind",
    "home_zone",
    "normalized",
    "time_of_day",
    "to_time_ns",
]
