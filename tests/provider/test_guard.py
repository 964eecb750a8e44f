"""What would cost data is refused before anything is changed, and says how much it would cost."""

from __future__ import annotations

from typing import Any

import pytest

from operations.influxd import LocalInfluxd
from provider.api import Api, ProviderError
from provider.kinds import KINDS
from provider.values import UNKNOWN

DAY = 86400
BUCKET, ORGANIZATION = KINDS["influxdb:index:Bucket"], KINDS["influxdb:index:Organization"]


async def make(api: Api, unique: str) -> tuple[str, str, dict[str, Any]]:
    """An organization and a bucket in it: their ids and the bucket's state."""
    org, _ = await ORGANIZATION.create(api, {"name": f"org-{unique}"})
    state = {
        "orgId": org,
        "name": "b",
        "retention": 30 * DAY,
        "shardGroupDuration": DAY,
        "allowDataLoss": False,
    }
    identifier, _ = await BUCKET.create(api, state)
    return org, identifier, state


@pytest.mark.parametrize(
    ("change", "property_name", "says"),
    [
        ({"retention": 8 * DAY}, "retention", "from 30 d to 8 d, which costs 1 stored values"),
        ({"orgId": UNKNOWN}, "orgId", "would be replaced"),
        ({"orgId": "0a1b2c3d4e5f6071"}, "orgId", "would be replaced"),
    ],
)
async def test_check_refuses_what_would_cost_data(
    api: Api, influxd: LocalInfluxd, unique: str, change: dict[str, Any], property_name: str, says: str
) -> None:
    org, identifier, state = await make(api, unique)
    assert await BUCKET.check(api, state, state | change) == [], "an empty bucket may be changed"
    influxd.write(identifier, "m f=1", org=org, age_seconds=20 * DAY)
    [failure] = await BUCKET.check(api, state, state | change)
    assert failure.property == property_name
    assert says in failure.reason
    assert await BUCKET.check(api, state, state | change | {"allowDataLoss": True}) == []
    assert await BUCKET.check(api, state, state | {"retention": 60 * DAY}) == []
    assert await BUCKET.check(api, state, state | {"retention": 25 * DAY}) == [], "it costs nothing"


async def test_delete_refuses_a_bucket_with_data_and_an_organization_with_buckets(
    api: Api, influxd: LocalInfluxd, unique: str
) -> None:
    org, identifier, state = await make(api, unique)
    influxd.write(identifier, "m f=1", org=org, age_seconds=DAY)
    with pytest.raises(ProviderError, match=r"holds data \(1 stored values\)"):
        await BUCKET.delete(api, identifier, state)
    with pytest.raises(ProviderError, match="still has bucket b:"):
        await ORGANIZATION.delete(api, org, {"name": f"org-{unique}"})
    assert await BUCKET.read(api, identifier, state) == state

    await BUCKET.delete(api, identifier, state | {"allowDataLoss": True})
    # The server would leave these behind.
    task = {"orgID": org, "flux": 'option task = {name: "t", every: 1h}\nbuckets()', "status": "inactive"}
    task_id = influxd.api("POST", "/api/v2/tasks", task)["id"]
    permissions = [{"action": "read", "resource": {"type": "buckets", "orgID": org}}]
    token = {"orgID": org, "description": "by hand", "permissions": permissions}
    token_id = influxd.api("POST", "/api/v2/authorizations", token)["id"]
    with pytest.raises(ProviderError, match="still has task t, token by hand:"):
        await ORGANIZATION.delete(api, org, {"name": f"org-{unique}"})
    influxd.api("DELETE", f"/api/v2/tasks/{task_id}")
    influxd.api("DELETE", f"/api/v2/authorizations/{token_id}")
    await ORGANIZATION.delete(api, org, {"name": f"org-{unique}"})
    # Gone already: deleting once more is fine, and reading says so.
    await BUCKET.delete(api, identifier, state)
    await ORGANIZATION.delete(api, org, {"name": f"org-{unique}"})
    assert await BUCKET.read(api, identifier, state) is None
    assert await BUCKET.check(api, state, state | {"orgId": UNKNOWN}) == []


@pytest.mark.parametrize("kind", [ORGANIZATION, BUCKET])
async def test_what_exists_already_is_never_doubled(api: Api, unique: str, kind: Any) -> None:
    org, identifier, state = await make(api, unique)
    inputs, known = (state, identifier) if kind is BUCKET else ({"name": f"org-{unique}"}, org)
    with pytest.raises(ProviderError, match=f"exists already.*pulumi import {kind.token} .* {known}"):
        await kind.create(api, inputs)
