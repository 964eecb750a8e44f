"""Organization: name is unique on the server."""

from __future__ import annotations

from provider.api import Api, ApiError, ProviderError
from provider.kinds.base import DESCRIPTION, ResourceKind
from provider.ownership import marked, unmarked
from provider.table import Property, present
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
        """Deleting an organization drops its buckets with all that is in them: refused while there are any."""
        try:
            found = await api.call("GET", "/api/v2/buckets", query={"orgID": identifier, "limit": "100"})
        except ApiError as error:
            if error.is_gone:
                return
            raise
        left = sorted(bucket["name"] for bucket in found["buckets"] if bucket["type"] == "user")
        if left:
            raise ProviderError(
                f"The organization {state.get('name')!r} still has the buckets {', '.join(left)}: deleting it would "
                "delete them with their data. Delete or move them first."
            )
