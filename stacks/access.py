"""The tokens of a home, each with the least that its user needs."""

from __future__ import annotations

import pulumi

from provider import Authorization, Bucket, Permission
from stacks import moved
from stacks.rotation import rotation_of
from stacks.settings import HomeSettings
from stacks.storage import Storage


def _bucket(action: str, bucket: Bucket) -> Permission:
    return {"action": action, "resource": {"type": "buckets", "id": bucket.id}}


class Access(pulumi.ComponentResource):
    """`writer` may write raw events, `reader` may read every tier, `operations` also fills the summaries.

    `monitor` is for `hearthflux health`, `storage` and `serve`: it reads, sees the tasks and their runs, and writes
    what hearthflux records about itself.
    """

    writer: Authorization
    reader: Authorization
    operations: Authorization
    monitor: Authorization

    def __init__(self, home: HomeSettings, storage: Storage, opts: pulumi.ResourceOptions | None = None) -> None:
        name = home.named("access")
        super().__init__("hearthflux:index:Access", name, None, opts)
        buckets = list(storage.buckets.values())
        whose = f"{home.name}: " if home.prefix else ""

        def token(role: str, description: str, permissions: list[Permission]) -> Authorization:
            rotation = rotation_of(home.named(role))
            return Authorization(
                home.named(role),
                org_id=storage.organization.id,
                description=whose + description,
                permissions=permissions,
                rotation=rotation,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    aliases=moved.child("Access", name),
                    ignore_changes=[] if rotation else ["rotation"],
                ),
            )

        self.writer = token("writer", "writes raw events, nothing else", [_bucket("write", storage.buckets["raw"])])
        self.reader = token("reader", "reads every tier", [_bucket("read", bucket) for bucket in buckets])
        own_records = storage.operations_bucket
        self.operations = token(
            "operations",
            "backfill, repair, archive, migrations: reads and writes every tier and the record of the schema's version",
            [_bucket(action, bucket) for bucket in (*buckets, own_records) for action in ("read", "write")],
        )
        self.monitor = token(
            "monitor",
            "health and storage: reads every tier and the tasks, writes hearthflux's own records",
            [_bucket("read", bucket) for bucket in (*buckets, own_records)]
            + [_bucket("write", own_records), {"action": "read", "resource": {"type": "tasks"}}],
        )
        self.register_outputs({})
