"""What a live bucket holds: measurements, tags, field types by shard group, empty texts. Read with InfluxQL, which
tells types and empty texts apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from event_schema import Kind
from operations.archive.source import BucketInfo, HomeServer
from operations.archive.tables import KIND_OF
from operations.influxql import identifier
from templates.render import flux_string, flux_time

# A shard group begins at a whole multiple of its width since then (Go's zero time).
SHARD_EPOCH = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """[start, stop), UTC."""

    start: datetime
    stop: datetime

    @property
    def days(self) -> list[date]:
        """The UTC days that share time with it."""
        last = (self.stop - timedelta(microseconds=1)).date()
        return [self.start.date() + timedelta(days=n) for n in range((last - self.start.date()).days + 1)]

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d} to {self.stop:%Y-%m-%d}"


@dataclass(slots=True)
class BucketFacts:
    """`kinds` are the types that a field has in any shard; `where` the shard groups by (field, type) for fields with
    several or wrong types; `empty` the number of empty texts by field."""

    bucket: str
    measurements: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    kinds: dict[str, set[Kind]] = field(default_factory=dict)
    where: dict[tuple[str, Kind], list[Span]] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)


def shard_groups(start: datetime, stop: datetime, width: timedelta) -> Iterator[Span]:
    """The shard groups that share time with [start, stop)."""
    begin = SHARD_EPOCH + (start - SHARD_EPOCH) // width * width
    while begin < stop:
        yield Span(begin, begin + width)
        begin += width


async def _column(server: HomeServer, bucket: BucketInfo, query: str) -> list[list[str]]:
    return [
        row
        async for series in server.influxql.series(query, database=bucket.database, policy=bucket.policy)
        for row in series.rows
    ]


async def read_facts(server: HomeServer, bucket: BucketInfo, measurement: str) -> BucketFacts:
    """Everything but `where`, which `locate` adds. Raises ServerProblem."""
    facts = BucketFacts(bucket.name)
    facts.measurements = sorted(row[0] for row in await _column(server, bucket, "SHOW MEASUREMENTS"))
    name = identifier(measurement)
    facts.tags = sorted(row[0] for row in await _column(server, bucket, f"SHOW TAG KEYS FROM {name}"))
    for key, kind in await _column(server, bucket, f"SHOW FIELD KEYS FROM {name}"):
        facts.kinds.setdefault(key, set()).add(kind)  # type: ignore[arg-type]
    for key, kinds in facts.kinds.items():
        if "string" in kinds:
            quoted = identifier(key)
            query = f"SELECT count({quoted}::string) FROM {name} WHERE {quoted}::string = ''"
            count = sum(int(row[1] or 0) for row in await _column(server, bucket, query))
            if count:
                facts.empty[key] = count
    return facts


async def locate(
    server: HomeServer, bucket: BucketInfo, measurement: str, facts: BucketFacts, fields: list[str]
) -> None:
    """Find the shard groups in which each of these fields has which type."""
    oldest = await server.oldest(bucket, measurement)
    if oldest is None:
        return
    begin = datetime(oldest.year, oldest.month, oldest.day, tzinfo=UTC)
    for span in shard_groups(begin, datetime.now(UTC), bucket.shard_group):
        for key in fields:
            rows = await server.flux.rows(
                f"from(bucket: {flux_string(bucket.name)})"
                f" |> range(start: {flux_time(span.start)}, stop: {flux_time(span.stop)})"
                f" |> filter(fn: (r) => r._measurement == {flux_string(measurement)}"
                f" and r._field == {flux_string(key)}) |> first() |> group() |> limit(n: 1)"
            )
            for row in rows:
                kind = KIND_OF[type(row["_value"])]
                facts.where.setdefault((key, kind), []).append(span)
