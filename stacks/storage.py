"""The organization and its buckets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pulumi

from provider import Bucket, Organization
from stacks.settings import HomeSettings


def seconds(length: timedelta | None) -> int:
    """Whole seconds; None (for ever) is 0, as InfluxDB says it."""
    return 0 if length is None else int(length.total_seconds())


class Storage(pulumi.ComponentResource):
    """One organization with one bucket per tier; `buckets` by the tier's name."""

    organization: Organization
    buckets: Mapping[str, Bucket]

    def __init__(self, name: str, settings: HomeSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("hearthflux:index:Storage", name, None, opts)
        self.organization = Organization(
            "organization",
            name=settings.organization,
            description="Home Assistant's history",
            opts=pulumi.ResourceOptions(parent=self, protect=settings.protect),
        )
        self.buckets = {
            tier.name: Bucket(
                tier.bucket,
                org_id=self.organization.id,
                name=tier.bucket,
                retention=seconds(tier.retention),
                shard_group_duration=seconds(tier.shard_group_duration),
                description=f"{tier.name} tier, measurement {tier.measurement}",
                allow_data_loss=tier.bucket in settings.allow_data_loss,
                # A bucket that may not lose data is protected: to drop it is refused at preview already.
                opts=pulumi.ResourceOptions(parent=self, protect=tier.bucket not in settings.allow_data_loss),
            )
            for tier in settings.tiers
        }
        self.register_outputs({})
