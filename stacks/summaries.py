"""The downsampling tasks of a home, generated from their templates."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from flux_tasks.specs import FluxTask
from provider import Task
from stacks import moved
from stacks.settings import HomeSettings
from stacks.storage import Storage


class Summaries(pulumi.ComponentResource):
    """The tasks that fill the summary tiers."""

    def __init__(
        self,
        home: HomeSettings,
        storage: Storage,
        tasks: Sequence[FluxTask],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        name = home.named("summaries")
        super().__init__("hearthflux:index:Summaries", name, None, opts)
        self.tasks = {
            task.name: Task(
                task.name,
                org_id=storage.organization.id,
                flux=task.flux,
                source=task.source,
                source_map=task.source_map,
                description=task.description,
                # A task whose buckets are not there yet would fail its first run.
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=list(storage.buckets.values()),
                    aliases=moved.child("Summaries", name),
                ),
            )
            for task in tasks
        }
        self.register_outputs({})
