"""The version of the contract by which a bucket was written, kept in the home's small bucket `operations`.

A point of the measurement `schema` for each bucket, written again by every `hearthflux stack up`, `archive run` and
`schema record`, so that it never expires; the newest one counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata

from event_schema import SCHEMA_VERSION, TIERS
from event_schema.operations_records import OPERATIONS_BUCKET, SCHEMA_RECORD
from influxdb_connection import Connection, ConnectionSettings, ServerProblem
from templates.render import flux_string
from writer.line_protocol import tag_text

MEASUREMENT = SCHEMA_RECORD.name


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written down for a bucket."""

    bucket: str
    version: int
    time: datetime


def prefix_of(raw_bucket: str) -> str:
    """What stands before the names of a home's buckets: `north_` of `north_events`."""
    return raw_bucket.removesuffix(TIERS.raw.bucket) if raw_bucket.endswith(TIERS.raw.bucket) else ""


def operations_bucket(raw_bucket: str) -> str:
    """Where a home keeps what is known about itself."""
    return prefix_of(raw_bucket) + OPERATIONS_BUCKET


def program_version() -> str:
    try:
        return metadata.version("hearthflux")
    except metadata.PackageNotFoundError:
        return "unknown"


async def read_version(connection: Connection, bucket: str, *, where: str) -> Recorded | None:
    """The newest record of a bucket, None where there is none. Raises ServerProblem, also where there is no `where`."""
    rows = await connection.rows(
        f"from(bucket: {flux_string(where)}) |> range(start: 1970-01-01T00:00:00Z)"
        f' |> filter(fn: (r) => r._measurement == "{MEASUREMENT}" and r._field == "version"'
        f' and r.bucket == {flux_string(bucket)}) |> group() |> sort(columns: ["_time"]) |> last()'
    )
    if not rows:
        return None
    return Recorded(bucket, int(rows[-1]["_value"]), rows[-1]["_time"])


async def write_version(connection: Connection, bucket: str, *, where: str, version: int = SCHEMA_VERSION) -> None:
    """Write the version of a bucket down, stamped by the server. Raises ServerProblem."""
    line = f'{MEASUREMENT},bucket={tag_text("bucket", bucket)} version={version}i,program="{program_version()}"'
    await connection.open()
    try:
        await connection.client.write_api().write(bucket=where, org=connection.org, record=line)
    except Exception as error:
        raise _explained(connection.problem(error), where) from None


async def keep_record(connection: Connection, bucket: str) -> str:
    """Write the program's version down for a bucket that has none or the same; "" or what is to be said. A bucket of
    another version is left alone: it has to be migrated first. Raises ServerProblem."""
    where = operations_bucket(bucket)
    recorded = await read_version(connection, bucket, where=where)
    if recorded is not None and recorded.version != SCHEMA_VERSION:
        return (
            f"{bucket} is recorded as written by schema version {recorded.version}; this program writes "
            f"{SCHEMA_VERSION}: 'hearthflux schema migrate' brings it there"
        )
    await write_version(connection, bucket, where=where)
    return ""


def keep_records(environment: Mapping[str, str]) -> str:
    """`keep_record` for the raw bucket of an environment such as `hearthflux env --operations` prints; a problem with
    the server is only told."""

    async def go() -> str:
        async with Connection(ConnectionSettings.from_env(environment)) as connection:
            return await keep_record(connection, environment["INFLUXDB_BUCKET"])

    try:
        return asyncio.run(go())
    except ServerProblem as error:
        return f"the schema's version is not recorded: {error}"


def _explained(problem: ServerProblem, where: str) -> ServerProblem:
    if "bucket" in str(problem) and "not found" in str(problem):
        return ServerProblem(
            f"There is no bucket {where!r} to keep the schema's version in that this token may write: 'hearthflux "
            "stack up' makes it, and 'hearthflux env --operations' prints a token for it"
        )
    return problem
