"""InfluxDB Cloud, as its API's documentation describes it: a stub, for there is no Cloud to test with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from provider.api import CLOUD, Api, ApiError, ProviderError
from provider.kinds import KINDS
from provider.table import check
from tests.provider.conftest import Program

ORG = "0a1b2c3d4e5f6071"
BUCKET, ORGANIZATION = KINDS["influxdb:index:Bucket"], KINDS["influxdb:index:Organization"]


class CloudStub:
    """Buckets without shard groups, an organization that can't be made, and a rate limit."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Any]] = {}
        self.turned_away = 0
        self.url = ""

    async def organizations(self, request: web.Request) -> web.Response:
        if request.method != "GET":
            return web.json_response({"code": "method not allowed", "message": ""}, status=405)
        return web.json_response({"orgs": [{"id": ORG, "name": "home@example.org"}]})

    async def all_buckets(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response({"buckets": list(self.buckets.values())})
        if self.turned_away < 2:
            self.turned_away += 1
            body = {"code": "too many requests", "message": "rate limit"}
            return web.json_response(body, status=429, headers={"Retry-After": "0.1"})
        wanted = await request.json()
        [rule] = wanted["retentionRules"]
        if "shardGroupDurationSeconds" in rule:
            return web.json_response({"code": "invalid", "message": "unknown field"}, status=400)
        identifier = f"{len(self.buckets) + 1:016x}"
        self.buckets[identifier] = wanted | {"id": identifier, "type": "user"}
        return web.json_response(self.buckets[identifier], status=201)

    async def one_bucket(self, request: web.Request) -> web.Response:
        found = self.buckets.get(request.match_info["id"])
        if found is None:
            return web.json_response({"code": "not found", "message": "bucket not found"}, status=404)
        if request.method == "PATCH":
            found |= await request.json()
        return web.json_response(found)


@pytest.fixture
async def cloud() -> AsyncIterator[CloudStub]:
    stub = CloudStub()
    app = web.Application()
    app.router.add_route("*", "/api/v2/orgs", stub.organizations)
    app.router.add_route("*", "/api/v2/buckets", stub.all_buckets)
    app.router.add_route("*", "/api/v2/buckets/{id}", stub.one_bucket)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stub
    await runner.cleanup()


async def test_a_bucket_has_no_shard_groups(cloud: CloudStub) -> None:
    api = Api(cloud.url, "t", flavor=CLOUD)
    inputs, _ = check(BUCKET.table, {"orgId": ORG, "name": "b", "retention": 86400})
    assert await BUCKET.check(api, {}, inputs) == []
    identifier, _ = await BUCKET.create(api, inputs)
    assert cloud.turned_away == 2, "a rate limit is waited out"
    assert await BUCKET.read(api, identifier, inputs) == inputs
    await BUCKET.update(api, identifier, inputs, inputs | {"retention": 2 * 86400})
    assert (await BUCKET.read(api, identifier, inputs) or {})["retention"] == 2 * 86400
    [failure] = await BUCKET.check(api, {}, inputs | {"shardGroupDuration": 3600})
    assert failure.property == "shardGroupDuration"
    assert "leave it out" in failure.reason
    await api.close()


async def test_an_organization_is_neither_made_nor_deleted(cloud: CloudStub) -> None:
    api = Api(cloud.url, "t", flavor=CLOUD)
    [failure] = await ORGANIZATION.check(api, {}, {"name": "new"})
    assert "belongs to its account" in failure.reason
    assert await ORGANIZATION.check(api, {"name": "home@example.org"}, {"name": "home@example.org"}) == []
    with pytest.raises(ProviderError, match="can't be deleted here"):
        await ORGANIZATION.delete(api, ORG, {"name": "home@example.org"})
    with pytest.raises(ApiError, match="does not offer it"):
        await api.call("POST", "/api/v2/orgs", {"name": "x"})
    await api.close()


async def test_the_configuration_chooses_it(cloud: CloudStub, program: Program) -> None:
    program.environment = {**program.environment, "INFLUXDB_URL": cloud.url}
    settings = program.folder / "Pulumi.test.yaml"
    salt = settings.read_text()
    settings.write_text(salt + "config:\n  influxdb:flavor: cloud\n")
    program.write('Organization("o", name="new")\n')
    said = await asyncio.to_thread(program.fails, "preview")
    assert "an organization of InfluxDB Cloud belongs to its account" in said
    settings.write_text(salt + "config:\n  influxdb:flavor: clod\n")
    assert "it has to be oss or cloud" in await asyncio.to_thread(program.fails, "preview")
