"""LabelMapping: a label on a resource. Its id is `<resource type>/<resource id>/<label id>`."""

from __future__ import annotations

from typing import Any

from provider.api import Api, ApiError, ProviderError
from provider.kinds.base import ResourceKind
from provider.table import Property
from provider.values import Plain

# The resources under whose path the server keeps labels.
LABELLED = ("buckets", "tasks", "checks", "notificationEndpoints", "notificationRules", "dashboards", "variables")


class LabelMappingKind(ResourceKind):
    token = "influxdb:index:LabelMapping"
    path = "/api/v2"
    lookup_keys = ()
    description = "A label on a resource. To import one: `<resource type>/<resource id>/<label id>`."
    table = (
        Property(
            name="resourceType",
            kind="string",
            required=True,
            replaces=True,
            choices=LABELLED,
            description="what carries the label",
        ),
        Property(
            name="resourceId", kind="string", required=True, replaces=True, is_id=True, description="the resource's id"
        ),
        Property(name="labelId", kind="string", required=True, replaces=True, is_id=True, description="the label's id"),
    )

    def body(self, inputs: Plain, mark: str) -> Plain:
        return {"labelID": inputs["labelId"]}

    async def create(self, api: Api, inputs: Plain, mark: str = "") -> tuple[str, Plain]:
        identifier = f"{inputs['resourceType']}/{inputs['resourceId']}/{inputs['labelId']}"
        # There once is there: a create that was cut off just goes on.
        if await self.answer(api, identifier, inputs) is None:
            path = f"{self.path}/{inputs['resourceType']}/{inputs['resourceId']}/labels"
            await api.call("POST", path, self.body(inputs, mark))
        return identifier, {}

    async def answer(self, api: Api, identifier: str, known: Plain) -> Plain | None:
        resource_type, resource_id, label_id = _parts(identifier)
        try:
            found: Any = await api.call("GET", f"{self.path}/{resource_type}/{resource_id}/labels")
        except ApiError as error:
            # A resource that is gone has no labels; the server says so with a 404, or a 500 for some kinds.
            if error.is_gone or error.status in (400, 500):
                return None
            raise
        return next((label for label in found["labels"] if label["id"] == label_id), None) and {
            "resourceType": resource_type,
            "resourceId": resource_id,
            "labelId": label_id,
        }

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        return answer

    async def delete(self, api: Api, identifier: str, state: Plain) -> None:
        resource_type, resource_id, label_id = _parts(identifier)
        try:
            await api.call("DELETE", f"{self.path}/{resource_type}/{resource_id}/labels/{label_id}")
        except ApiError as error:
            if not error.is_gone and await self.answer(api, identifier, state) is not None:
                raise


def _parts(identifier: str) -> tuple[str, str, str]:
    parts = identifier.split("/")
    if len(parts) != 3 or parts[0] not in LABELLED:
        raise ProviderError(
            f"{identifier!r} is not the id of a label mapping: <resource type>/<resource id>/<label id>, "
            f"where the type is one of {', '.join(LABELLED)}."
        )
    return parts[0], parts[1], parts[2]
