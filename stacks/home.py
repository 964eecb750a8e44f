"""A home: everything in the database that is its own."""

from __future__ import annotations

from typing import Any

import pulumi

from provider import Organization
from stacks import moved
from stacks.access import Access
from stacks.alerts import Alerts
from stacks.refusals import Tasks
from stacks.settings import HomeSettings
from stacks.storage import Storage
from stacks.summaries import Summaries


class Home(pulumi.ComponentResource):
    """One home's buckets, tasks and tokens in an organization; `outputs` is what its pipeline needs to know."""

    def __init__(
        self,
        home: HomeSettings,
        organization: Organization,
        tasks: Tasks,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("hearthflux:index:Home", home.name, None, opts)
        child = pulumi.ResourceOptions(parent=self, aliases=moved.component(home))
        self.storage = Storage(home, organization, child)
        self.summaries = Summaries(home, self.storage, tasks.summaries, child)
        self.access = Access(home, self.storage, child)
        if home.alerts is not None:
            self.alerts = Alerts(home, home.alerts, self.storage, tasks.alerts, pulumi.ResourceOptions(parent=self))
        self.outputs: dict[str, Any] = {
            "org": organization.name,
            "org_id": organization.id,
            "buckets": {tier: bucket.name for tier, bucket in self.storage.buckets.items()},
            "operations_bucket": self.storage.operations_bucket.name,
            "retention_days": {tier.name: tier.retention.days if tier.retention else 0 for tier in home.tiers},
            "time_zone": home.time_zone,
            "writer_token": self.access.writer.token,
            "reader_token": self.access.reader.token,
            "operations_token": self.access.operations.token,
            "monitor_token": self.access.monitor.token,
        }
        if home.prefix:
            self.outputs["bucket_prefix"] = home.prefix
        self.register_outputs({})
