"""The contract for Home Assistant's events: one declaration that everything else is derived from.

The encoder, the validation, the group keys of the Flux, the table in the docs and the check of a live bucket
read it; a tag or a field is added here and nowhere else.
"""

from __future__ import annotations

from datetime import timedelta

from event_schema.measurement import Field, Measurement, SummaryField, Tag, Tier, Tiers

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

# How many days of the home, after the day it was reported in, a value holds until the entity's next event. Windows
# look back as far for the value that stands at their start.
HOLD_DAYS = 7

# Entities of these domains have numbers as states, so that a 1 does not mean "on": no on_seconds.
NUMBER_DOMAINS = ("counter", "input_number", "number", "sensor", "zone")

# Sensors of these device classes are meters: readings that rise, and start anew now and then.
METER_DEVICE_CLASSES = ("data_size", "energy", "gas", "precipitation", "volume", "water")

# Home Assistant's rule for `total_increasing`: a reading below this share of the last one is a new start of the meter.
METER_RESET_SHARE = 0.9

# What each says exactly: docs/summaries.md.
SUMMARY_FIELDS = (
    SummaryField(
        name="avg_value",
        kind="float",
        description="the mean of the values reported: sum_value / value_count",
        source="normalized_value",
        function="mean",
        roll_up="ratio",
        parts=("sum_value", "value_count"),
    ),
    SummaryField(
        name="min_value",
        kind="float",
        description="the smallest normalized_value",
        source="normalized_value",
        function="min",
        roll_up="min",
    ),
    SummaryField(
        name="max_value",
        kind="float",
        description="the largest normalized_value",
        source="normalized_value",
        function="max",
        roll_up="max",
    ),
    SummaryField(
        name="event_count",
        kind="integer",
        minimum=0,
        description="events with a state_value",
        source="state_value",
        function="count",
        roll_up="sum",
    ),
    SummaryField(
        name="sum_value",
        kind="float",
        description="the sum of normalized_value",
        source="normalized_value",
        function="sum",
        roll_up="sum",
    ),
    SummaryField(
        name="value_count",
        kind="integer",
        minimum=0,
        description="events with a normalized_value",
        source="normalized_value",
        function="count",
        roll_up="sum",
    ),
    SummaryField(
        name="total_energy",
        kind="float",
        unit="kWh",
        description="the sum of energy_consumption",
        source="energy_consumption",
        function="sum",
        roll_up="sum",
    ),
    SummaryField(
        name="value_seconds",
        kind="float",
        description="the value times the seconds it held, added up over the covered time",
        source="normalized_value",
        function="value_time",
        roll_up="sum_held",
    ),
    SummaryField(
        name="covered_seconds",
        kind="float",
        unit="s",
        minimum=0.0,
        description="how long the value was known",
        source="normalized_value",
        function="known_time",
        roll_up="sum_held",
    ),
    SummaryField(
        name="time_weighted_avg",
        kind="float",
        description="the mean over time: value_seconds / covered_seconds",
        source="normalized_value",
        function="time_mean",
        roll_up="ratio",
        parts=("value_seconds", "covered_seconds"),
    ),
    SummaryField(
        name="on_seconds",
        kind="float",
        unit="s",
        minimum=0.0,
        description="how long the state was on (a value of 1; not of sensors and numbers)",
        source="normalized_value",
        function="on_time",
        roll_up="sum_held",
    ),
    SummaryField(
        name="first_value",
        kind="float",
        description="the first number reported",
        source="normalized_value",
        function="first",
        roll_up="first",
    ),
    SummaryField(
        name="last_value",
        kind="float",
        description="the last number reported",
        source="normalized_value",
        function="last",
        roll_up="last",
    ),
    SummaryField(
        name="last_holds",
        kind="float",
        minimum=0.0,
        maximum=1.0,
        description="1 where last_value still holds at the end of the window, 0 where something else was said after it",
        source="normalized_value",
        function="holds",
        roll_up="last",
    ),
    SummaryField(
        name="increase",
        kind="float",
        description="how far a meter rose, new starts of the meter reckoned in (energy, gas, water and the like)",
        source="normalized_value",
        function="increase",
        roll_up="sum",
    ),
)

HOURLY_EVENTS = Measurement(name="hourly_events", tags=SUMMARY_TAGS, fields=SUMMARY_FIELDS)
# Beside the hours, for the days made of them: what a value held at an hour's start whose class has no row in that hour,
# as the entity spoke in it under another one only.
HOURLY_CARRIED = Measurement(
    name="hourly_carried",
    tags=SUMMARY_TAGS,
    fields=tuple(one for one in SUMMARY_FIELDS if one.function in ("value_time", "known_time", "on_time")),
)
# A reconciling run says here from which hour on (in nanoseconds) it computes again, and last that it has.
HOURLY_MARKS = Measurement(
    name="hourly_marks",
    tags=(),
    fields=(
        Field(name="begun", kind="integer", description="from when on, written first"),
        Field(name="finished", kind="integer", description="the same, written last"),
    ),
)
DAILY_EVENTS = Measurement(name="daily_events", tags=SUMMARY_TAGS, fields=SUMMARY_FIELDS)

# Rows made from Home Assistant's long-term statistics (`hearthflux import recorder`), in the buckets of the summaries.
# Measurements of their own mark them: they can neither replace a row that was made from events nor be replaced by one.
HOURLY_STATISTICS = Measurement(name="hourly_statistics", tags=SUMMARY_TAGS, fields=SUMMARY_FIELDS)
DAILY_STATISTICS = Measurement(name="daily_statistics", tags=SUMMARY_TAGS, fields=SUMMARY_FIELDS)

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
