"""NotificationEndpoint: where a notification goes. Its secrets are never read back."""

from __future__ import annotations

from urllib.parse import urlsplit

from provider.api import Api
from provider.kinds.base import DESCRIPTION, ORGANIZATION_ID, STATUS, ResourceKind, known_text, variant_failures
from provider.ownership import marked, unmarked
from provider.table import Failure, Property, present
from provider.values import Plain

TYPES = ("http", "slack", "pagerduty")
NEEDED = {"http": frozenset({"url"}), "slack": frozenset({"url"}), "pagerduty": frozenset({"routingKey"})}
ALLOWED = {
    "http": frozenset({"method", "authMethod", "username", "password", "token", "headers", "contentTemplate"}),
    "slack": frozenset({"token"}),
    "pagerduty": frozenset({"clientUrl"}),
}
CREDENTIALS = {
    "none": frozenset[str](),
    "basic": frozenset({"username", "password"}),
    "bearer": frozenset({"token"}),
}
NO_MORE = {method: frozenset[str]() for method in CREDENTIALS}
SECRETS = ("token", "username", "password", "routingKey")
# The program's name for a property -> the server's.
ON_SERVER = {
    **{name: name for name in ("url", "method", "authMethod", "headers", "contentTemplate", *SECRETS)},
    "clientUrl": "clientURL",
}


class NotificationEndpointKind(ResourceKind):
    token = "influxdb:index:NotificationEndpoint"
    path = "/api/v2/notificationEndpoints"
    collection = "notificationEndpoints"
    update_method = "PUT"
    description = (
        "Where notifications go: an HTTP address, Slack or PagerDuty. The server never tells its secrets: they are "
        "kept in the state, and a change of one behind Pulumi's back is not seen."
    )
    table = (
        ORGANIZATION_ID,
        Property(name="name", kind="string", required=True, description="its name, unique in its organization"),
        Property(
            name="type", kind="string", required=True, replaces=True, choices=TYPES, description="what it speaks to"
        ),
        STATUS,
        DESCRIPTION,
        Property(name="url", kind="string", description="of http and slack: the address"),
        Property(
            name="method", kind="string", choices=("POST", "PUT", "GET"), description="of http: POST unless given"
        ),
        Property(
            name="authMethod",
            kind="string",
            choices=tuple(CREDENTIALS),
            description="of http: none unless given; basic takes username and password, bearer takes token",
        ),
        Property(name="headers", kind="map", items="string", description="of http: further headers"),
        Property(name="contentTemplate", kind="string", description="of http: the body's template"),
        Property(name="clientUrl", kind="string", description="of pagerduty: the link in the incident"),
        Property(name="token", kind="string", secret=True, description="of http (bearer) and slack"),
        Property(name="username", kind="string", secret=True, description="of http (basic)"),
        Property(name="password", kind="string", secret=True, description="of http (basic)"),
        Property(name="routingKey", kind="string", secret=True, description="of pagerduty: the integration's key"),
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        failures = variant_failures(new, "type", NEEDED, ALLOWED)
        if new["type"] == "http":
            new.setdefault("method", "POST")
            new.setdefault("authMethod", "none")
            failures += variant_failures(new, "authMethod", CREDENTIALS, NO_MORE)
        url = known_text(new.get("url"))
        if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
            failures.append(Failure("url", "has to begin with http:// or https:// and a host"))
        return failures

    def body(self, inputs: Plain, mark: str) -> Plain:
        content = {
            "type": inputs["type"],
            "orgID": inputs["orgId"],
            "name": inputs["name"],
            "description": marked(inputs.get("description"), mark),
            "status": inputs["status"],
        }
        return content | present({there: inputs.get(here) for here, there in ON_SERVER.items()})

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        shown = {name: answer.get(name) for name in ("name", "type", "status")}
        shown |= {"orgId": answer["orgID"], "description": unmarked(answer.get("description"))}
        for here, there in ON_SERVER.items():
            value = answer.get(there)
            if here in SECRETS:
                # The server shows where it keeps the secret, or nothing where there is none.
                value = known.get(here) if value else None
            shown[here] = value or None
        return present(shown)
