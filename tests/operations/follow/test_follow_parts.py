"""Filters, settings, registries and times of `hearthflux follow`, without a Home Assistant."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from event_schema import Event, Placement
from event_schema.attributes import DEFAULT_ATTRIBUTES
from operations.errors import UserError
from operations.follow.away import history_readings, state_reading
from operations.follow.filters import EntityFilter, names_of
from operations.follow.follower import Follower
from operations.follow.home_assistant import ConnectionLost, connected
from operations.follow.registry import placements
from operations.follow.settings import FollowSettings, read_choice
from operations.follow_command import span_of
from operations.imports.history import History
from operations.imports.reading import SECOND, Reading
from operations.influxd import free_port
from tests.operations.imports.conftest import ZONE
from writer import BatchWriter, WriterSettings


@pytest.mark.parametrize(
    ("include", "exclude", "entity", "area", "followed"),
    [
        ({}, {}, "sensor.a", None, True),
        ({"domains": ["light"]}, {}, "sensor.a", None, False),
        ({"domains": ["light"]}, {}, "light.a", None, True),
        ({}, {"domains": ["light"]}, "light.a", None, False),
        ({"entities": ["light.a"]}, {"domains": ["light"]}, "light.a", None, True),
        ({"globs": ["sensor.*_power"]}, {"areas": ["Attic"]}, "sensor.a_power", "Attic", True),
        ({"domains": ["sensor"]}, {"areas": ["Attic"]}, "sensor.a", "Attic", False),
        ({"areas": ["Kitchen"]}, {"domains": ["update"]}, "update.a", "Kitchen", True),
        ({"areas": ["Kitchen"]}, {}, "sensor.a", None, False),
        ({"entities": ["sensor.a"]}, {"entities": ["sensor.a"]}, "sensor.a", None, False),
    ],
)
def test_the_most_particular_list_decides(
    include: dict[str, list[str]], exclude: dict[str, list[str]], entity: str, area: str | None, followed: bool
) -> None:
    chosen = EntityFilter(include=names_of(include), exclude=names_of(exclude))
    assert chosen.follows(entity, area) is followed


def test_the_example_file_is_right_and_attributes_are_chosen(tmp_path: Path) -> None:
    choice = read_choice(Path("deploy/follow.toml"))
    assert choice.attributes == DEFAULT_ATTRIBUTES
    assert not choice.entities.follows("sensor.a_rssi")
    assert not choice.entities.follows("update.core")
    assert choice.entities.follows("sensor.a")
    path = tmp_path / "follow.toml"
    path.write_text('keep_default_attributes = false\n[attributes]\nlight = ["color_mode"]\n"sensor.w" = ["program"]')
    assert read_choice(path).attributes == {"light": ("color_mode",), "sensor.w": ("program",)}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("x = [", "is not TOML"),
        ("includes = 1", "includes is not known; there are attributes, exclude, include"),
        ("[include]\nentity = ['a.b']", r"\[include\] has entities, globs, areas, domains, each a list"),
        ("[include]\ndomains = 'light'", "include.domains: a list of texts"),
        ("weather = 'home'", "weather 'home': a weather entity, such as weather.home"),
        ("[attributes]\nlight = 'a'", "attributes.light: a list of texts"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "follow.toml"
    path.write_text(content)
    with pytest.raises(UserError, match=sentence):
        read_choice(path)


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    for environment, sentence in (
        ({}, "HOME_ASSISTANT_URL is not set"),
        ({"HOME_ASSISTANT_URL": "homeassistant"}, "has to be an address such as http"),
        ({"HOME_ASSISTANT_URL": "http://a:8123"}, "a long-lived access token"),
    ):
        with pytest.raises(UserError, match=sentence):
            FollowSettings.from_env(None, tmp_path / "p", environment)
    with pytest.raises(UserError, match="is not a span: give hours or days"):
        span_of("10")
    assert span_of("10d").days == 10


def test_an_entity_is_in_its_devices_area_and_a_given_name_comes_first() -> None:
    areas: list[dict[str, Any]] = [{"area_id": "k", "name": "Kitchen"}, {"area_id": "h", "name": "Hall"}]
    devices: list[dict[str, Any]] = [{"id": "d", "area_id": "k", "name": "Plug", "name_by_user": "My plug"}]
    entities: list[dict[str, Any]] = [
        {"entity_id": "switch.a", "device_id": "d", "area_id": None, "platform": "zha"},
        {"entity_id": "switch.b", "device_id": "d", "area_id": "h", "platform": "zha"},
        {"entity_id": "sun.sun", "device_id": None, "area_id": None, "platform": "sun"},
    ]
    assert placements(areas, devices, entities) == {
        "switch.a": Placement(area="Kitchen", device_name="My plug", integration="zha"),
        "switch.b": Placement(area="Hall", device_name="My plug", integration="zha"),
        "sun.sun": Placement(area=None, device_name=None, integration="sun"),
    }


def test_a_state_has_one_time_live_and_from_the_history() -> None:
    live = state_reading(
        {
            "entity_id": "sensor.a",
            "state": "1",
            "attributes": {"x": 1},
            "last_updated": "2026-11-24T05:00:00.123457+00:00",
            "last_changed": "2026-11-24T04:59:59.999999+00:00",
        }
    )
    answer = {"sensor.a": [{"s": "1", "a": {"x": 1}, "lu": 1795496400.123457, "lc": 1795496399.999999}]}
    (filled,) = history_readings(answer)
    assert live[:5] == filled[:5]


def test_weather_places_and_renames(tmp_path: Path) -> None:
    history = History(zone=ZONE, weather_entity="weather.home")
    history.use_registry({"sensor.a": Placement(area="Kitchen", device_name="Thing", integration="mqtt")})
    at = 1_795_496_400 * SECOND

    def say(entity: str, state: str, seconds: int, **attributes: Any) -> Event:
        return history.event(Reading(at + seconds * SECOND, entity, state, attributes, None, ""))

    assert say("sensor.a", "1", 0).weather_temp is None
    say("weather.home", "rainy", 1, temperature=50, temperature_unit="°F", humidity=80, pressure=1.0)
    event = say("sensor.a", "2", 2)
    assert (event.area, event.device_name, event.integration) == ("Kitchen", "Thing", "mqtt")
    assert (event.weather_condition, event.weather_temp, event.weather_humidity) == ("rainy", 10.0, 80.0)
    say("weather.home", "unavailable", 3)
    assert say("sensor.a", "3", 4).weather_condition is None
    meter = {"state_class": "total_increasing", "unit_of_measurement": "kWh", "device_class": "energy"}
    say("sensor.old", "10", 5, **meter)
    history.rename("sensor.old", "sensor.new")
    event = say("sensor.new", "12.5", 6, **meter)
    assert (event.energy_consumption, event.previous_state) == (2.5, "10")


async def test_what_is_no_home_assistant_and_a_broken_greeting() -> None:
    port = free_port()
    with pytest.raises(ConnectionLost, match="no Home Assistant answers at"):
        async with connected("http://x", f"ws://127.0.0.1:{port}/api/websocket", "t", silence=5):
            raise AssertionError

    async def greet(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello"})
        return socket

    app = web.Application()
    app.router.add_get("/api/websocket", greet)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        with pytest.raises(ConnectionLost, match="is no Home Assistant"):
            async with connected("http://x", f"ws://127.0.0.1:{port}/api/websocket", "t", silence=5):
                raise AssertionError
    finally:
        await runner.cleanup()


async def test_it_tries_for_ever_and_says_so(tmp_path: Path) -> None:
    settings = FollowSettings(
        url=f"http://127.0.0.1:{free_port()}",
        token="t",
        zone=ZONE,
        position=tmp_path / "position.json",
        longest_wait=0.05,
    )
    writer = BatchWriter(WriterSettings(url="http://127.0.0.1:9", token="t", org="o", spool_path=tmp_path / "s"))
    follower = Follower(settings, writer)
    running = asyncio.create_task(follower.run())
    await asyncio.sleep(0.5)
    health = follower.health()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert health["status"] == "unhealthy"
    assert "no Home Assistant answers at" in health["reasons"][0]
    assert not settings.position.exists()


def test_a_position_that_is_damaged_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "position.json"
    path.write_text("[]")
    settings = FollowSettings(url="http://a:8123", token="t", zone=ZONE, position=path)
    writer = BatchWriter(WriterSettings(url="http://127.0.0.1:9", token="t", org="o"))
    with pytest.raises(UserError, match=r"cannot be read .*remove it to begin anew from now"):
        Follower(settings, writer).restore()


def test_a_position_goes_over_to_the_next_process(tmp_path: Path) -> None:
    settings = FollowSettings(url="http://a:8123", token="t", zone=ZONE, position=tmp_path / "position.json")
    writer = BatchWriter(WriterSettings(url="http://127.0.0.1:9", token="t", org="o"))
    first = Follower(settings, writer)
    first.start_from(time.time_ns())
    first.keep()
    second = Follower(settings, writer)
    second.restore()
    assert second._last_ns == first._last_ns


def test_a_position_that_could_not_be_kept_is_no_trouble_once_it_is(tmp_path: Path) -> None:
    in_the_way = tmp_path / "folder"
    in_the_way.write_text("a file")
    settings = FollowSettings(url="http://a:8123", token="t", zone=ZONE, position=in_the_way / "position.json")
    writer = BatchWriter(WriterSettings(url="http://127.0.0.1:9", token="t", org="o"))
    follower = Follower(settings, writer)
    follower.start_from(time.time_ns())
    follower.keep()
    assert "cannot be written" in follower.troubles["position"]
    in_the_way.unlink()
    follower.keep()
    assert follower.troubles == {}
    assert settings.position.exists()
