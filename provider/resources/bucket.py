"""Bucket: written by `python -m provider.codegen` from provider/kinds/bucket.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from provider import resource


class Bucket(resource.Resource):
    """A bucket: where points are stored, for how long, and in shard groups of which width.

    `org_id`: id of its organization.
    `name`: its name, unique in its organization.
    `retention`: seconds a point is kept, 0 for ever; 0 unless given.
    `shard_group_duration`: seconds that one shard group covers; expired data go a whole group at a time.
    `description`: what it is for.
    `allow_data_loss`: true: it may be shortened, replaced or deleted with the data in it; False unless given.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        name: pulumi.Input[str],
        retention: pulumi.Input[int] | None = None,
        shard_group_duration: pulumi.Input[int] | None = None,
        description: pulumi.Input[str] | None = None,
        allow_data_loss: pulumi.Input[bool] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "name": name,
            "retention": retention,
            "shard_group_duration": shard_group_duration,
            "description": description,
            "allow_data_loss": allow_data_loss,
        }
        super().__init__("influxdb:index:Bucket", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def name(self) -> pulumi.Output[str]:
        """its name, unique in its organization"""
        return self._output("name")

    @property
    def retention(self) -> pulumi.Output[int]:
        """seconds a point is kept, 0 for ever; 0 unless given"""
        return self._output("retention")

    @property
    def shard_group_duration(self) -> pulumi.Output[int | None]:
        """seconds that one shard group covers; expired data go a whole group at a time"""
        return self._output("shardGroupDuration")

    @property
    def description(self) -> pulumi.Output[str | None]:
        """what it is for"""
        return self._output("description")

    @property
    def allow_data_loss(self) -> pulumi.Output[bool]:
        """true: it may be shortened, replaced or deleted with the data in it; False unless given"""
        return self._output("allowDataLoss")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBucketResult:
    """What `get_bucket` found; its properties are those of `Bucket`, without secrets."""

    id: str
    org_id: str
    name: str
    retention: int
    shard_group_duration: int | None
    description: str | None


def get_bucket(
    *,
    id: str | None = None,
    org_id: str | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetBucketResult:
    """Looks up one bucket on the server: by `id`, or by `org_id` and `name`. An error where there is none, or
    more than one."""
    found = resource.invoke("influxdb:index:getBucket", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts)
    return GetBucketResult(**resource.fields_of(GetBucketResult, found))


def get_bucket_output(
    *,
    id: pulumi.Input[str] | None = None,
    org_id: pulumi.Input[str] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetBucketResult]:
    """`get_bucket` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getBucket", {"id": id, "org_id": org_id, "name": name}, _FOUND_OWN, opts
    )
    return found.apply(lambda one: GetBucketResult(**resource.fields_of(GetBucketResult, one)))


_FOUND_OWN: frozenset[str] = frozenset([])
