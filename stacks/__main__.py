"""The Pulumi program: `pulumi up --stack dev`."""

from __future__ import annotations

import os

import pulumi

from stacks.access import Access
from stacks.settings import WrongSetting, load
from stacks.storage import Storage
from stacks.summaries import Summaries


def main() -> None:
    config = pulumi.Config("hearthflux")
    structured = ("retentionDays", "shardGroupDays", "allowDataLoss", "protect")
    try:
        settings = load(lambda name: config.get_object(name) if name in structured else config.get(name))
    except WrongSetting as error:
        raise pulumi.RunError(str(error)) from None
    storage = Storage("storage", settings)
    Summaries("summaries", storage, settings)
    access = Access("access", storage)
    pulumi.export("url", pulumi.Config("influxdb").get("url") or os.environ.get("INFLUXDB_URL", ""))
    pulumi.export("org", storage.organization.name)
    pulumi.export("org_id", storage.organization.id)
    pulumi.export("buckets", {tier: bucket.name for tier, bucket in storage.buckets.items()})
    pulumi.export("retention_days", {t.name: t.retention.days if t.retention else 0 for t in settings.tiers})
    pulumi.export("time_zone", settings.time_zone)
    pulumi.export("writer_token", access.writer.token)
    pulumi.export("reader_token", access.reader.token)
    pulumi.export("operations_token", access.operations.token)


main()
