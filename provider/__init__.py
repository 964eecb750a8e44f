"""A Pulumi resource provider for InfluxDB 2, and the resource classes for Python programs.

    from provider import Authorization, Bucket, Organization, Task

    org = Organization("home", name="home_assistant")
    events = Bucket(
        "events",
        org_id=org.id,
        name="events",
        retention=365 * 86400,              # seconds, 0 keeps for ever
        shard_group_duration=7 * 86400,     # seconds
        allow_data_loss=False,              # True: may be shortened, replaced or deleted with what is in it
    )
    Task("hourly", org_id=org.id, flux=script, source="templates/downsample/hourly.flux.j2")
    token = Authorization(
        "writer",
        org_id=org.id,
        permissions=[{"action": "write", "resource": {"type": "buckets", "id": events.id}}],
    ).token                                 # a secret output

and likewise `Check`, `NotificationEndpoint`, `NotificationRule`, `Label`, `LabelMapping`, `Dbrp`, `Variable`,
`Dashboard`, `Secret`; a kind has a lookup (`get_bucket(org_id=..., name=...)`). See docs/provider.md.

Configuration: `influxdb:url`, `influxdb:token` (secret) and `influxdb:flavor`, or INFLUXDB_URL, INFLUXDB_TOKEN and
INFLUXDB_FLAVOR. Importing a class loads pulumi; the plugin's own side (`provider.plugin`) does not load the classes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provider.resources import *  # noqa: F403


def __getattr__(name: str) -> Any:
    # The classes, their types and the lookups; every other name is a module of this package.
    if name[:1].isupper() or name.startswith("get_"):
        resources = import_module("provider.resources")
        if name in resources.__all__:
            return getattr(resources, name)
    raise AttributeError(f"module 'provider' has no attribute {name!r}")
