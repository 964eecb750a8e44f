"""Organization: name is unique on the server."""

from __future__ import annotations

import asyncio

from provider.api import CLOUD, Api, ProviderError
from provider.kinds.base import DESCRIPTION, ResourceKind, import_hint
from provider.ownership import marked, unmarked
from provider.table import Failure, Property, present
from provider.values import Plain


class OrganizationKind(ResourceKind):
    token = "influxdb:index:Organization"
    path = "/api/v2/orgs"
    collection = "orgs"
    lookup_keys = ("id", "name")
    description = "An organization: the home of buckets, tasks and tokens."
    table = (
        Property(name="name", kind="string", required=True, description="its name, unique on the server"),
        DESCRIPTION,
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        if api.flavor == CLOUD and not old:
            return [
                Failure(
                    "name",
                    "can't be made: an organization of InfluxDB Cloud belongs to its account. "
                    f"Look it up with get_organization, or {import_hint(self.token, '<its id>')}",
                )
            ]
        return []

    def body(self, inputs: Plain, mark: str) -> Plain:
        return {"name": inputs["name"], "description": marked(inputs.get("description"), mark)}

    async def listing(self, api: Api, inputs: Plain) -> list[Plain]:
        # By name: others' organizations are none of ours, and the name is unique.
        return await api.listing(self.path, self.collection, {"org": inputs["name"]}, 0)

    async def post(self, api: Api, inputs: Plain, mark: str) -> Plain:
        answer = await super().post(api, inputs, mark)
        api.made_organization(answer["id"])
        return answer

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        return present({"name": answer["name"], "description": unmarked(answer.get("description"))})

    async def before_delete(self, api: Api, identifier: str, state: Plain) -> None:
        """The server drops its buckets with all that is in them and leaves its tasks and tokens behind for ever:
        refused while there are any."""
        if api.flavor == CLOUD:
            raise ProviderError(
                f"The organization {state.get('name')!r} is InfluxDB Cloud's: it can't be deleted here. "
                "Take it out of the state with pulumi state delete."
            )
        query = {"orgID": identifier}
        buckets, tasks, tokens = await asyncio.gather(
            api.everything("/api/v2/buckets", "buckets", query, 100),
            api.everything("/api/v2/tasks", "tasks", query, 500),
            api.everything("/api/v2/authorizations", "authorizations", query, 0),
        )
        left = [f"bucket {one['name']}" for one in buckets if one["type"] == "user"]
        left += [f"task {one['name']}" for one in tasks]
        left += [f"token {unmarked(one.get('description')) or one['id']}" for one in tokens]
        if left:
            raise ProviderError(
                f"The organization {state.get('name')!r} still has {', '.join(sorted(left))}: the buckets' data would "
                "be deleted with it, and tasks and tokens would stay for ever. Delete or move them first."
            )
