"""Organization: name is unique on the server."""

from __future__ import annotations

from provider.api import Api, ApiError, ProviderError
from provider.kinds.base import ResourceKind, import_hint
from provider.table import Property, present
from provider.values import Plain


class OrganizationKind(ResourceKind):
    token = "influxdb:index:Organization"
    path = "/api/v2/orgs"
    description = "An organization: the home of buckets, tasks and tokens."
    table = (
        Property(name="name", kind="string", required=True, description="its name, unique on the server"),
        Property(name="description", kind="string", description="what it is for"),
    )

    async def create(self, api: Api, inputs: Plain) -> tuple[str, Plain]:
        existing = await self._by_name(api, inputs["name"])
        if existing is not None:
            raise ProviderError(
                f"The organization {inputs['name']!r} exists already on {api.url}; "
                f"{import_hint(self.token, existing)} (or choose another name)"
            )
        answer = await api.call("POST", self.path, present(inputs))
        return answer["id"], {}

    async def _by_name(self, api: Api, name: str) -> str | None:
        try:
            found = await api.call("GET", self.path, query={"org": name})
        except ApiError as error:
            if error.is_gone:
                return None
            raise
        return next((str(org["id"]) for org in found["orgs"] if org["name"] == name), None)

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        return present({"name": answer["name"], "description": answer.get("description")})

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain) -> Plain:
        body = {"name": new["name"], "description": new.get("description", "")}
        await api.call("PATCH", f"{self.path}/{identifier}", body)
        return {}

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
