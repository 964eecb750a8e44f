"""NotificationRule: which levels go to which endpoint. Its name is not unique on the server; here it is kept so."""

from __future__ import annotations

from provider.api import Api, ApiError
from provider.kinds.base import DESCRIPTION, ORGANIZATION_ID, STATUS, ResourceKind, known_text, variant_failures
from provider.kinds.check import duration_failures, offset_failures
from provider.kinds.notification_endpoint import TYPES
from provider.ownership import marked, unmarked
from provider.table import Failure, Property, present
from provider.values import Plain

LEVELS = ("OK", "INFO", "WARN", "CRIT", "UNKNOWN")
NEEDED = {
    "http": frozenset[str](),
    "slack": frozenset({"messageTemplate"}),
    "pagerduty": frozenset({"messageTemplate"}),
}
ALLOWED = {"http": frozenset[str](), "slack": frozenset({"channel"}), "pagerduty": frozenset[str]()}


class NotificationRuleKind(ResourceKind):
    token = "influxdb:index:NotificationRule"
    path = "/api/v2/notificationRules"
    collection = "notificationRules"
    update_method = "PUT"
    description = (
        "Sends the statuses of checks to an endpoint: those of the named levels and tags, each at most once per run."
    )
    table = (
        ORGANIZATION_ID,
        Property(
            name="name",
            kind="string",
            required=True,
            description="its name; the server allows it twice, this provider does not",
        ),
        Property(
            name="type", kind="string", required=True, choices=TYPES, description="the type of its endpoint: the same"
        ),
        Property(name="endpointId", kind="string", required=True, is_id=True, description="id of its endpoint"),
        Property(name="every", kind="string", required=True, description="how often it runs, such as 10m"),
        Property(name="offset", kind="string", description="delay of each run, shorter than `every`"),
        STATUS,
        DESCRIPTION,
        Property(
            name="statusRules",
            kind="array",
            required=True,
            type_name="StatusRule",
            fields=(
                Property(
                    name="currentLevel",
                    kind="string",
                    required=True,
                    choices=(*LEVELS, "ANY"),
                    description="the level that is sent",
                ),
                Property(
                    name="previousLevel",
                    kind="string",
                    choices=(*LEVELS, "ANY"),
                    description="only when it was this one before",
                ),
            ),
            description="the levels, or changes of level, that are sent",
        ),
        Property(
            name="tagRules",
            kind="array",
            type_name="TagRule",
            fields=(
                Property(name="key", kind="string", required=True, description="a tag of the status"),
                Property(name="value", kind="string", required=True, description="the value that it has to have"),
                # The server takes other operators and compares for equality all the same (notification/tag.go).
                Property(
                    name="operator", kind="string", default="equal", choices=("equal",), description="how to compare"
                ),
            ),
            description="only statuses with these tags",
        ),
        Property(
            name="messageTemplate",
            kind="string",
            description="of slack and pagerduty: the message; `${ r.<column> }` stands for a column's value",
        ),
        Property(name="channel", kind="string", description="of slack: the channel, unless the endpoint has one"),
        Property(name="runbookLink", kind="string", description="where to read what to do"),
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        failures = variant_failures(new, "type", NEEDED, ALLOWED)
        failures += duration_failures(new, ("every", "offset")) + offset_failures(new)
        if isinstance(new["statusRules"], list) and not new["statusRules"]:
            failures.append(Failure("statusRules", "is empty: name at least one level"))
        endpoint = known_text(new["endpointId"])
        wanted = known_text(new["type"])
        if endpoint and wanted and not failures and (endpoint, wanted) != (old.get("endpointId"), old.get("type")):
            failures += await self._endpoint_failures(api, endpoint, wanted)
        return failures

    async def _endpoint_failures(self, api: Api, endpoint: str, wanted: str) -> list[Failure]:
        try:
            found = await api.call("GET", f"/api/v2/notificationEndpoints/{endpoint}")
        except ApiError as error:
            if error.is_gone:
                return [Failure("endpointId", f"is {endpoint}: there is no such endpoint on {api.url}")]
            raise
        if found["type"] == wanted:
            return []
        return [Failure("type", f"is {wanted}, but the endpoint {found['name']!r} is of type {found['type']}")]

    def body(self, inputs: Plain, mark: str) -> Plain:
        content = {
            "orgID": inputs["orgId"],
            "endpointID": inputs["endpointId"],
            "description": marked(inputs.get("description"), mark),
        }
        names = ("type", "name", "every", "offset", "status", "statusRules", "tagRules", "messageTemplate", "channel")
        return content | present({name: inputs.get(name) for name in (*names, "runbookLink")})

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        names = ("type", "name", "every", "offset", "status", "messageTemplate", "channel", "runbookLink")
        shown = {name: answer.get(name) for name in names}
        shown |= {
            "orgId": answer["orgID"],
            "endpointId": answer["endpointID"],
            "description": unmarked(answer.get("description")),
            "statusRules": [present(one) for one in answer.get("statusRules") or ()],
            "tagRules": [
                {name: one[name] for name in ("key", "value", "operator")} for one in answer.get("tagRules") or ()
            ]
            or None,
        }
        return present(shown)
