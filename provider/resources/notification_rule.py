"""NotificationRule: written by `python -m provider.codegen` from provider/kinds/notification_rule.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import pulumi

from provider import resource


class TagRule(TypedDict):
    """Only statuses with these tags.

    `key`: a tag of the status.
    `value`: the value that it has to have.
    `operator`: how to compare (equal); equal unless given.
    """

    key: pulumi.Input[str]
    value: pulumi.Input[str]
    operator: NotRequired[pulumi.Input[str]]


class StatusRule(TypedDict):
    """The levels, or changes of level, that are sent.

    `current_level`: the level that is sent (OK, INFO, WARN, CRIT, UNKNOWN, ANY).
    `previous_level`: only when it was this one before (OK, INFO, WARN, CRIT, UNKNOWN, ANY).
    """

    current_level: pulumi.Input[str]
    previous_level: NotRequired[pulumi.Input[str]]


class NotificationRule(resource.Resource):
    """Sends the statuses of checks to an endpoint: those of the named levels and tags, each at most once per
    run.

    `org_id`: id of its organization.
    `name`: its name; the server allows it twice, this provider does not.
    `type`: the type of its endpoint: the same (http, slack, pagerduty).
    `endpoint_id`: id of its endpoint.
    `every`: how often it runs, such as 10m.
    `offset`: delay of each run, shorter than `every`.
    `status`: inactive: it does not run (active, inactive); active unless given.
    `description`: what it is for.
    `status_rules`: the levels, or changes of level, that are sent.
    `tag_rules`: only statuses with these tags.
    `message_template`: of slack and pagerduty: the message; `${ r.<column> }` stands for a column's value.
    `channel`: of slack: the channel, unless the endpoint has one.
    `runbook_link`: where to read what to do.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        name: pulumi.Input[str],
        type: pulumi.Input[str],
        endpoint_id: pulumi.Input[str],
        every: pulumi.Input[str],
        status_rules: pulumi.Input[Sequence[pulumi.Input[StatusRule]]],
        offset: pulumi.Input[str] | None = None,
        status: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        tag_rules: pulumi.Input[Sequence[pulumi.Input[TagRule]]] | None = None,
        message_template: pulumi.Input[str] | None = None,
        channel: pulumi.Input[str] | None = None,
        runbook_link: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "name": name,
            "type": type,
            "endpoint_id": endpoint_id,
            "every": every,
            "offset": offset,
            "status": status,
            "description": description,
            "status_rules": status_rules,
            "tag_rules": tag_rules,
            "message_template": message_template,
            "channel": channel,
            "runbook_link": runbook_link,
        }
        super().__init__("influxdb:index:NotificationRule", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def name(self) -> pulumi.Output[str]:
        """its name; the server allows it twice, this provider does not"""
        return self._output("name")

    @property
    def type(self) -> pulumi.Output[str]:
        """the type of its endpoint: the same (http, slack, pagerduty)"""
        return self._output("type")

    @property
    def endpoint_id(self) -> pulumi.Output[str]:
        """id of its endpoint"""
        return self._output("endpointId")

    @property
    def every(self) -> pulumi.Output[str]:
        """how often it runs, such as 10m"""
        return self._output("every")

    @property
    def offset(self) -> pulumi.Output[str | None]:
        """delay of each run, shorter than `every`"""
        return self._output("offset")

    @property
    def status(self) -> pulumi.Output[str]:
        """inactive: it does not run (active, inactive); active unless given"""
        return self._output("status")

    @property
    def description(self) -> pulumi.Output[str | None]:
        """what it is for"""
        return self._output("description")

    @property
    def status_rules(self) -> pulumi.Output[Sequence[StatusRule]]:
        """the levels, or changes of level, that are sent"""
        return self._output("statusRules")

    @property
    def tag_rules(self) -> pulumi.Output[Sequence[TagRule] | None]:
        """only statuses with these tags"""
        return self._output("tagRules")

    @property
    def message_template(self) -> pulumi.Output[str | None]:
        """of slack and pagerduty: the message; `${ r.<column> }` stands for a column's value"""
        return self._output("messageTemplate")

    @property
    def channel(self) -> pulumi.Output[str | None]:
        """of slack: the channel, unless the endpoint has one"""
        return self._output("channel")

    @property
    def runbook_link(self) -> pulumi.Output[str | None]:
        """where to read what to do"""
        return self._output("runbookLink")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetNotificationRuleResult:
    """What `get_notification_rule` found; its properties are those of `NotificationRule`, without secrets."""

    id: str
    org_id: str
    name: str
    type: str
    endpoint_id: str
    every: str
    offset: str | None
    status: str
    description: str | None
    status_rules: Sequence[StatusRule]
    tag_rules: Sequence[TagRule] | None
    message_template: str | None
    channel: str | None
    runbook_link: str | None


def get_notification_rule(
    *,
    id: str | None = None,
    org_id: str | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetNotificationRuleResult:
    """Looks up one notification rule on the server: by `id`, or by `org_id` and `name`. An error where there is
    none, or more than one."""
    found = resource.invoke(
        "influxdb:index:getNotificationRule", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return GetNotificationRuleResult(**resource.fields_of(GetNotificationRuleResult, found))


def get_notification_rule_output(
    *,
    id: pulumi.Input[str] | None = None,
    org_id: pulumi.Input[str] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetNotificationRuleResult]:
    """`get_notification_rule` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getNotificationRule", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return found.apply(lambda one: GetNotificationRuleResult(**resource.fields_of(GetNotificationRuleResult, one)))


_FOUND_OWN: frozenset[str] = frozenset([])
