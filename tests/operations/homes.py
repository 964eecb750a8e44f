"""A home on the real server without Pulumi: its organization, buckets, tasks and tokens, made in a moment."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flux_tasks.specs import home_tasks
from influxdb_connection import ConnectionSettings
from operations.influxd import LocalInfluxd
from operations.watched_server import WatchedServer
from stacks.settings import HomeSettings, load


@dataclass
class LiveHome:
    """What was made. `write` takes lines with times in seconds."""

    influxd: LocalInfluxd
    settings: HomeSettings
    org_id: str
    buckets: dict[str, str]
    tasks: dict[str, str] = field(default_factory=dict)

    @property
    def org(self) -> str:
        return self.settings.organization

    def variables(self, token: str | None = None) -> dict[str, str]:
        return {
            "INFLUXDB_URL": self.influxd.url,
            "INFLUXDB_TOKEN": token or self.influxd.token,
            "INFLUXDB_ORG": self.org,
        }

    def server(self, token: str | None = None) -> WatchedServer:
        return WatchedServer(
            ConnectionSettings(url=self.influxd.url, token=token or self.influxd.token, org=self.org, timeout=30)
        )

    def write(self, bucket: str, lines: str) -> None:
        self.influxd.write(bucket, lines, org=self.org, precision="s")

    def event(self, entity: str, age: timedelta, value: float = 1.0, tags: str = "") -> None:
        at = int(time.time() - age.total_seconds())
        series = f"home_assistant_events,entity_id={entity},domain=sensor{tags}"
        self.write(self.settings.tiers.raw.bucket, f'{series} state_value="{value}",normalized_value={value} {at}')

    def token(self, *permissions: tuple[str, str]) -> tuple[str, str]:
        """(token, id) with (action, bucket's name or a kind of resource) pairs."""
        granted: list[dict[str, Any]] = []
        for action, what in permissions:
            resource = {"type": "buckets", "id": self.buckets[what]} if what in self.buckets else {"type": what}
            granted.append({"action": action, "resource": {**resource, "orgID": self.org_id}})
        made = self.influxd.api("POST", "/api/v2/authorizations", {"orgID": self.org_id, "permissions": granted})
        return str(made["token"]), str(made["id"])

    def monitor_token(self) -> str:
        """What the stack's `monitor` token may do."""
        tiers = [("read", bucket) for bucket in self.settings.buckets]
        own = self.settings.operations_bucket
        return self.token(*tiers, ("read", own), ("write", own), ("read", "tasks"))[0]


def make_home(influxd: LocalInfluxd, name: str, *, tasks: bool = False, **config: Any) -> LiveHome:
    """A home in an organization of its own; `config` as in a stack's configuration."""
    settings = load({"organization": name, **config}, {}).homes[0]
    org_id = influxd.api("POST", "/api/v2/orgs", {"name": name})["id"]
    widths = [(tier.bucket, tier.retention, tier.shard_group_duration) for tier in settings.tiers]
    widths.append((settings.operations_bucket, timedelta(days=730), timedelta(days=30)))
    buckets = {}
    for bucket, retention, width in widths:
        rule = {
            "type": "expire",
            "everySeconds": int(retention.total_seconds()) if retention else 0,
            "shardGroupDurationSeconds": int(width.total_seconds()),
        }
        made = influxd.api("POST", "/api/v2/buckets", {"orgID": org_id, "name": bucket, "retentionRules": [rule]})
        buckets[bucket] = made["id"]
    home = LiveHome(influxd, settings, org_id, buckets)
    for task in home_tasks(settings.tiers, settings.time_zone) if tasks else ():
        made = influxd.api("POST", "/api/v2/tasks", {"orgID": org_id, "flux": task.flux})
        home.tasks[task.name] = made["id"]
    return home
