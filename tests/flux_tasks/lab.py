"""A home on the real server with buckets of its own: events in, scripts run, stored rows out."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from event_schema import HOME_ASSISTANT_EVENTS, TIERS, Event, Tiers
from flux_tasks import Downsample, downsamples
from flux_tasks.specs import LATE_HORIZON
from influxdb_connection import parse
from operations.influxd import LocalInfluxd
from tests.reference import Key, Row, ns
from writer.encoder import Encoder


class Lab:
    """Buckets for one example; `hourly` and `daily` are its specs, `zone` its home's."""

    def __init__(self, influxd: LocalInfluxd, name: str, zone: str = "UTC", horizon: timedelta = LATE_HORIZON) -> None:
        self.influxd = influxd
        self.zone = ZoneInfo(zone)
        self.org_id = influxd.org_id
        self.tiers = Tiers(replace(tier, bucket=f"{name}_{tier.bucket}", retention=None) for tier in TIERS)
        self.hourly, self.daily = downsamples(self.tiers, zone, horizon=horizon)
        self.bucket_ids: dict[str, str] = {}
        for tier in self.tiers:
            rule = {"everySeconds": 0, "shardGroupDurationSeconds": int(tier.shard_group_duration.total_seconds())}
            made = influxd.api(
                "POST", "/api/v2/buckets", {"orgID": self.org_id, "name": tier.bucket, "retentionRules": [rule]}
            )
            self.bucket_ids[tier.name] = made["id"]

    def close(self) -> None:
        for bucket in self.bucket_ids.values():
            self.influxd.api("DELETE", f"/api/v2/buckets/{bucket}")

    def _post(self, path: str, body: bytes, content_type: str) -> str:
        request = urllib.request.Request(
            self.influxd.url + path,
            method="POST",
            headers={"Authorization": f"Token {self.influxd.token}", "Content-Type": content_type},
            data=body,
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def write(self, events: Iterable[Event]) -> None:
        """One delivery."""
        encode = Encoder(HOME_ASSISTANT_EVENTS).encode
        body = b"\n".join(encode(event) for event in events)
        if body:
            self._post(f"/api/v2/write?org={self.influxd.org}&bucket={self.tiers.raw.bucket}", body, "text/plain")

    def delete(self, tier: str, start: datetime, stop: datetime) -> None:
        """What expiry does: everything of a tier in [start, stop) is gone."""
        span = {"start": start.isoformat(), "stop": (stop - timedelta(microseconds=1)).isoformat()}
        bucket = self.tiers[tier].bucket
        body = json.dumps({**span, "predicate": ""}).encode()
        self._post(f"/api/v2/delete?org={self.influxd.org}&bucket={bucket}", body, "application/json")

    def run(self, flux: str, now: datetime | None = None) -> list[dict[str, object]]:
        """Run a script, a task's too, as if it were `now`."""
        dialect = {"header": True, "annotations": ["datatype", "group", "default"]}
        body: dict[str, object] = {"query": flux, "type": "flux", "dialect": dialect}
        if now is not None:
            body["now"] = now.astimezone(UTC).isoformat().replace("+00:00", "Z")
        answer = self._post(f"/api/v2/query?org={self.influxd.org}", json.dumps(body).encode(), "application/json")
        return parse(answer)

    def run_tasks(self, spec: Downsample, now: datetime, missed: Callable[[], bool] = lambda: False) -> None:
        """The scheduled tasks of a tier, but for the reconciling one; `missed` is asked for each."""
        for task in spec.tasks():
            if "reconcile" not in task.name and not missed():
                self.run(task.flux, now)

    def reconcile(self, spec: Downsample, now: datetime) -> None:
        (task,) = (task for task in spec.tasks() if "reconcile" in task.name)
        self.run(task.flux, now)

    def stored(self, tier: str) -> dict[Key, Row]:
        """Every row of a tier."""
        rows: dict[Key, Row] = defaultdict(dict)
        chosen = self.tiers[tier]
        for row in self.run(
            f'from(bucket: "{chosen.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
            f' |> filter(fn: (r) => r._measurement == "{chosen.measurement}") |> drop(columns: ["_start", "_stop"])'
        ):
            moment = row["_time"]
            assert isinstance(moment, datetime), row
            key = (str(row["entity_id"]), str(row.get("domain") or ""), str(row.get("device_class") or ""), ns(moment))
            rows[key][str(row["_field"])] = row["_value"]  # type: ignore[assignment]
        return dict(rows)
