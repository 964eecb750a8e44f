"""NotificationEndpoint: written by `python -m provider.codegen` from provider/kinds/notification_endpoint.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from provider import resource


class NotificationEndpoint(resource.Resource):
    """Where notifications go: an HTTP address, Slack or PagerDuty. The server never tells its secrets: they are
    kept in the state, and a change of one behind Pulumi's back is not seen.

    `org_id`: id of its organization.
    `name`: its name, unique in its organization.
    `type`: what it speaks to (http, slack, pagerduty).
    `status`: inactive: it does not run (active, inactive); active unless given.
    `description`: what it is for.
    `url`: of http and slack: the address.
    `method`: of http: POST unless given (POST, PUT, GET).
    `auth_method`: of http: none unless given; basic takes username and password, bearer takes token (none, basic,
        bearer).
    `headers`: of http: further headers.
    `content_template`: of http: the body's template.
    `client_url`: of pagerduty: the link in the incident.
    `token`: of http (bearer) and slack.
    `username`: of http (basic).
    `password`: of http (basic).
    `routing_key`: of pagerduty: the integration's key.
    """

    _own = frozenset(["headers"])
    _secret = ("password", "routingKey", "token", "username")

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        name: pulumi.Input[str],
        type: pulumi.Input[str],
        status: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        url: pulumi.Input[str] | None = None,
        method: pulumi.Input[str] | None = None,
        auth_method: pulumi.Input[str] | None = None,
        headers: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        content_template: pulumi.Input[str] | None = None,
        client_url: pulumi.Input[str] | None = None,
        token: pulumi.Input[str] | None = None,
        username: pulumi.Input[str] | None = None,
        password: pulumi.Input[str] | None = None,
        routing_key: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "name": name,
            "type": type,
            "status": status,
            "description": description,
            "url": url,
            "method": method,
            "auth_method": auth_method,
            "headers": headers,
            "content_template": content_template,
            "client_url": client_url,
            "token": token,
            "username": username,
            "password": password,
            "routing_key": routing_key,
        }
        super().__init__("influxdb:index:NotificationEndpoint", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def name(self) -> pulumi.Output[str]:
        """its name, unique in its organization"""
        return self._output("name")

    @property
    def type(self) -> pulumi.Output[str]:
        """what it speaks to (http, slack, pagerduty)"""
        return self._output("type")

    @property
    def status(self) -> pulumi.Output[str]:
        """inactive: it does not run (active, inactive); active unless given"""
        return self._output("status")

    @property
    def description(self) -> pulumi.Output[str | None]:
        """what it is for"""
        return self._output("description")

    @property
    def url(self) -> pulumi.Output[str | None]:
        """of http and slack: the address"""
        return self._output("url")

    @property
    def method(self) -> pulumi.Output[str | None]:
        """of http: POST unless given (POST, PUT, GET)"""
        return self._output("method")

    @property
    def auth_method(self) -> pulumi.Output[str | None]:
        """of http: none unless given; basic takes username and password, bearer takes token (none, basic, bearer)"""
        return self._output("authMethod")

    @property
    def headers(self) -> pulumi.Output[Mapping[str, str] | None]:
        """of http: further headers"""
        return self._output("headers")

    @property
    def content_template(self) -> pulumi.Output[str | None]:
        """of http: the body's template"""
        return self._output("contentTemplate")

    @property
    def client_url(self) -> pulumi.Output[str | None]:
        """of pagerduty: the link in the incident"""
        return self._output("clientUrl")

    @property
    def token(self) -> pulumi.Output[str | None]:
        """of http (bearer) and slack"""
        return self._output("token")

    @property
    def username(self) -> pulumi.Output[str | None]:
        """of http (basic)"""
        return self._output("username")

    @property
    def password(self) -> pulumi.Output[str | None]:
        """of http (basic)"""
        return self._output("password")

    @property
    def routing_key(self) -> pulumi.Output[str | None]:
        """of pagerduty: the integration's key"""
        return self._output("routingKey")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetNotificationEndpointResult:
    """What `get_notification_endpoint` found; its properties are those of `NotificationEndpoint`, without
    secrets."""

    id: str
    org_id: str
    name: str
    type: str
    status: str
    description: str | None
    url: str | None
    method: str | None
    auth_method: str | None
    headers: Mapping[str, str] | None
    content_template: str | None
    client_url: str | None


def get_notification_endpoint(
    *,
    id: str | None = None,
    org_id: str | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetNotificationEndpointResult:
    """Looks up one notification endpoint on the server: by `id`, or by `org_id` and `name`. An error where
    there is none, or more than one."""
    found = resource.invoke(
        "influxdb:index:getNotificationEndpoint", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return GetNotificationEndpointResult(**resource.fields_of(GetNotificationEndpointResult, found))


def get_notification_endpoint_output(
    *,
    id: pulumi.Input[str] | None = None,
    org_id: pulumi.Input[str] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetNotificationEndpointResult]:
    """`get_notification_endpoint` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getNotificationEndpoint", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return found.apply(
        lambda one: GetNotificationEndpointResult(**resource.fields_of(GetNotificationEndpointResult, one))
    )


_FOUND_OWN: frozenset[str] = frozenset(["headers"])
