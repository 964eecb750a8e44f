"""A home whose history has seams: days are stored until the day before yesterday, hours until this morning, the rest
is raw. Its rows are those of the reference, so the reader is tested without the tasks."""

from __future__ import annotations

import dataclasses
import secrets
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from event_schema import SUMMARY_FIELDS, TIERS, Tiers
from operations.influxd import LocalInfluxd
from reader import ReaderSettings, SummaryReader
from tests.reader.reference import Said, day_begins, local_day, ns, summary

HOUR = timedelta(hours=1)
WHOLE = {one.name for one in SUMMARY_FIELDS if one.kind == "integer"}
Lines = list[str]


def escaped(text: str) -> str:
    return text.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


def around(told: Sequence[Said], begin: datetime, end: datetime) -> Sequence[Said]:
    """What was said in [begin, end) and in the nine days before; `told` is in order."""
    first = bisect_left(told, begin - timedelta(days=9), key=lambda one: one.at)
    return told[first : bisect_left(told, end, key=lambda one: one.at)]


@dataclass
class Home:
    """Buckets of its own on the shared server, and what is written into them."""

    server: LocalInfluxd
    tiers: Tiers
    zone: ZoneInfo
    lines: dict[str, Lines] = field(default_factory=dict)

    def settings(self, **changed: Any) -> ReaderSettings:
        given: dict[str, Any] = {
            "url": self.server.url,
            "token": self.server.token,
            "org": self.server.org,
            "tiers": self.tiers,
            "time_zone": self.zone.key,
        }
        return ReaderSettings(**(given | changed))

    def reader(self, **changed: Any) -> SummaryReader:
        return SummaryReader(self.settings(**changed))

    def tell(self, entity_id: str, said: Sequence[Said]) -> None:
        """Raw events."""
        domain = entity_id.partition(".")[0]
        for one in said:
            tags = f"home_assistant_events,domain={escaped(domain)},entity_id={escaped(entity_id)}"
            tags += f",device_class={one.device_class}" if one.device_class else ""
            tags += f",area={escaped(one.area)}" if one.area else ""
            tags += f",time_of_day={'night' if one.at.hour < 6 else 'day'}"
            fields = f'state_value="{one.state}"'
            fields += f",normalized_value={one.number}" if one.number is not None else ""
            fields += f",energy_consumption={one.energy}" if one.energy is not None else ""
            self.lines.setdefault("raw", []).append(f"{tags} {fields} {one.ns}")

    def store(self, tier: str, entity_id: str, start: datetime, said: Sequence[Said], values: dict[str, float]) -> None:
        """A row of a summary."""
        domain = entity_id.partition(".")[0]
        device_class = next((one.device_class for one in reversed(said) if one.device_class), "")
        tags = f"{self.tiers[tier].measurement},domain={escaped(domain)},entity_id={escaped(entity_id)}"
        tags += f",device_class={device_class}" if device_class else ""
        fields = ",".join(f"{name}={f'{value}i' if name in WHOLE else value}" for name, value in values.items())
        self.lines.setdefault(tier, []).append(f"{tags} {fields} {ns(start)}")

    def live(
        self, entity_id: str, said: Sequence[Said], days_until: datetime, hours_until: datetime, hour_days: int = 14
    ) -> None:
        """A life of an entity: its days until one moment, its last hours until another, and its newest raw events."""
        domain = entity_id.partition(".")[0]
        told = sorted(said, key=lambda one: one.ns)
        self.tell(entity_id, around(told, hours_until - timedelta(days=3), datetime.max.replace(tzinfo=UTC)))
        for ordinal in sorted({local_day(one.at, self.zone) for one in told}):
            begin, end = day_begins(ordinal, self.zone), day_begins(ordinal + 1, self.zone)
            if end <= days_until:
                self._stored("daily", entity_id, domain, around(told, begin, end), begin, end)
        for begin in sorted({one.at.replace(minute=0, second=0, microsecond=0) for one in told}):
            if hours_until - timedelta(days=hour_days) <= begin < hours_until:
                self._stored("hourly", entity_id, domain, around(told, begin, begin + HOUR), begin, begin + HOUR)

    def _stored(
        self, tier: str, entity_id: str, domain: str, near: Sequence[Said], begin: datetime, end: datetime
    ) -> None:
        values = summary(domain, near, begin, end, self.zone)
        if values is not None:
            self.store(tier, entity_id, begin, [one for one in near if one.at >= begin], values)

    def write(self) -> None:
        for tier, lines in self.lines.items():
            self.server.write(self.tiers[tier].bucket, "\n".join(lines))
        self.lines.clear()


MakeHome = Callable[..., Home]


@pytest.fixture(scope="module")
def make_home(influxd: LocalInfluxd) -> Iterator[MakeHome]:
    """Makes homes; `kept` is how long each tier's bucket keeps points, for ever if it does not say."""
    made: list[str] = []

    def make(zone: str = "UTC", kept: dict[str, timedelta] | None = None) -> Home:
        prefix = f"reader_{secrets.token_hex(4)}_"
        for tier in TIERS:
            seconds = int((kept or {}).get(tier.name, timedelta(0)).total_seconds())
            rule = {"everySeconds": seconds, "shardGroupDurationSeconds": 3650 * 86_400}
            if seconds:
                rule = {"everySeconds": seconds}
            answer = influxd.api(
                "POST",
                "/api/v2/buckets",
                {"orgID": influxd.org_id, "name": prefix + tier.bucket, "retentionRules": [rule]},
            )
            made.append(answer["id"])
        tiers = Tiers(dataclasses.replace(tier, bucket=prefix + tier.bucket) for tier in TIERS)
        return Home(influxd, tiers, ZoneInfo(zone))

    yield make
    for bucket in made:
        influxd.api("DELETE", f"/api/v2/buckets/{bucket}")
