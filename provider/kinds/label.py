"""Label: a name with a colour that other resources can carry. Its properties are merged by the server, not replaced."""

from __future__ import annotations

from provider.api import Api
from provider.kinds.base import ORGANIZATION_ID, ResourceKind
from provider.table import Failure, Property, present
from provider.values import Plain

# Labels have no description: the mark is a property of theirs.
_MARK = "pulumi"


class LabelKind(ResourceKind):
    token = "influxdb:index:Label"
    path = "/api/v2/labels"
    collection = "labels"
    page_size = 0
    folds_names = True
    description = "A label. `LabelMapping` puts it on a bucket, a task or another resource."
    table = (
        ORGANIZATION_ID,
        Property(
            name="name",
            kind="string",
            required=True,
            description="its name, unique in its organization whatever the case of its letters",
        ),
        Property(
            name="properties",
            kind="map",
            items="string",
            description="such as color (#ff0000) and description; the user interface shows these two",
        ),
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        properties = new.get("properties")
        if not isinstance(properties, dict):
            return []
        failures = [
            Failure(f"properties.{name}", "is empty, which the server takes as its removal: leave it out")
            for name, value in properties.items()
            if value == ""
        ]
        if _MARK in properties:
            failures.append(Failure(f"properties.{_MARK}", "is kept for this provider's own use: choose another name"))
        return failures

    def body(self, inputs: Plain, mark: str) -> Plain:
        properties = (inputs.get("properties") or {}) | present({_MARK: mark})
        return {"orgID": inputs["orgId"], "name": inputs["name"], "properties": properties}

    def is_own(self, answer: Plain, inputs: Plain, mark: str) -> bool:
        return bool(mark) and (answer.get("properties") or {}).get(_MARK) == mark

    async def post(self, api: Api, inputs: Plain, mark: str) -> Plain:
        return dict((await super().post(api, inputs, mark))["label"])

    async def answer(self, api: Api, identifier: str, known: Plain) -> Plain | None:
        found = await super().answer(api, identifier, known)
        return None if found is None else dict(found["label"])

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        properties = {name: value for name, value in (answer.get("properties") or {}).items() if name != _MARK}
        return {"orgId": answer["orgID"], "name": answer["name"]} | ({"properties": properties} if properties else {})

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain, mark: str = "") -> Plain:
        now = await self.answer(api, identifier, old) or {}
        wanted = self.body(new, mark)["properties"]
        # PATCH merges: what is to go is sent as empty text.
        gone = dict.fromkeys(set(now.get("properties") or {}) - set(wanted) - {_MARK}, "")
        await api.call("PATCH", f"{self.path}/{identifier}", {"name": new["name"], "properties": gone | wanted})
        return {}
