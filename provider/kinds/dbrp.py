"""Dbrp: a bucket under the names that InfluxDB 1 clients use, a database and a retention policy."""

from __future__ import annotations

from provider.api import Api, ApiError, ProviderError
from provider.kinds.base import ORGANIZATION_ID, ResourceKind
from provider.ownership import same_stack
from provider.table import Property
from provider.values import Plain


class DbrpKind(ResourceKind):
    token = "influxdb:index:Dbrp"
    path = "/api/v2/dbrps"
    collection = "content"
    page_size = 0
    lookup_keys = ("orgId", "database", "retentionPolicy")
    # Database and retention policy are taken together, and only once.
    deleted_before_replaced = True
    description = (
        "A mapping of a database and retention policy, as InfluxDB 1 has them, to a bucket. To import one: "
        "`<organization id>/<id>`. The mappings that the server makes up from buckets' names are none of these."
    )
    table = (
        ORGANIZATION_ID,
        Property(name="bucketId", kind="string", required=True, replaces=True, is_id=True, description="the bucket"),
        Property(name="database", kind="string", required=True, replaces=True, description="the database's name"),
        Property(name="retentionPolicy", kind="string", required=True, description="the retention policy's name"),
        Property(
            name="default",
            kind="boolean",
            left_to_server=True,
            description="whether it is the database's default; the only mapping of a database always is",
        ),
    )

    def name_of(self, answer: Plain) -> str:
        return f"{answer.get('database')}/{answer.get('retention_policy')}"

    def name_in(self, inputs: Plain) -> str:
        return f"{inputs['database']}/{inputs['retentionPolicy']}"

    async def left_behind(self, api: Api, existing: list[Plain], inputs: Plain, mark: str) -> Plain | None:
        # A mapping has no room for a mark. It is this stack's if its bucket is, or is gone, and the state has it not.
        for one in existing:
            if not one.get("id") or one["id"] in api.in_state or self.name_of(one) != self.name_in(inputs):
                continue
            try:
                bucket = await api.call("GET", f"/api/v2/buckets/{one['bucketID']}")
            except ApiError as error:
                if error.is_gone:
                    return one
                raise
            if same_stack(bucket.get("description"), mark):
                return one
        return None

    def body(self, inputs: Plain, mark: str) -> Plain:
        return {
            "orgID": inputs["orgId"],
            "bucketID": inputs["bucketId"],
            "database": inputs["database"],
            "retention_policy": inputs["retentionPolicy"],
            "default": inputs.get("default", False),
        }

    def computed(self, answer: Plain, inputs: Plain) -> Plain:
        return {"default": inputs.get("default", answer["default"])}

    async def listing(self, api: Api, inputs: Plain) -> list[Plain]:
        found = await super().listing(api, inputs)
        found[:] = [one for one in found if not one.get("virtual")]
        return found

    async def answer(self, api: Api, identifier: str, known: Plain) -> Plain | None:
        org_id, plain_id = self._parts(identifier, known)
        try:
            found: Plain = (await api.call("GET", f"{self.path}/{plain_id}", query={"orgID": org_id}))["content"]
            if found.get("virtual"):
                return None
            query = {"orgID": org_id, "db": found["database"]}
            others = await api.everything(self.path, self.collection, query, 0)
        except ApiError as error:
            if error.is_gone or error.status == 400:
                return None
            raise
        return found | {"only": sum(not one.get("virtual") for one in others) == 1}

    async def adopt(self, api: Api, own: Plain, inputs: Plain, mark: str) -> tuple[str, Plain]:
        await self.delete(api, own["id"], inputs)
        answer = await self.post(api, inputs, mark)
        return answer["id"], self.computed(answer, inputs)

    def _parts(self, identifier: str, known: Plain) -> tuple[str, str]:
        org_id, _, plain_id = identifier.rpartition("/")
        org_id = org_id or str(known.get("orgId", ""))
        if not org_id:
            raise ProviderError(f"{identifier!r} is not enough to find a mapping: import it by <organization id>/<id>.")
        return org_id, plain_id

    def identifier(self, asked: str, state: Plain) -> str:
        return asked.rpartition("/")[2]

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        # The only mapping is the default whatever was asked for: no drift.
        default = known.get("default", True) if answer.get("only") else answer["default"]
        return {
            "orgId": answer["orgID"],
            "bucketId": answer["bucketID"],
            "database": answer["database"],
            "retentionPolicy": answer["retention_policy"],
            "default": default,
        }

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain, mark: str = "") -> Plain:
        body = {"retention_policy": new["retentionPolicy"]}
        if "default" in new:
            body["default"] = new["default"]
        answer = await api.call("PATCH", f"{self.path}/{identifier}", body, {"orgID": new["orgId"]})
        return self.computed(answer["content"], new)

    async def delete(self, api: Api, identifier: str, state: Plain) -> None:
        try:
            await api.call("DELETE", f"{self.path}/{identifier}", query={"orgID": str(state["orgId"])})
        except ApiError as error:
            if not error.is_gone:
                raise
