"""The server as the archive reads it: a bucket's settings, counts by day, and the points of a span."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Self

from influxdb_connection import Connection, ConnectionSettings, ServerProblem
from operations.archive.manifest import DAY_NS, day_of, midnight, start_ns
from operations.archive.plan import HOUR_NS
from operations.influxql import InfluxQL, Series, identifier
from templates.render import flux_string, flux_time

QUERY_SECONDS = 600.0
LONGEST_RUN = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketInfo:
    """A bucket as the server describes it; `retention` None keeps for ever. `database` and `policy` are its names
    in InfluxQL, `created` when it was made (ISO 8601, UTC)."""

    name: str
    id: str
    org_id: str
    retention: timedelta | None
    shard_group: timedelta
    database: str
    policy: str
    created: str


def runs_of_days(days: Iterable[date], shard_group: timedelta) -> Iterator[list[date]]:
    """Neighbouring days of one shard group together, at most a week of them. Pure."""
    days_each = shard_group // timedelta(days=1) if shard_group % timedelta(days=1) == timedelta(0) else 1
    run: list[date] = []
    for day in sorted(days):
        # Shard groups begin at whole multiples of their width since the year 1.
        same = run and (day - run[-1]).days == 1 and day.toordinal() // days_each == run[0].toordinal() // days_each
        if run and (not same or len(run) == LONGEST_RUN):
            yield run
            run = []
        run.append(day)
    if run:
        yield run


class HomeServer:
    """One InfluxDB, with a token of the home's organization that may read (and, to restore, write) its buckets."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.flux = Connection(dataclasses.replace(settings, timeout=QUERY_SECONDS))
        self.influxql = InfluxQL(settings)

    def __repr__(self) -> str:
        return f"HomeServer(url={self.url!r}, org={self.org!r})"

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> HomeServer:
        """From INFLUXDB_URL, INFLUXDB_TOKEN (or INFLUXDB_TOKEN_FILE), INFLUXDB_ORG and INFLUXDB_CA_FILE. Raises
        WrongConnection naming what is missing."""
        return cls(ConnectionSettings.from_env(environment))

    @property
    def url(self) -> str:
        return self.settings.url

    @property
    def org(self) -> str:
        return self.settings.org

    async def __aenter__(self) -> Self:
        self._stack = contextlib.AsyncExitStack()
        await self._stack.enter_async_context(self.flux)
        await self._stack.enter_async_context(self.influxql)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def bucket(self, name: str) -> BucketInfo:
        """Raises ServerProblem where there is no such bucket that the token may read."""
        listed = await self.influxql.get("/api/v2/buckets", {"org": self.org, "name": name})
        found = next((one for one in listed.get("buckets", []) if one["name"] == name), None)
        if found is None:
            raise ServerProblem(
                f"There is no bucket {name!r} in organization {self.org!r} at {self.url} that this token may read"
            )
        mapped = await self.influxql.get("/api/v2/dbrps", {"orgID": found["orgID"], "bucketID": found["id"]})
        mapping = next(iter(mapped.get("content") or []), None)
        if mapping is None:
            raise ServerProblem(
                f"The bucket {name!r} has no name in InfluxQL: a DBRP mapping of another bucket stands in its way"
            )
        rules = [one for one in found["retentionRules"] if one.get("type", "expire") == "expire"]
        every = timedelta(seconds=rules[0]["everySeconds"] if rules else 0)
        width = rules[0].get("shardGroupDurationSeconds") if rules else None
        return BucketInfo(
            name=name,
            id=found["id"],
            org_id=found["orgID"],
            retention=every or None,
            shard_group=timedelta(seconds=width) if width else timedelta(days=7),
            database=mapping["database"],
            policy=mapping["retention_policy"],
            created=str(found.get("createdAt", "")),
        )

    async def counts(self, bucket: BucketInfo, measurement: str, days: Iterable[date]) -> dict[date, dict[str, int]]:
        """Values of each field on each of these UTC days. By Flux, which is told the organization: a second opinion
        about what InfluxQL reads. A query stays within one shard group: of a field with two types in its range, Flux
        counts only one."""
        found: dict[date, dict[str, int]] = {day: {} for day in days}
        for run in runs_of_days(found, bucket.shard_group):
            rows = await self.flux.rows(
                f"from(bucket: {flux_string(bucket.name)}) |> range(start: {flux_time(midnight(run[0]))},"
                f" stop: {flux_time(midnight(run[-1] + timedelta(days=1)))})"
                f" |> filter(fn: (r) => r._measurement == {flux_string(measurement)})"
                + (
                    ' |> group(columns: ["_field"]) |> count()'
                    if len(run) == 1
                    else ' |> aggregateWindow(every: 1d, fn: count, createEmpty: false, timeSrc: "_start")'
                    ' |> group(columns: ["_time", "_field"]) |> sum()'
                )
            )
            for row in rows:
                if row["_value"]:
                    day = run[0] if len(run) == 1 else day_of(row["_time"])
                    found[day][str(row["_field"])] = int(row["_value"])
        return found

    async def counts_of(self, bucket: BucketInfo, measurement: str, day: date) -> dict[str, int]:
        """Values of each field on one UTC day."""
        return (await self.counts(bucket, measurement, [day]))[day]

    async def hourly_counts(self, bucket: BucketInfo, measurement: str, day: date) -> list[int]:
        """Values of all fields together in each of the day's 24 hours."""
        counts = [0] * 24
        start = start_ns(day)
        query = (
            f"SELECT count(*::field) FROM {identifier(measurement)} WHERE time >= {start} AND time < {start + DAY_NS}"
            " GROUP BY time(1h) fill(0)"
        )
        async for series in self.influxql.series(query, database=bucket.database, policy=bucket.policy):
            for row in series.rows:
                counts[(row[0] - start) // HOUR_NS] += sum(count for count in row[1:] if count)
        return counts

    def points(self, bucket: BucketInfo, measurement: str, start: int, stop: int) -> AsyncIterator[Series]:
        """The points in [start, stop) nanoseconds, series by series."""
        query = f"SELECT *::field FROM {identifier(measurement)} WHERE time >= {start} AND time < {stop} GROUP BY *"
        return self.influxql.series(query, database=bucket.database, policy=bucket.policy)

    async def oldest(self, bucket: BucketInfo, measurement: str) -> date | None:
        """The UTC day of the oldest point; None where there is none."""
        rows = await self.flux.rows(
            f"from(bucket: {flux_string(bucket.name)}) |> range(start: 1970-01-01T00:00:00Z, stop: now())"
            f" |> filter(fn: (r) => r._measurement == {flux_string(measurement)})"
            ' |> first() |> keep(columns: ["_time"]) |> group() |> min(column: "_time")'
        )
        times = [row["_time"] for row in rows if isinstance(row["_time"], datetime)]
        return day_of(min(times)) if times else None

    async def other_measurements(self, bucket: BucketInfo, known: set[str]) -> list[str]:
        """What else the bucket holds."""
        found: list[str] = []
        async for series in self.influxql.series("SHOW MEASUREMENTS", database=bucket.database, policy=bucket.policy):
            found += [row[0] for row in series.rows if row[0] not in known]
        return sorted(found)


def utc_now() -> datetime:
    return datetime.now(UTC)
