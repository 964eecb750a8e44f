"""Alerts as code: declared with the stack, run by the server's own scheduler, told to an HTTP endpoint."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from event_schema import TIERS
from flux_tasks.alerts import AlertSettings, alert_tasks
from operations.influxd import LocalInfluxd
from stacks.settings import WrongSetting, load
from tests.conftest import MakeInfluxd
from tests.operations.homes import make_home
from tests.stacks.conftest import Configured

HOUR = 3600


class Told:
    """An HTTP endpoint that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.authorizations: set[str] = set()
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.messages.append(json.loads(body))
                told.authorizations.add(self.headers.get("Authorization", ""))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Not on the tests' output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/told"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, check: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["_check_name"].endswith(check)]

    def wait(self, check: str, what: Callable[[dict[str, Any]], bool], seconds: float = 300) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for message in self.of(check):
                if what(message):
                    return message
            time.sleep(0.2)
        raise AssertionError(
            f"{check} was not told; told were {[(m['_check_name'], m['_message']) for m in self.messages]}"
        )


@pytest.fixture
def told() -> Iterator[Told]:
    endpoint = Told()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


def level(wanted: str, **more: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: message["_level"] == wanted and all(message.get(k) == v for k, v in more.items())


def test_what_goes_wrong_is_told_once_and_its_end_too(
    configured: Configured, make_influxd: MakeInfluxd, unique: str, told: Told
) -> None:
    # Checks that run every two seconds, to be ended with their server: where they are deleted, InfluxDB 2.7 spins
    # until another task is due.
    influxd = make_influxd().start()
    program = configured(
        organization=f"alerts-{unique}",
        alerts={
            "every": "2s",
            "streamSilence": "30s",
            "entitySilence": "1h",
            "entities": ["sensor.kitchen", "sensor.gone", "sensor.never"],
            "recordSilence": "1h",
            "endpoint": {"type": "http", "url": told.url, "authMethod": "bearer"},
            "remindEvery": "10s",
        },
    )
    own = {"INFLUXDB_URL": influxd.url, "INFLUXDB_TOKEN": influxd.token, "HEARTHFLUX_ALERT_TOKEN": "told-with-this"}
    program.environment = {**program.environment, **own}
    program.up()
    home = program.outputs()
    buckets = {
        one["name"]: one["id"]
        for one in influxd.api("GET", f"/api/v2/buckets?orgID={home['org_id']}&limit=100")["buckets"]
    }

    def write(bucket: str, line: str, age: int = 1) -> None:
        influxd.write(buckets[bucket], line, org=home["org_id"], age_seconds=age)

    def event(entity: str, age: int = 1) -> None:
        write("events", f'home_assistant_events,entity_id={entity},domain=sensor state_value="1"', age)

    # Nothing ever came: the reminders say so, there is no change to tell.
    told.wait("alert_stream_silent", level("crit", home="home", reminder="yes"))
    told.wait("alert_entity_silent", level("crit", name="sensor.never"))
    told.wait("alert_records_missing", level("crit"))
    assert told.authorizations == {"Bearer told-with-this"}

    event("sensor.gone", age=3 * HOUR)
    event("sensor.kitchen")
    write("operations", "storage,bucket=events bytes=1i")
    write("operations", "disk used_percent=85")
    write("operations", "spool dead_letters=0i")
    told.wait("alert_stream_silent", level("ok"))
    told.wait("alert_records_missing", level("ok"))
    told.wait("alert_entity_silent", lambda message: "no events of sensor.gone since" in message["_message"])
    told.wait("alert_entity_silent", level("ok", name="sensor.kitchen"))
    # Events of three hours ago and no summary of that hour.
    told.wait("alert_hourly_late", level("crit"))

    before, began = len(told.messages), time.monotonic()
    write("operations", "disk used_percent=95", age=0)
    write("operations", "spool dead_letters=2i", age=0)
    full = told.wait("alert_disk", level("crit"))
    assert "95 percent" in full["_message"]
    told.wait("alert_dead_letters", level("crit"))
    # Changes, and what is still critical once every ten seconds: not each status of each run.
    assert len(told.messages) - before < 20 + (time.monotonic() - began)
    assert program.steps() == {}


async def test_a_task_that_fails_is_seen(make_influxd: MakeInfluxd) -> None:
    """A run of the server's own scheduler that fails, and the script of the check over it."""
    home = make_home(make_influxd().start(), "failing")
    script = 'option task = {name: "broken", every: 1s}\nfrom(bucket: "nowhere") |> range(start: -1h)'
    home.influxd.api("POST", "/api/v2/tasks", {"orgID": home.org_id, "flux": script})
    (check,) = (task for task in alert_tasks(AlertSettings(), TIERS) if task.name == "alert_tasks_failed")
    async with home.server() as server:
        until = time.monotonic() + 300
        while not (rows := [row for row in await server.rows(check.flux) if row["task"] == "broken"]):
            assert time.monotonic() < until
            await asyncio.sleep(0.5)
    (row,) = rows
    assert (row["_level"], row["_message"]) == ("crit", "alert_tasks_failed: the last run of broken ended: failed")


async def test_what_the_hourly_look_has_found_is_told(influxd: LocalInfluxd, unique: str) -> None:
    home = make_home(influxd, f"found-{unique}")
    (check,) = (task for task in alert_tasks(AlertSettings(), home.settings.tiers) if task.name == "alert_unhealthy")
    now = int(time.time())
    async with home.server() as server:
        home.write(
            "operations", f"health,check=retention healthy=true {now - 60}\nhealth,check=disk healthy=false {now}"
        )
        assert [(row["found"], row["_level"]) for row in await server.rows(check.flux)] == [("retention", "ok")]
        home.write("operations", f'health,check=retention healthy=false,reason="events still holds a point" {now}')
        (row,) = await server.rows(check.flux)
    assert (row["_level"], row["_message"]) == ("crit", "alert_unhealthy: retention: events still holds a point")


def test_every_script_is_right_at_preview_in_another_zone_and_with_a_prefix(
    configured: Configured, unique: str
) -> None:
    program = configured(
        organization=f"zone-{unique}", timeZone="Europe/Amsterdam", homes=["cabin"], alerts={"deadLetters": False}
    )
    assert {name for name in program.steps() if name.startswith("cabin_alert")} == {
        "cabin_alerts",
        "cabin_alert_stream_silent",
        "cabin_alert_entity_silent",
        "cabin_alert_records_missing",
        "cabin_alert_disk",
        "cabin_alert_hourly_late",
        "cabin_alert_daily_late",
        "cabin_alert_tasks_failed",
        "cabin_alert_unhealthy",
    }


def test_nothing_is_watched_unless_asked_for_and_each_home_decides() -> None:
    assert load({}, {}).homes[0].alerts is None
    homes = load({"alerts": {"every": "1h"}, "homes": ["a", {"name": "b", "alerts": {"every": "10m"}}]}, {}).homes
    assert [home.alerts and home.alerts.every for home in homes] == [timedelta(hours=1), timedelta(minutes=10)]


@pytest.mark.parametrize(
    ("alerts", "sentence"),
    [
        ("yes", "a table with any of every, streamSilence"),
        ({"evry": "5m"}, r"hearthflux:alerts.evry is not a setting: there are every"),
        ({"every": "5 minutes"}, "every is '5 minutes': give a length of time such as 30s"),
        ({"streamSilence": "soon"}, "or off"),
        ({"entities": ["kitchen"]}, "entities has 'kitchen'"),
        ({"entities": "sensor.a"}, "a list of entities"),
        ({"diskWarn": 95}, "above diskCritical 90"),
        ({"diskCritical": 120}, "a number of percent"),
        ({"deadLetters": "many"}, "how many, or off"),
        ({"healthChecks": ["disk"]}, "a list of tokens, events, tasks"),
        ({"remindEvery": "1m"}, "shorter than every"),
        ({"endpoint": {"type": "mail"}}, "one of http, slack, pagerduty"),
        ({"endpoint": {"type": "slack", "routingKey": "k"}}, "routingKey is not known"),
        ({"endpoint": {"type": "pagerduty"}}, r"routingKey \(or HEARTHFLUX_ALERT_ROUTING_KEY\) is missing"),
    ],
)
def test_a_wrong_setting_is_named(alerts: Any, sentence: str) -> None:
    with pytest.raises(WrongSetting, match=sentence):
        load({"alerts": alerts}, {})


@pytest.mark.parametrize(
    ("endpoint", "variables", "properties"),
    [
        ({"type": "http", "url": "https://x.org"}, {"HEARTHFLUX_ALERT_TOKEN": "t"}, {"url": "https://x.org"}),
        (
            {"type": "http", "url": "https://x.org", "authMethod": "bearer"},
            {"HEARTHFLUX_ALERT_TOKEN": "t"},
            {"url": "https://x.org", "auth_method": "bearer", "token": "t"},
        ),
        (
            {"type": "slack", "url": "https://x.org", "token": "own"},
            {"HEARTHFLUX_ALERT_TOKEN": "t"},
            {"url": "https://x.org", "token": "own"},
        ),
        ({"type": "pagerduty"}, {"HEARTHFLUX_ALERT_ROUTING_KEY": "k"}, {"routing_key": "k"}),
    ],
)
def test_an_endpoints_secret_may_come_from_the_environment(
    endpoint: dict[str, str], variables: dict[str, str], properties: dict[str, str]
) -> None:
    alerts = load({"alerts": {"endpoint": endpoint}}, variables).homes[0].alerts
    assert alerts is not None
    assert alerts.endpoint is not None
    assert alerts.endpoint.properties == properties


def test_an_endpoints_secret_is_in_no_error() -> None:
    with pytest.raises(WrongSetting) as caught:
        load({"alerts": {"endpoint": {"type": "http", "token": "s3cret", "uri": "x"}}}, {})
    assert "s3cret" not in str(caught.value)
