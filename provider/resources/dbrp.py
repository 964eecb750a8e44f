"""Dbrp: written by `python -m provider.codegen` from provider/kinds/dbrp.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from provider import resource


class Dbrp(resource.Resource):
    """A mapping of a database and retention policy, as InfluxDB 1 has them, to a bucket. To import one:
    `<organization id>/<id>`. The mappings that the server makes up from buckets' names are none of these.

    `org_id`: id of its organization.
    `bucket_id`: the bucket.
    `database`: the database's name.
    `retention_policy`: the retention policy's name.
    `default`: whether it is the database's default; the only mapping of a database always is.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        org_id: pulumi.Input[str],
        bucket_id: pulumi.Input[str],
        database: pulumi.Input[str],
        retention_policy: pulumi.Input[str],
        default: pulumi.Input[bool] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "org_id": org_id,
            "bucket_id": bucket_id,
            "database": database,
            "retention_policy": retention_policy,
            "default": default,
        }
        super().__init__("influxdb:index:Dbrp", resource_name, given, opts)

    @property
    def org_id(self) -> pulumi.Output[str]:
        """id of its organization"""
        return self._output("orgId")

    @property
    def bucket_id(self) -> pulumi.Output[str]:
        """the bucket"""
        return self._output("bucketId")

    @property
    def database(self) -> pulumi.Output[str]:
        """the database's name"""
        return self._output("database")

    @property
    def retention_policy(self) -> pulumi.Output[str]:
        """the retention policy's name"""
        return self._output("retentionPolicy")

    @property
    def default(self) -> pulumi.Output[bool | None]:
        """whether it is the database's default; the only mapping of a database always is"""
        return self._output("default")


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDbrpResult:
    """What `get_dbrp` found; its properties are those of `Dbrp`, without secrets."""

    id: str
    org_id: str
    bucket_id: str
    database: str
    retention_policy: str
    default: bool | None


def get_dbrp(
    *,
    org_id: str | None = None,
    database: str | None = None,
    retention_policy: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetDbrpResult:
    """Looks up one dbrp on the server: by `org_id` and `database` and `retention_policy`. An error where there
    is none, or more than one."""
    found = resource.invoke(
        "influxdb:index:getDbrp",
        {"org_id": org_id, "database": database, "retention_policy": retention_policy},
        _FOUND_OWN,
        opts,
    )
    return GetDbrpResult(**resource.fields_of(GetDbrpResult, found))


def get_dbrp_output(
    *,
    org_id: pulumi.Input[str] | None = None,
    database: pulumi.Input[str] | None = None,
    retention_policy: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[GetDbrpResult]:
    """`get_dbrp` for arguments that are outputs."""
    found = resource.invoke_output(
        "influxdb:index:getDbrp",
        {"org_id": org_id, "database": database, "retention_policy": retention_policy},
        _FOUND_OWN,
        opts,
    )
    return found.apply(lambda one: GetDbrpResult(**resource.fields_of(GetDbrpResult, one)))


_FOUND_OWN: frozenset[str] = frozenset([])
