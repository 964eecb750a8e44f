"""What watches a home, and whom it tells."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from flux_tasks.alerts import AlertSettings, Endpoint
from flux_tasks.specs import FluxTask
from provider import NotificationEndpoint, NotificationRule, StatusRule, TagRule, Task
from stacks.settings import HomeSettings
from stacks.storage import Storage

# From a level to another, once; whoever is told of a fault is told of its end.
CHANGES = (("ANY", "CRIT"), ("ANY", "WARN"), ("CRIT", "OK"), ("WARN", "OK"))
SECRETS = ("token", "username", "password", "routing_key")


class Alerts(pulumi.ComponentResource):
    """The checks of a home, each a task that writes statuses; with an endpoint also the rules that send them."""

    def __init__(
        self,
        home: HomeSettings,
        settings: AlertSettings,
        storage: Storage,
        tasks: Sequence[FluxTask],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("hearthflux:index:Alerts", home.named("alerts"), None, opts)
        org = storage.organization
        self.tasks = {
            task.name: Task(
                task.name,
                org_id=org.id,
                flux=task.flux,
                source=task.source,
                source_map=task.source_map,
                description=task.description,
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[*storage.buckets.values(), storage.operations_bucket]
                ),
            )
            for task in tasks
        }
        if settings.endpoint is not None:
            self._notify(home, settings, settings.endpoint, org.id)
        self.register_outputs({})

    def _notify(
        self, home: HomeSettings, settings: AlertSettings, endpoint: Endpoint, org_id: pulumi.Output[str]
    ) -> None:
        child = pulumi.ResourceOptions(parent=self)
        name = home.named("alerts")
        properties = {
            key: pulumi.Output.secret(value) if key in SECRETS else value for key, value in endpoint.properties.items()
        }
        told = NotificationEndpoint(name, org_id=org_id, name=name, type=endpoint.type, opts=child, **properties)
        own: TagRule = {"key": "home", "value": home.name}
        changes: list[StatusRule] = [{"current_level": now, "previous_level": before} for before, now in CHANGES]
        still_critical: list[StatusRule] = [{"current_level": "CRIT"}]
        reminder: TagRule = {"key": "reminder", "value": "yes"}
        for rule, statuses, tags in (("changes", changes, [own]), ("reminders", still_critical, [own, reminder])):
            NotificationRule(
                f"{name}_{rule}",
                org_id=org_id,
                name=f"{name}_{rule}",
                type=endpoint.type,
                endpoint_id=told.id,
                every=settings.rule_every,
                status_rules=statuses,
                tag_rules=tags,
                message_template=None if endpoint.type == "http" else "${ r._message }",
                opts=child,
            )
