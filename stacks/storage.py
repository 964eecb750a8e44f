"""The buckets of a home."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pulumi

from event_schema.operations_records import OPERATIONS_RETENTION, OPERATIONS_SHARD_GROUP
from provider import Bucket, Organization
from stacks import moved
from stacks.settings import HomeSettings


def seconds(length: timedelta | None) -> int:
    """Whole seconds; None (for ever) is 0, as InfluxDB says it."""
    return 0 if length is None else int(length.total_seconds())


class Storage(pulumi.ComponentResource):
    """One bucket per tier, `buckets` by the tier's name; and one for what hearthflux records about itself."""

    organization: Organization
    buckets: Mapping[str, Bucket]
    operations_bucket: Bucket

    def __init__(
        self, home: HomeSettings, organization: Organization, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        name = home.named("storage")
        super().__init__("hearthflux:index:Storage", name, None, opts)
        self.organization = organization
        self.buckets = {
            tier.name: Bucket(
                tier.bucket,
                org_id=organization.id,
                name=tier.bucket,
                retention=seconds(tier.retention),
                shard_group_duration=seconds(tier.shard_group_duration),
                description=f"{tier.name} tier, measurement {tier.measurement}",
                allow_data_loss=tier.bucket in home.allow_data_loss,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # A bucket that may not lose data is protected: to drop it is refused at preview already.
                    protect=home.protect or tier.bucket not in home.allow_data_loss,
                    aliases=moved.child("Storage", name),
                ),
            )
            for tier in home.tiers
        }
        self.operations_bucket = Bucket(
            home.operations_bucket,
            org_id=organization.id,
            name=home.operations_bucket,
            retention=seconds(OPERATIONS_RETENTION),
            shard_group_duration=seconds(OPERATIONS_SHARD_GROUP),
            description="sizes, disk, spool and health, recorded by hearthflux itself",
            allow_data_loss=True,
            opts=pulumi.ResourceOptions(parent=self, protect=home.protect),
        )
        self.register_outputs({})
