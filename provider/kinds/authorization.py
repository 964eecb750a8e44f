"""Authorization: a token and what it may do. Only status and description can be changed in place."""

from __future__ import annotations

import json

from provider.api import Api, ProviderError
from provider.kinds.base import ORGANIZATION_ID, ResourceKind
from provider.ownership import marked, unmarked
from provider.table import Failure, Property, present
from provider.values import Plain

ACTIONS = ("read", "write")
# Each tried on 2.7.12; the last row is Cloud's.
RESOURCE_TYPES = (
    *("annotations", "authorizations", "buckets", "checks", "dashboards", "dbrp", "documents", "instance", "labels"),
    *("notebooks", "notificationEndpoints", "notificationRules", "orgs", "remotes", "replications", "scrapers"),
    *("secrets", "sources", "tasks", "telegrafs", "users", "variables", "views"),
    *("flows", "functions", "subscriptions"),
)
# A resource is named by its id. A name that was passed over in silence would leave a permission for every one.
PERMISSION = (
    Property(name="action", kind="string", required=True, choices=ACTIONS, description="read or write"),
    Property(
        name="resource",
        kind="object",
        required=True,
        type_name="PermissionResource",
        fields=(
            Property(
                name="type", kind="string", required=True, choices=RESOURCE_TYPES, description="buckets, tasks, ..."
            ),
            Property(name="id", kind="string", is_id=True, description="the one resource; all of the type without it"),
            Property(name="orgId", kind="string", is_id=True, description="its organization, if it is another one"),
        ),
        description="what it may do that to",
    ),
)


class AuthorizationKind(ResourceKind):
    token = "influxdb:index:Authorization"
    path = "/api/v2/authorizations"
    collection = "authorizations"
    page_size = 0
    lookup_keys = ("id", "orgId", "description")
    only_declared = frozenset({"rotation"})
    description = "A token with the permissions that are listed, and no others."
    table = (
        ORGANIZATION_ID,
        Property(
            name="permissions",
            kind="array",
            required=True,
            replaces=True,
            fields=PERMISSION,
            type_name="Permission",
            description="what it may do",
        ),
        Property(name="description", kind="string", description="who uses it, for what"),
        Property(
            name="status",
            kind="string",
            default="active",
            choices=("active", "inactive"),
            description="inactive: the server refuses it",
        ),
        Property(
            name="rotation",
            kind="string",
            replaces=True,
            description="any text, such as a month; another one makes a new token, and the old one is deleted after "
            "everything that uses it has the new",
        ),
        Property(name="token", kind="string", computed=True, secret=True, description="the token itself"),
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        if new["permissions"] == []:
            return [Failure("permissions", "is empty: name at least one permission")]
        return []

    def _wire(self, inputs: Plain) -> list[Plain]:
        # A resource with neither id nor orgID would grant every organization: it means the token's own.
        wired = []
        for one in inputs["permissions"]:
            resource = one["resource"]
            body = present({"type": resource["type"], "id": resource.get("id")})
            body["orgID"] = resource.get("orgId") or inputs["orgId"]
            wired.append({"action": one["action"], "resource": body})
        return wired

    def name_of(self, answer: Plain) -> str:
        return unmarked(answer.get("description")) or ""

    def name_in(self, inputs: Plain) -> str:
        # A description is no name: two tokens may have the same. A lookup may ask by it.
        return "" if "permissions" in inputs else str(inputs.get("description", ""))

    def body(self, inputs: Plain, mark: str) -> Plain:
        return {
            "orgID": inputs["orgId"],
            "permissions": self._wire(inputs),
            "status": inputs["status"],
            "description": marked(inputs.get("description"), mark),
        }

    def computed(self, answer: Plain, inputs: Plain) -> Plain:
        if not answer.get("token"):
            raise ProviderError("The server made a token but did not tell it: InfluxDB 2.7 is wanted.")
        return {"token": answer["token"]}

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        org_id = answer["orgID"]
        permissions = [
            {
                "action": one["action"],
                "resource": present({name: one["resource"].get(name) for name in ("type", "id")})
                | ({"orgId": one["resource"].get("orgID")} if one["resource"].get("orgID") != org_id else {}),
            }
            for one in answer["permissions"]
        ]
        if known.get("permissions") and self._grants_the_same(answer["permissions"], known | {"orgId": org_id}):
            permissions = known["permissions"]
        state = {"orgId": org_id, "permissions": permissions, "status": answer["status"]}
        # Later servers show a hash or nothing: what was told at creation is kept.
        state["token"] = known.get("token") or answer.get("token") or ""
        return state | present({"description": unmarked(answer.get("description")), "rotation": known.get("rotation")})

    def _grants_the_same(self, shown: list[Plain], known: Plain) -> bool:
        def key(one: Plain) -> str:
            resource = one["resource"]
            return json.dumps([one["action"], resource.get("type"), resource.get("id"), resource.get("orgID")])

        return sorted(map(key, shown)) == sorted(map(key, self._wire(known)))

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain, mark: str = "") -> Plain:
        body = {"status": new["status"], "description": marked(new.get("description"), mark)}
        answer = await api.call("PATCH", f"{self.path}/{identifier}", body)
        return {"token": old.get("token") or answer.get("token") or ""}
