"""What expires soon and is not archived: for `hearthflux archive status` and for health."""

from __future__ import annotations

from datetime import date, timedelta

from operations.archive.plan import at_risk, due_days
from operations.archive.source import BucketInfo, HomeServer, utc_now
from operations.archive.store import Archive


async def expiring(server: HomeServer, archive: Archive, bucket: BucketInfo, within: timedelta) -> list[date]:
    """The days that expire within that time and of which the server has values that the archive has not.

    Raises ServerProblem and ArchiveProblem.
    """
    now = utc_now()
    days = due_days(now, bucket.retention, bucket.shard_group, within)
    stored = await server.counts(bucket, archive.measurement.name, days)
    archived = {day: one.values for day, one in archive.manifests().items()}
    return at_risk(now, bucket.retention, stored, archived, within)
