"""One row per resource of a program that has every kind: how it begins, what is changed, how it drifts.

`changed`: properties that the API changes in place, with their new values. `replaced`: those that make a new resource.
Together they are all that a kind has: a test says when one is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provider.kinds import KINDS, ResourceKind
from provider.names import camel, renamed


class Ref(str):
    """The id of another resource of the program: `Ref("org")`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{self}.id"


@dataclass(frozen=True, kw_only=True)
class Life:
    kind: str
    start: Mapping[str, Any]
    changed: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, Any] = field(default_factory=dict)
    # (method, path below the resource, body) behind Pulumi's back, and the property that then differs.
    drift: tuple[str, str, Mapping[str, Any]] | None = None
    drifted: str = ""

    @property
    def on_server(self) -> ResourceKind:
        return KINDS[f"influxdb:index:{self.kind}"]

    @property
    def own_keys(self) -> frozenset[str]:
        return frozenset(one.name for one in self.on_server.table if one.kind in ("map", "any")) | {"properties"}

    def inputs(self, given: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
        """The properties as they are on the wire, with real ids."""

        def real(value: Any, _: Any) -> Any:
            return ids[str(value)] if isinstance(value, Ref) else None

        return dict(renamed(given, camel, self.own_keys, real))


def text(name: str, life: Life, given: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{key}={value!r}" for key, value in given.items())
    return f"{name} = {life.kind}({name!r}, {arguments})\n"


DAY = 86400
PIPELINE = 'from(bucket: "b") |> range(start: -1m) |> filter(fn: (r) => r._measurement == "m" and r._field == "f")'
SCRIPT = 'option task = {name: "t", every: 1h, offset: 5m}\n\nfrom(bucket: "b") |> range(start: -1h)'
NEW_ORG = {"org_id": Ref("other_org")}


def _permission(bucket: str) -> list[dict[str, Any]]:
    return [{"action": "write", "resource": {"type": "buckets", "id": Ref(bucket)}}]


def _cell(title: str, **place: int) -> dict[str, Any]:
    properties = {"shape": "chronograf-v2", "type": "markdown", "note": f"# {title}"}
    return {"name": title, "x": 0, "y": 0, "w": 4, "h": 3} | place | {"properties": properties}


def lives(unique: str) -> dict[str, Life]:
    """By the name of the resource in the program."""
    return {
        "other_org": Life(kind="Organization", start={"name": f"other-{unique}"}),
        "org": Life(
            kind="Organization",
            start={"name": f"org-{unique}"},
            changed={"name": f"new-{unique}", "description": "two"},
            drift=("PATCH", "", {"description": "drifted"}),
            drifted="description",
        ),
        "other_bucket": Life(kind="Bucket", start={"org_id": Ref("org"), "name": "other"}),
        "bucket": Life(
            kind="Bucket",
            start={"org_id": Ref("org"), "name": "b", "retention": 30 * DAY, "shard_group_duration": DAY},
            changed={
                "name": "c",
                "retention": 60 * DAY,
                "shard_group_duration": 7 * DAY,
                "description": "two",
            },
            replaced=NEW_ORG,
            drift=("PATCH", "", {"description": "drifted"}),
            drifted="description",
        ),
        "task": Life(
            kind="Task",
            start={"org_id": Ref("org"), "flux": SCRIPT, "source": "a.flux.j2"},
            changed={"flux": SCRIPT.replace("1h, offset", "2h, offset"), "status": "inactive", "description": "two"},
            replaced=NEW_ORG,
            drift=("PATCH", "", {"status": "active"}),
            drifted="status",
        ),
        "token": Life(
            kind="Authorization",
            start={"org_id": Ref("org"), "permissions": _permission("bucket"), "rotation": "2026-11"},
            changed={"description": "two", "status": "inactive"},
            replaced={"permissions": _permission("other_bucket"), "rotation": "2026-12", **NEW_ORG},
            drift=("PATCH", "", {"status": "active"}),
            drifted="status",
        ),
        "label": Life(
            kind="Label",
            start={"org_id": Ref("org"), "name": "l", "properties": {"color": "#ff0000", "my_own": "X"}},
            changed={"name": "m", "properties": {"color": "#00ff00"}},
            replaced=NEW_ORG,
            drift=("PATCH", "", {"properties": {"color": "#0000ff"}}),
            drifted="properties",
        ),
        "mapping": Life(
            kind="LabelMapping",
            start={"resource_type": "buckets", "resource_id": Ref("other_bucket"), "label_id": Ref("label")},
            replaced={"resource_type": "tasks", "resource_id": Ref("task"), "label_id": Ref("other_label")},
        ),
        "other_label": Life(kind="Label", start={"org_id": Ref("org"), "name": "other"}),
        "dbrp": Life(
            kind="Dbrp",
            start={
                "org_id": Ref("org"),
                "bucket_id": Ref("bucket"),
                "database": "d",
                "retention_policy": "r",
                "default": True,
            },
            changed={"retention_policy": "s", "default": False},
            replaced={"bucket_id": Ref("other_bucket"), "database": "e", **NEW_ORG},
            drift=("PATCH", "?orgID={org_id}", {"retention_policy": "drifted"}),
            drifted="retentionPolicy",
        ),
        "second_dbrp": Life(
            kind="Dbrp",
            start={
                "org_id": Ref("org"),
                "bucket_id": Ref("bucket"),
                "database": "d",
                "retention_policy": "second",
                "default": False,
            },
            changed={"default": True},
        ),
        "threshold": Life(
            kind="Check",
            start={
                "org_id": Ref("org"),
                "name": "threshold",
                "type": "threshold",
                "query": PIPELINE,
                "every": "1h",
                "thresholds": [{"type": "greater", "level": "CRIT", "value": 5}],
            },
            changed={
                "name": "new",
                "query": PIPELINE.replace('"f"', '"g"'),
                "every": "2h",
                "offset": "1m",
                "status": "inactive",
                "description": "two",
                "status_message_template": "it is ${ r._level }",
                "tags": {"My_tag": "x"},
                "thresholds": [{"type": "range", "level": "WARN", "min": 0, "max": 4.5, "within": True}],
            },
            replaced=NEW_ORG,
            drift=("PATCH", "", {"description": "drifted"}),
            drifted="description",
        ),
        "deadman": Life(
            kind="Check",
            start={
                "org_id": Ref("org"),
                "name": "deadman",
                "type": "deadman",
                "query": PIPELINE,
                "every": "1h",
                "time_since": "90s",
                "stale_time": "10m",
                "level": "CRIT",
            },
            changed={"time_since": "2m", "stale_time": "1h", "level": "WARN", "report_zero": True},
            replaced=NEW_ORG,
            drift=("PATCH", "", {"status": "inactive"}),
            drifted="status",
        ),
        "turned": Life(
            kind="Check",
            start={
                "org_id": Ref("org"),
                "name": "turned",
                "type": "threshold",
                "query": PIPELINE,
                "every": "1h",
                "thresholds": [{"type": "lesser", "level": "CRIT", "value": 5}],
            },
            changed={
                "type": "deadman",
                "thresholds": None,
                "time_since": "90s",
                "stale_time": "10m",
                "level": "CRIT",
            },
        ),
        "hook": Life(
            kind="NotificationEndpoint",
            start={"org_id": Ref("org"), "name": "hook", "type": "http", "url": "http://127.0.0.1:9/a"},
            changed={
                "name": "new",
                "description": "two",
                "status": "inactive",
                "url": "http://127.0.0.1:9/b",
                "method": "PUT",
                "auth_method": "basic",
                "username": "hidden-user",
                "password": "hidden-word",
                "headers": {"X-My_header": "x"},
                "content_template": "it is",
            },
            replaced={"type": "slack", **NEW_ORG},
            drift=("PATCH", "", {"description": "drifted"}),
            drifted="description",
        ),
        "slack": Life(
            kind="NotificationEndpoint",
            start={"org_id": Ref("org"), "name": "slack", "type": "slack", "url": "http://127.0.0.1:9/a"},
            changed={"token": "hidden-token"},
            drift=("PATCH", "", {"name": "drifted"}),
            drifted="name",
        ),
        "pager": Life(
            kind="NotificationEndpoint",
            start={"org_id": Ref("org"), "name": "pager", "type": "pagerduty", "routing_key": "hidden-key"},
            changed={"client_url": "http://127.0.0.1:9/c", "routing_key": "hidden-new-key"},
            drift=("PATCH", "", {"status": "inactive"}),
            drifted="status",
        ),
        "rule": Life(
            kind="NotificationRule",
            start={
                "org_id": Ref("org"),
                "name": "rule",
                "type": "slack",
                "endpoint_id": Ref("slack"),
                "every": "10m",
                "message_template": "it is",
                "status_rules": [{"current_level": "CRIT"}],
            },
            changed={
                "name": "new",
                "every": "20m",
                "offset": "1m",
                "status": "inactive",
                "description": "two",
                "message_template": "it was",
                "channel": "#home",
                "runbook_link": "http://127.0.0.1:9/read",
                "status_rules": [{"current_level": "OK", "previous_level": "CRIT"}],
                "tag_rules": [{"key": "a", "value": "b"}],
            },
            replaced=NEW_ORG,
            drift=("PATCH", "", {"description": "drifted"}),
            drifted="description",
        ),
        "rule_elsewhere": Life(
            kind="NotificationRule",
            start={
                "org_id": Ref("org"),
                "name": "elsewhere",
                "type": "slack",
                "endpoint_id": Ref("slack"),
                "every": "10m",
                "message_template": "it is",
                "status_rules": [{"current_level": "CRIT"}],
            },
            changed={"type": "pagerduty", "endpoint_id": Ref("pager")},
        ),
        "constant": Life(
            kind="Variable",
            start={"org_id": Ref("org"), "name": "rooms", "type": "constant", "values": ["a", "b"]},
            changed={"name": "places", "description": "two", "values": ["c"], "selected": ["c"]},
            replaced=NEW_ORG,
            drift=("PATCH", "", {"description": "drifted"}),
            drifted="description",
        ),
        "choice": Life(
            kind="Variable",
            start={"org_id": Ref("org"), "name": "choice", "type": "map", "map_values": {"My_room": "a"}},
            changed={"map_values": {"My_room": "b"}},
            drift=("PATCH", "", {"selected": ["My_room"]}),
            drifted="selected",
        ),
        "asked": Life(
            kind="Variable",
            start={"org_id": Ref("org"), "name": "asked", "type": "constant", "values": ["a"]},
            changed={"type": "query", "values": None, "query": "buckets()", "language": "influxql"},
        ),
        "board": Life(
            kind="Dashboard",
            start={"org_id": Ref("org"), "name": "board", "cells": [_cell("a"), _cell("b", x=4)]},
            changed={
                "name": "new",
                "description": "two",
                "cells": [_cell("a", w=6), _cell("c", x=6), _cell("d", y=3)],
            },
            replaced=NEW_ORG,
            drift=("PUT", "/cells", {"cells": []}),
            drifted="cells",
        ),
        "secret": Life(
            kind="Secret",
            start={"org_id": Ref("org"), "key": "k", "value": "hidden-value"},
            changed={"value": "hidden-new-value"},
            replaced={"key": "l", **NEW_ORG},
        ),
    }
