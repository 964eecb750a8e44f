"""The buckets of a home."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pulumi

from provider import Bucket, Organization
from stacks import moved
from stacks.settings import HomeSettings


def seconds(length: timedelta | None) -> int:
    """Whole seconds; None (for ever) is 0, as InfluxDB says it."""
    return 0 if length is None else int(length.total_seconds())


class Storage(pulumi.ComponentResource):
    """One bucket per tier; `buckets` by the tier's name."""

    organization: Organization
    buckets: Mapping[str, Bucket]

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
        self.register_outputs({})
