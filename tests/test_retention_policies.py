"""Retention and shard groups as declared, read back from the server after a real `pulumi up`."""

from __future__ import annotations

from typing import Any

import pytest

from event_schema import TIERS
from operations.influxd import LocalInfluxd
from operations.pulumi_runner import PulumiError, Stack
from stacks.settings import WrongSetting, load

DAY = 86400


def rules(influxd: LocalInfluxd, home: dict[str, Any]) -> dict[str, tuple[int, int]]:
    found = influxd.api("GET", f"/api/v2/buckets?orgID={home['org_id']}&limit=100")["buckets"]
    return {
        bucket["name"]: (rule["everySeconds"] // DAY, rule["shardGroupDurationSeconds"] // DAY)
        for bucket in found
        if bucket["type"] == "user"
        for rule in bucket["retentionRules"]
    }


def test_the_server_has_what_the_contract_says(influxd: LocalInfluxd, home: dict[str, Any]) -> None:
    tiers = {"events": (365, 7), "events_hourly": (730, 30), "events_daily": (2555, 90)}
    assert rules(influxd, home) == {**tiers, "operations": (730, 30)}


def test_a_second_preview_finds_nothing_to_change(dev_stack: Stack, home: dict[str, Any]) -> None:
    assert dev_stack.preview().changed == 0


def test_the_engine_makes_shard_groups_of_the_declared_width(influxd: LocalInfluxd, home: dict[str, Any]) -> None:
    """Two points eight days apart can't share a shard group of seven days."""
    bucket = influxd.api("GET", f"/api/v2/buckets?orgID={home['org_id']}&name=events")["buckets"][0]["id"]
    for age in (40, 48):
        influxd.write(bucket, "shard_probe f=1", org=home["org_id"], age_seconds=age * DAY)
    shards = {path.name for path in (influxd.engine_path / "data" / bucket / "autogen").iterdir()}
    assert len(shards) >= 2


def test_a_shorter_retention_with_data_is_refused_at_preview(
    influxd: LocalInfluxd, dev_stack: Stack, home: Any
) -> None:
    bucket = influxd.api("GET", f"/api/v2/buckets?orgID={home['org_id']}&name=events")["buckets"][0]["id"]
    influxd.write(bucket, "retention_probe f=1", org=home["org_id"], age_seconds=60 * DAY)
    shorter = Stack("dev", {**dev_stack.environment, "RAW_DATA_RETENTION_DAYS": "30"})
    with pytest.raises(PulumiError, match="would be shortened from 365 d to 30 d, which costs"):
        shorter.preview()
    assert rules(influxd, home)["events"] == (365, 7)


def test_a_longer_retention_from_the_environment_is_an_update_in_place(dev_stack: Stack, home: dict[str, Any]) -> None:
    longer = Stack("dev", {**dev_stack.environment, "DAILY_SUMMARY_RETENTION_DAYS": "3650"})
    changes = longer.preview().changes
    assert {name: count for name, count in changes.items() if name != "same"} == {"update": 1}


def test_retention_shorter_than_the_shard_group_is_a_sentence(dev_stack: Stack, home: dict[str, Any]) -> None:
    wrong = Stack("dev", {**dev_stack.environment, "RAW_DATA_RETENTION_DAYS": "3"})
    with pytest.raises(PulumiError, match="RAW_DATA_RETENTION_DAYS") as caught:
        wrong.preview()
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "environment", "days"),
    [
        ({}, {}, (365, 730, 2555)),
        ({"retentionDays": {"raw": 90}}, {}, (90, 730, 2555)),
        ({"retentionDays": {"raw": 90}}, {"RAW_DATA_RETENTION_DAYS": "120"}, (120, 730, 2555)),
        ({}, {"HOURLY_SUMMARY_RETENTION_DAYS": " 0 "}, (365, None, 2555)),
        ({}, {"DAILY_SUMMARY_RETENTION_DAYS": ""}, (365, 730, 2555)),
    ],
)
def test_where_retention_comes_from(
    config: dict[str, Any], environment: dict[str, str], days: tuple[int | None, ...]
) -> None:
    [home] = load(config, environment).homes
    tiers = home.tiers
    assert tuple(tier.retention.days if tier.retention else None for tier in tiers) == days
    assert [tier.shard_group_duration for tier in tiers] == [tier.shard_group_duration for tier in TIERS]


@pytest.mark.parametrize(
    ("config", "environment", "sentence"),
    [
        ({}, {"RAW_DATA_RETENTION_DAYS": "a year"}, "RAW_DATA_RETENTION_DAYS is 'a year': give whole days"),
        ({}, {"RAW_DATA_RETENTION_DAYS": "-1"}, "RAW_DATA_RETENTION_DAYS is '-1'"),
        ({}, {"RAW_DATA_RETENTION_DAYS": "3"}, "shard group 7 days.* is longer than"),
        ({"retentionDays": {"weekly": 3}}, {}, "the tiers are raw, hourly, daily"),
        ({"shardGroupDays": {"raw": 0}}, {}, "covers at least a day"),
        ({"allowDataLoss": ["evnts"]}, {}, "a list of events, events_daily, events_hourly"),
        ({"timeZone": "Mars/Olympus"}, {}, "give an IANA name"),
    ],
)
def test_a_wrong_setting_is_named(config: dict[str, Any], environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(WrongSetting, match=sentence):
        load(config, environment)
