"""The contract for Home Assistant's events: one declaration that everything else is derived from.

The encoder, the validation, the group keys of the Flux, the table in the docs and the check of a live bucket
read it; a tag or a field is added here and nowhere else.
"""

from __future__ import annotations

from datetime import timedelta

from event_schema.measurement import Field, Measurement, Tag, Tier, Tiers

# Raised when a stored name, kind or meaning changes; adding an optional field does not.
SCHEMA_VERSION = 1

ENTITY_ID = Tag(name="entity_id", description="Home Assistant's entity, as `domain.object`")
DOMAIN = Tag(name="domain", description="the part of entity_id before the dot")
DEVICE_CLASS = Tag(name="device_class", description="Home Assistant's device class, such as temperature or motion")

HOME_ASSISTANT_EVENTS = Measurement(
    name="home_assistant_events",
    tags=(
        ENTITY_ID,
        DOMAIN,
        DEVICE_CLASS,
        Tag(name="area", description="the room or zone the entity is in"),
        Tag(name="device_name", description="the device the entity belongs to"),
        Tag(name="integration", description="the integration that provides the entity"),
        Tag(name="weather_condition", description="the weather when the event happened, such as sunny or rainy"),
        Tag(name="time_of_day", description="morning, afternoon, evening or night, in the home's time zone"),
    ),
    fields=(
        Field(name="state_value", kind="string", description="the state as Home Assistant reports it"),
        Field(name="previous_state", kind="string", description="the state before this event"),
        Field(
            name="normalized_value",
            kind="float",
            description="the state as a number: on 1, off 0, numbers themselves; left out for any other text",
        ),
        Field(
            name="confidence",
            kind="float",
            minimum=0.0,
            maximum=1.0,
            description="how sure the source is of this event",
        ),
        Field(
            name="duration_seconds",
            kind="integer",
            unit="s",
            minimum=0,
            description="how long the previous state lasted",
        ),
        Field(
            name="energy_consumption",
            kind="float",
            unit="kWh",
            description="energy used since the entity's last event (not a meter reading)",
        ),
        Field(
            name="weather_temp",
            kind="float",
            unit="Cel",
            minimum=-100.0,
            maximum=100.0,
            description="outdoor temperature when the event happened",
        ),
        Field(
            name="weather_humidity",
            kind="float",
            unit="%",
            minimum=0.0,
            maximum=100.0,
            description="outdoor relative humidity when the event happened",
        ),
        Field(
            name="weather_pressure",
            kind="float",
            unit="hPa",
            minimum=300.0,
            maximum=1100.0,
            description="air pressure when the event happened",
        ),
        Field(name="unit_of_measurement", kind="string", description="the unit of the state, as reported"),
    ),
)

# A summary row keeps these tags of the events it sums up, and no others: they do not change from event to event.
SUMMARY_TAGS = (ENTITY_ID, DOMAIN, DEVICE_CLASS)

SUMMARY_FIELDS = (
    Field(name="avg_value", kind="float", description="sum_value / value_count"),
    Field(name="min_value", kind="float", description="the smallest normalized_value"),
    Field(name="max_value", kind="float", description="the largest normalized_value"),
    Field(name="event_count", kind="integer", minimum=0, description="events with a state_value"),
    Field(name="sum_value", kind="float", description="the sum of normalized_value"),
    Field(name="value_count", kind="integer", minimum=0, description="events with a normalized_value"),
    Field(name="total_energy", kind="float", unit="kWh", description="the sum of energy_consumption"),
)

HOURLY_EVENTS = Measurement(name="hourly_events", tags=SUMMARY_TAGS, fields=SUMMARY_FIELDS)
DAILY_EVENTS = Measurement(name="daily_events", tags=SUMMARY_TAGS, fields=SUMMARY_FIELDS)

TIERS = Tiers(
    (
        Tier(
            name="raw",
            bucket="events",
            measurement=HOME_ASSISTANT_EVENTS.name,
            every=None,
            retention=timedelta(days=365),
            shard_group_duration=timedelta(days=7),
        ),
        Tier(
            name="hourly",
            bucket="events_hourly",
            measurement=HOURLY_EVENTS.name,
            every=timedelta(hours=1),
            retention=timedelta(days=730),
            shard_group_duration=timedelta(days=30),
        ),
        Tier(
            name="daily",
            bucket="events_daily",
            measurement=DAILY_EVENTS.name,
            every=timedelta(days=1),
            retention=timedelta(days=2555),
            shard_group_duration=timedelta(days=90),
        ),
    )
)
