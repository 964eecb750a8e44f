"""What the server does that one would not expect, and that nothing comes of it (each on the real influxd)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from operations.influxd import LocalInfluxd
from provider.api import Api, ApiError
from provider.kinds import KINDS
from provider.table import check
from tests.provider.lives import lives

HOUR, DAY = 3600, 86400


def kind(name: str) -> Any:
    return KINDS[f"influxdb:index:{name}"]


async def made(api: Api, name: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A resource as the plugin makes it: its id and its inputs with defaults."""
    filled, failures = check(kind(name).table, inputs)
    failures += await kind(name).check(api, {}, filled)
    assert not failures
    identifier, _ = await kind(name).create(api, filled)
    return identifier, filled


@pytest.fixture
async def org(api: Api, unique: str) -> str:
    identifier, _ = await made(api, "Organization", {"name": f"org-{unique}"})
    return identifier


async def engine_durations(api: Api, bucket: str) -> tuple[int, int]:
    """Retention and shard-group duration in seconds as the storage engine has them, from a backup's manifest."""
    manifest = await api.text("GET", "/api/v2/backup/metadata")
    buckets = next(json.loads(line) for line in manifest.splitlines() if line.startswith('[{"organizationID"'))
    policies = next(one for one in buckets if one["bucketID"] == bucket)["retentionPolicies"]
    [policy] = [one for one in policies if one["name"] == "autogen"]
    return policy["duration"] // 10**9, policy["shardGroupDuration"] // 10**9


@pytest.mark.parametrize(
    ("retention", "width"),
    [
        *((0, None), (HOUR, None), (2 * DAY, None), (180 * DAY, None), (400 * DAY, 30 * DAY), (0, HOUR)),
        (30 * DAY, 30 * DAY),
    ],
)
async def test_metadata_and_engine_never_disagree(
    api: Api, influxd: LocalInfluxd, org: str, retention: int, width: int | None
) -> None:
    """What `check` shows before anything is made is what the server then says and what its engine does."""
    inputs = {"orgId": org, "name": "b", "retention": retention} | (
        {} if width is None else {"shardGroupDuration": width}
    )
    bucket, seen = await made(api, "Bucket", inputs)
    influxd.write(bucket, "m f=1", org=org, age_seconds=60)

    async def agree(wanted: dict[str, Any]) -> None:
        state = await kind("Bucket").read(api, bucket, wanted)
        expected = (wanted["retention"], wanted["shardGroupDuration"])
        assert (state["retention"], state["shardGroupDuration"]) == expected
        assert await engine_durations(api, bucket) == expected

    await agree(seen)
    # Grown, and shortened again: the server alone would keep the old width, or refuse.
    for after in (1000 * DAY, 2 * HOUR):
        new, _ = check(kind("Bucket").table, {"orgId": org, "name": "b", "retention": after})
        assert await kind("Bucket").check(api, seen, new) == []
        await kind("Bucket").update(api, bucket, seen, new)
        await agree(new)
        seen = new


async def test_a_conflict_is_known_by_its_code(api: Api, org: str) -> None:
    body = {"orgID": org, "name": "b", "retentionRules": []}
    await api.call("POST", "/api/v2/buckets", body)
    with pytest.raises(ApiError) as refused:
        await api.call("POST", "/api/v2/buckets", body)
    assert (refused.value.status, refused.value.code) == (422, "conflict")


async def test_a_rename_that_fails_leaves_the_retention(api: Api, org: str) -> None:
    """The server changes the engine first: renamed together with its retention, a bucket would be left half changed."""
    await made(api, "Bucket", {"orgId": org, "name": "taken"})
    bucket, inputs = await made(api, "Bucket", {"orgId": org, "name": "b", "retention": 30 * DAY})
    with pytest.raises(ApiError, match="name is not unique"):
        await kind("Bucket").update(api, bucket, inputs, inputs | {"name": "taken", "retention": 60 * DAY})
    assert await kind("Bucket").read(api, bucket, inputs) == inputs
    assert await engine_durations(api, bucket) == (30 * DAY, DAY)


async def test_a_script_is_stored_as_it_is_written(api: Api, org: str) -> None:
    """A PATCH of name, every or offset would rewrite and reformat it; a description alone is refused."""
    flux = 'option task = {name:"t",every:1h,offset:65m}\n\n// mine\nfrom( bucket:"b" ) |> range(start:-1h)'.replace(
        "65m", "5m"
    )
    task, inputs = await made(api, "Task", {"orgId": org, "flux": flux})
    other = flux.replace("every:1h", "every: 2h")
    computed = await kind("Task").update(api, task, inputs, inputs | {"flux": other, "description": "x"})
    assert computed["every"] == "2h"
    state = await kind("Task").read(api, task, inputs)
    assert (state["flux"], state["description"]) == (other, "x")


