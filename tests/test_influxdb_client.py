"""The official client with the tokens that the stack makes: each may do its own work and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

from operations.influxd import LocalInfluxd

LINE = "token_probe,entity_id=sensor.a f=1"


def client(home: dict[str, Any], token: str) -> InfluxDBClientAsync:
    return InfluxDBClientAsync(url=home["url"], token=home[token], org=home["org"])


async def allowed_to_write(home: dict[str, Any], token: str, bucket: str) -> bool:
    async with client(home, token) as one:
        try:
            return bool(await one.write_api().write(bucket=bucket, record=LINE))
        except ApiException as error:
            if error.status not in (403, 404):
                raise
            return False


async def allowed_to_read(home: dict[str, Any], token: str, bucket: str) -> bool:
    async with client(home, token) as one:
        try:
            await one.query_api().query(f'from(bucket: "{bucket}") |> range(start: -1h) |> limit(n: 1)')
        except ApiException as error:
            if error.status not in (401, 403, 404):
                raise
            return False
        return True


@pytest.mark.parametrize(
    ("token", "reads", "writes"),
    [
        ("writer_token", set(), {"raw"}),
        ("reader_token", {"raw", "hourly", "daily"}, set()),
        ("operations_token", {"raw", "hourly", "daily"}, {"raw", "hourly", "daily"}),
    ],
)
async def test_each_token_does_its_own_work_only(
    home: dict[str, Any], token: str, reads: set[str], writes: set[str]
) -> None:
    buckets = home["buckets"]
    assert {tier for tier in buckets if await allowed_to_read(home, token, buckets[tier])} == reads
    assert {tier for tier in buckets if await allowed_to_write(home, token, buckets[tier])} == writes


async def test_no_token_of_the_stack_sees_other_organizations(home: dict[str, Any], influxd: LocalInfluxd) -> None:
    for token in ("writer_token", "reader_token", "operations_token"):
        async with InfluxDBClientAsync(url=home["url"], token=home[token], org=influxd.org) as one:
            with pytest.raises(ApiException) as caught:
                await one.write_api().write(bucket="setup", record=LINE)
            assert caught.value.status in (401, 403, 404)


async def test_the_server_is_the_one_we_say(home: dict[str, Any]) -> None:
    async with client(home, "reader_token") as one:
        assert await one.ping()
        assert (await one.version()).lstrip("v").startswith("2.7.")


def test_tasks_are_declared_active_with_the_right_cadence(home: dict[str, Any], influxd: LocalInfluxd) -> None:
    tasks = influxd.api("GET", f"/api/v2/tasks?orgID={home['org_id']}")["tasks"]
    assert {(task["name"], task["every"], task["offset"], task["status"]) for task in tasks} == {
        ("downsample_hourly", "1h", "5m", "active"),
        ("downsample_hourly_weighted", "1h", "5m", "active"),
        ("downsample_daily", "1d", "15m", "active"),
        ("downsample_daily_weighted", "1d", "15m", "active"),
        ("reconcile_hourly", "1h", "25m", "active"),
        ("reconcile_daily", "1h", "40m", "active"),
    }
