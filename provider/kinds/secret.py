"""Secret: a value that Flux scripts of an organization may read by its key. The server never tells it again."""

from __future__ import annotations

from urllib.parse import quote

from provider.api import Api, ApiError, ProviderError
from provider.kinds.base import ORGANIZATION_ID, ResourceKind
from provider.table import Property, present
from provider.values import Plain


class SecretKind(ResourceKind):
    token = "influxdb:index:Secret"
    path = "/api/v2/orgs"
    collection = "secrets"
    page_size = 0
    lookup_keys = ("orgId", "key")
    description = (
        "A secret of an organization, for `secrets.get(key: ...)` in Flux. The server never tells its value: it is "
        "kept in the state, and a change behind Pulumi's back is not seen. Creating it sets the key, whether or not it "
        "is there. To import one: `<organization id>/<key>`; the first `pulumi up` after that sets the value."
    )
    table = (
        ORGANIZATION_ID,
        Property(name="key", kind="string", required=True, replaces=True, description="its key"),
        Property(name="value", kind="string", required=True, secret=True, description="the value itself"),
    )

    def body(self, inputs: Plain, mark: str) -> Plain:
        return {inputs["key"]: inputs["value"]}

    async def create(self, api: Api, inputs: Plain, mark: str = "") -> tuple[str, Plain]:
        await self._set(api, inputs)
        return f"{inputs['orgId']}/{inputs['key']}", {}

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain, mark: str = "") -> Plain:
        await self._set(api, new)
        return {}

    async def _set(self, api: Api, inputs: Plain) -> None:
        await api.call("PATCH", f"{self.path}/{inputs['orgId']}/secrets", self.body(inputs, ""))

    async def answer(self, api: Api, identifier: str, known: Plain) -> Plain | None:
        org_id, key = _parts(identifier)
        try:
            found = await api.call("GET", f"{self.path}/{org_id}/secrets")
        except ApiError as error:
            if error.is_gone or error.status == 400:
                return None
            raise
        return {"id": identifier, "orgID": org_id, "key": key} if key in found["secrets"] else None

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        return present({"orgId": answer["orgID"], "key": answer["key"], "value": known.get("value")})

    async def look_up(self, api: Api, given: Plain) -> Plain:
        if not given.get("orgId") or not given.get("key"):
            raise ProviderError("A secret is looked up by orgId and key.")
        answer = await self.answer(api, f"{given['orgId']}/{given['key']}", given)
        if answer is None:
            raise ProviderError(f"There is no secret {given['key']!r} in the organization {given['orgId']}.")
        return self.found(answer)

    async def delete(self, api: Api, identifier: str, state: Plain) -> None:
        org_id, key = _parts(identifier)
        try:
            await api.call("DELETE", f"{self.path}/{org_id}/secrets/{quote(key, safe='')}")
        except ApiError as error:
            if not error.is_gone and await self.answer(api, identifier, state) is not None:
                raise


def _parts(identifier: str) -> tuple[str, str]:
    org_id, found, key = identifier.partition("/")
    if not found or not key:
        raise ProviderError(f"{identifier!r} is not the id of a secret: <organization id>/<key>.")
    return org_id, key