async def test_names_that_the_server_takes_twice_are_taken_once(api: Api, org: str) -> None:
    flux = 'option task = {name: "t", every: 1h}\nfrom(bucket: "b") |> range(start: -1h)'
    await made(api, "Task", {"orgId": org, "flux": flux})
    # In this run, and in another one.
    for run in (api, Api(api.url, api._token)):
        with pytest.raises(Exception, match=r"exists already|declared twice"):
            await made(run, "Task", {"orgId": org, "flux": flux})
    await run.close()
    assert len(await api.everything("/api/v2/tasks", "tasks", {"orgID": org}, 500)) == 1


async def test_a_token_is_for_its_own_organization_only(api: Api, org: str) -> None:
    """Without id and orgID the server would grant every organization."""
    permissions = [{"action": "read", "resource": {"type": "buckets"}}]
    token, _ = await made(api, "Authorization", {"orgId": org, "permissions": permissions})
    shown = await api.call("GET", f"/api/v2/authorizations/{token}")
    assert [one["resource"]["orgID"] for one in shown["permissions"]] == [org]


async def test_made_up_mappings_are_absent(api: Api, org: str) -> None:
    """For each bucket the server makes up a mapping of its own: it is not there for us."""
    bucket, _ = await made(api, "Bucket", {"orgId": org, "name": "d/r"})
    shown = await api.everything("/api/v2/dbrps", "content", {"orgID": org}, 0)
    assert [one["virtual"] for one in shown if one["bucketID"] == bucket] == [True]
    assert await kind("Dbrp").read(api, bucket, {"orgId": org}) is None
    mapping, _ = await made(api, "Dbrp", {"orgId": org, "bucketId": bucket, "database": "d", "retentionPolicy": "r"})
    assert mapping != bucket


async def test_a_check_that_could_never_work_is_refused(api: Api, org: str) -> None:
    """The server takes both and passes over its own error: the check's task would fail at every run."""
    pipeline = 'from(bucket: "b") |> range(start: -1m) |> filter(fn: (r) => r._field == "f")'
    inputs = {
        "orgId": org,
        "name": "c",
        "type": "threshold",
        "every": "1m",
        "thresholds": [{"type": "greater", "level": "CRIT", "value": 1}],
    }
    for query, says in (
        (f"x = 1\n{pipeline}", "has 2 statements"),
        (f"data = {pipeline}", "has 1 statements"),
        (pipeline.replace('== "f"', '== "f" or r._field == "g"'), "filters by 2 fields (f, g)"),
        (pipeline.replace("_field", "_measurement"), "filters by 0 fields"),
        (pipeline.replace("range", "rang"), "undefined identifier rang"),
    ):
        filled, _ = check(kind("Check").table, inputs | {"query": query})
        [failure] = await kind("Check").check(api, {}, filled)
        assert failure.property == "query"
        assert says in failure.reason


async def test_a_dashboard_that_fails_half_way_is_not_left(api: Api, org: str) -> None:
    cell = {"name": "a", "properties": {"shape": "chronograf-v2", "type": "markdown", "note": "x"}}
    wrong = {"name": "b", "properties": {"shape": "no such shape"}}
    with pytest.raises(ApiError, match="unknown shape"):
        await made(api, "Dashboard", {"orgId": org, "name": "d", "cells": [cell, wrong]})
    assert await api.everything("/api/v2/dashboards", "dashboards", {"orgID": org}, 100) == []


@pytest.mark.parametrize(
    "name", ["Bucket", "Task", "Check", "NotificationEndpoint", "NotificationRule", "Variable", "Dashboard", "Label"]
)
async def test_a_listing_has_all_pages(api: Api, org: str, name: str) -> None:
    """The server pages each kind in a way of its own; what is on a later page must not be made a second time."""
    row = next(life for life in lives("x").values() if life.kind == name)
    endpoint, _ = await made(api, "NotificationEndpoint", ENDPOINT | {"orgId": org, "name": "first"})
    ids = {"org": org, "other_org": org, "slack": endpoint}
    wanted = set()
    for number in range(5):
        inputs = row.inputs(row.start, ids)
        text = "flux" if name == "Task" else "name"
        inputs[text] = inputs[text].replace('name: "t"', f'name: "t{number}"') if name == "Task" else f"n{number}"
        wanted.add((await made(api, name, inputs))[0])
    shown = await api.everything(kind(name).path, kind(name).collection, {"orgID": org}, kind(name).page_size and 2)
    assert wanted <= {one["id"] for one in shown}
    assert len({one["id"] for one in shown}) == len(shown)


ENDPOINT = {"type": "slack", "url": "http://127.0.0.1:9/a"}
