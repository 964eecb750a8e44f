"""Home Assistant's messages become events; bad ones are refused with a sentence that names the field."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from event_schema import EnergyMeters, Event, InvalidEvent, Placement, normalized, to_time_ns


def flat(**changes: Any) -> dict[str, Any]:
    return {
        "entity_id": "sensor.kitchen",
        "state": "21.5",
        "attributes": {"device_class": "temperature", "unit_of_measurement": "°C", "friendly_name": "Kitchen"},
        "timestamp": "2026-03-01T10:00:00",
        **changes,
    }


def changed(old: str | None, new: str, **attributes: Any) -> dict[str, Any]:
    def state(value: str, minute: int) -> dict[str, Any]:
        moment = f"2026-03-01T10:{minute:02d}:00+00:00"
        return {
            "entity_id": "sensor.meter",
            "state": value,
            "attributes": attributes,
            "last_changed": moment,
            "last_updated": moment,
        }

    return {
        "event_type": "state_changed",
        "data": {
            "entity_id": "sensor.meter",
            "old_state": None if old is None else state(old, 0),
            "new_state": state(new, 5),
        },
    }


def test_the_flat_shape() -> None:
    event = Event.from_home_assistant(
        flat(
            weather={
                "temperature": 50,
                "temperature_unit": "°F",
                "humidity": 80,
                "pressure": 101_300,
                "pressure_unit": "Pa",
                "condition": "rainy",
            }
        ),
        zone="Europe/Amsterdam",
    )
    assert event.time_ns == 1_772_359_200 * 10**9
    assert (event.domain, event.device_class, event.device_name) == ("sensor", "temperature", "Kitchen")
    assert (event.state_value, event.normalized_value) == ("21.5", 21.5)
    assert (event.weather_temp, event.weather_humidity, event.weather_pressure) == pytest.approx((10, 80, 1013))
    assert (event.weather_condition, event.time_of_day) == ("rainy", "morning")


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: {"type": "event", "event": m}, lambda m: m["data"]])
def test_the_state_changed_shape_however_it_is_wrapped(wrap: Any) -> None:
    event = Event.from_home_assistant(wrap(changed("on", "off")))
    assert (event.previous_state, event.state_value, event.normalized_value) == ("on", "off", 0.0)
    assert event.duration_seconds == 300


@pytest.mark.parametrize(
    ("state", "number"),
    [
        ("on", 1.0), ("ON", 1.0), ("True", 1.0), (True, 1.0), ("1", 1.0), ("off", 0.0), ("False", 0.0), (0, 0.0),
        ("21.5", 21.5), ("-3e2", -300.0), (7, 7.0), ("unavailable", None), ("unknown", None), ("", None),
        ("nan", None), ("inf", None), (float("nan"), None), (None, None), ("1_000", None), ([1], None), (10**400, None),
    ],
)  # fmt: skip
def test_states_as_numbers(state: object, number: float | None) -> None:
    assert normalized(state) == number


@pytest.mark.parametrize(
    "stamp",
    ["2026-03-01T10:00:00", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00+01:00", 1_772_359_200, 1_772_359_200.0,
     1_772_359_200_000, 1_772_359_200_000_000, 1_772_359_200_000_000_000, "1772359200"],
)  # fmt: skip
def test_times_of_every_shape_are_the_same_instant(stamp: object) -> None:
    assert to_time_ns(stamp) == 1_772_359_200 * 10**9


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"entity_id": ""}, "entity_id '': every event names its entity"),
        ({"entity_id": "kitchen"}, "a domain, a dot and a name"),
        ({"timestamp": "yesterday"}, "timestamp 'yesterday': not an ISO 8601 time"),
        ({"timestamp": None}, "says when it happened"),
        ({"timestamp": True}, "not an ISO 8601 time"),
        ({"attributes": [1]}, "attributes [1]: an object"),
        ({"weather": {"temperature": "warm"}}, "weather.temperature 'warm': a finite number"),
        ({"weather": {"pressure": 30, "pressure_unit": "bananas"}}, "weather.pressure_unit 'bananas': one of hPa"),
        ({"state": {"a": 1}}, "state {'a': 1}: a text or a number"),
    ],
)
def test_bad_messages_are_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        Event.from_home_assistant(flat(**change))
    assert sentence in str(caught.value)


def test_a_removed_entity_has_no_event() -> None:
    message = changed("1", "2")
    message["data"]["new_state"] = None
    with pytest.raises(InvalidEvent, match="removed"):
        Event.from_home_assistant(message)


METER = {"state_class": "total_increasing", "unit_of_measurement": "Wh", "device_class": "energy"}


def test_a_meter_s_increase_survives_an_outage_and_a_reset() -> None:
    meters = EnergyMeters()
    used = [
        Event.from_home_assistant(changed(None, state, **METER), meters=meters).energy_consumption
        for state in ("1000", "1500", "unavailable", "2500", "2499", "2600", "100")
    ]
    assert used == pytest.approx([None, 0.5, None, 1.0, 0.0, 0.1, 0.1])


@pytest.mark.parametrize(
    ("unit", "kwh"), [("Wh", 0.002), ("kWh", 2), ("MWh", 2000), ("GJ", 2000 / 3.6), ("MJ", 2 / 3.6)]
)
def test_energy_units(unit: str, kwh: float) -> None:
    event = Event.from_home_assistant(changed("10", "12", **{**METER, "unit_of_measurement": unit}))
    assert event.energy_consumption == pytest.approx(kwh)


def test_no_energy_of_what_is_not_a_rising_meter() -> None:
    assert Event.from_home_assistant(changed("10", "12", unit_of_measurement="kWh")).energy_consumption is None
    assert (
        Event.from_home_assistant(changed("1", "2", **{**METER, "unit_of_measurement": "W"})).energy_consumption is None
    )


def test_places_come_from_the_registry() -> None:
    registry = {"sensor.kitchen": Placement(area="Kitchen", integration="zha")}
    event = Event.from_home_assistant(flat(), registry=registry)
    assert (event.area, event.device_name, event.integration) == ("Kitchen", "Kitchen", "zha")


def test_attributes_by_domain_and_by_entity() -> None:
    climate = flat(
        entity_id="climate.hall", state="cool", attributes={"current_temperature": 21, "hvac_action": "idle"}
    )
    assert Event.from_home_assistant(climate).attributes == {"current_temperature": 21.0, "hvac_action": "idle"}
    chosen = {"climate.hall": ("current_temperature",), "climate": ()}
    assert Event.from_home_assistant(climate, attributes=chosen).attributes == {"current_temperature": 21.0}
    assert Event.from_home_assistant(flat()).attributes is None


def test_time_of_day_is_the_home_s(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Event.from_home_assistant(flat(), zone=ZoneInfo("Asia/Tokyo")).time_of_day == "evening"
    monkeypatch.setenv("HOME_TIME_ZONE", "America/New_York")
    assert Event.from_home_assistant(flat()).time_of_day == "night"
