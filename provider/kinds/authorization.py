"""Authorization: a token and what it may do. Only status and description can be changed in place."""

from __future__ import annotations

import json

from provider.api import Api, ProviderError
from provider.kinds.base import ResourceKind
from provider.table import ID_RULE, Failure, Property, is_id, present
from provider.values import Plain, is_unknown

ACTIONS = ("read", "write")
# Each tried on 2.7.12; the last row is Cloud's.
RESOURCE_TYPES = (
    *("annotations", "authorizations", "buckets", "checks", "dashboards", "dbrp", "documents", "instance", "labels"),
    *("notebooks", "notificationEndpoints", "notificationRules", "orgs", "remotes", "replications", "scrapers"),
    *("secrets", "sources", "tasks", "telegrafs", "users", "variables", "views"),
    *("flows", "functions", "subscriptions"),
)


class AuthorizationKind(ResourceKind):
    token = "influxdb:index:Authorization"
    path = "/api/v2/authorizations"
    description = "A token with the permissions that are listed, and no others."
    table = (
        Property(
            name="orgId", kind="string", required=True, replaces=True, is_id=True, description="id of its organization"
        ),
        Property(
            name="permissions",
            kind="array",
            required=True,
            replaces=True,
            description="each {action: read|write, resource: {type, id?, orgId?}}",
        ),
        Property(name="description", kind="string", description="who uses it, for what"),
        Property(
            name="status",
            kind="string",
            default="active",
            choices=("active", "inactive"),
            description="inactive: the server refuses it",
        ),
        Property(name="token", kind="string", computed=True, secret=True, description="the token itself"),
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        permissions = new["permissions"]
        if not isinstance(permissions, list):
            return []
        failures = []
        if not permissions:
            failures.append(Failure("permissions", "is empty: name at least one permission"))
        for position, one in enumerate(permissions):
            where = f"permissions[{position}]"
            if is_unknown(one) and not isinstance(one, dict):
                continue
            if not isinstance(one, dict) or not isinstance(one.get("resource"), dict):
                failures.append(Failure(where, "has to be {action: ..., resource: {type: ..., id: ...}}"))
                continue
            if not is_unknown(one.get("action")) and one.get("action") not in ACTIONS:
                failures.append(Failure(f"{where}.action", f"is {one.get('action')!r}; read or write"))
            failures += self._resource_failures(f"{where}.resource", one["resource"])
        return failures

    def _resource_failures(self, where: str, resource: Plain) -> list[Failure]:
        failures = []
        kind = resource.get("type")
        if not kind:
            failures.append(Failure(f"{where}.type", "is required, such as buckets or tasks"))
        elif not is_unknown(kind) and kind not in RESOURCE_TYPES:
            failures.append(Failure(f"{where}.type", f"is {kind!r}; it has to be one of {', '.join(RESOURCE_TYPES)}"))
        # A name that was passed over in silence would leave a permission for every resource of the type.
        unknown = sorted(resource.keys() - {"type", "id", "orgId"})
        if unknown:
            failures.append(
                Failure(
                    where, f"has no property {', '.join(unknown)}; one resource is named by its id, not by its name"
                )
            )
        for name in ("id", "orgId"):
            value = resource.get(name)
            if value is not None and not is_unknown(value) and not is_id(value):
                failures.append(Failure(f"{where}.{name}", f"is {value!r}; {ID_RULE}"))
        return failures

    def _wire(self, inputs: Plain) -> list[Plain]:
        # A resource with neither id nor orgID would grant every organization: it means the token's own.
        wired = []
        for one in inputs["permissions"]:
            resource = one["resource"]
            body = present({"type": resource["type"], "id": resource.get("id")})
            body["orgID"] = resource.get("orgId") or inputs["orgId"]
            wired.append({"action": one["action"], "resource": body})
        return wired

    async def create(self, api: Api, inputs: Plain) -> tuple[str, Plain]:
        body = {"orgID": inputs["orgId"], "permissions": self._wire(inputs), "status": inputs["status"]}
        answer = await api.call("POST", self.path, body | present({"description": inputs.get("description")}))
        if not answer.get("token"):
            raise ProviderError("The server made a token but did not tell it: InfluxDB 2.7 is wanted.")
        return answer["id"], {"token": answer["token"]}

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
        if known.get("permissions") and self._same(answer["permissions"], known | {"orgId": org_id}):
            permissions = known["permissions"]
        state = {"orgId": org_id, "permissions": permissions, "status": answer["status"]}
        # Later servers show a hash or nothing: what was told at creation is kept.
        state["token"] = known.get("token") or answer.get("token") or ""
        return state | present({"description": answer.get("description")})

    def _same(self, shown: list[Plain], known: Plain) -> bool:
        def key(one: Plain) -> str:
            resource = one["resource"]
            return json.dumps([one["action"], resource.get("type"), resource.get("id"), resource.get("orgID")])

        return sorted(map(key, shown)) == sorted(map(key, self._wire(known)))

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain) -> Plain:
        body = {"status": new["status"], "description": new.get("description", "")}
        await api.call("PATCH", f"{self.path}/{identifier}", body)
        return {"token": old.get("token", "")}
