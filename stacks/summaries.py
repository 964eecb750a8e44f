"""The downsampling tasks, generated from their templates."""

from __future__ import annotations

import pulumi

from flux_tasks.specs import home_tasks
from provider import Task
from stacks.settings import HomeSettings
from stacks.storage import Storage


class Summaries(pulumi.ComponentResource):
    """One task per summary tier."""

    def __init__(
        self, name: str, storage: Storage, settings: HomeSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("hearthflux:index:Summaries", name, None, opts)
        self.tasks = {
            task.name: Task(
                task.name,
                org_id=storage.organization.id,
                flux=task.flux,
                source=task.source,
                description=task.description,
                # A task whose buckets are not there yet would fail its first run.
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(storage.buckets.values())),
            )
            for task in home_tasks(settings.tiers, settings.time_zone)
        }
        self.register_outputs({})
