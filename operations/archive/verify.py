"""Whether an archive holds what it says, and whether it is what the server has: row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from operations.archive.manifest import DAY_NS, ArchiveProblem, Manifest, start_ns
from operations.archive.source import BucketInfo, HomeServer
from operations.archive.store import Archive, Progress, workspace
from operations.archive.tables import Columns, Fields, Point, PointTable, merged, points, value_counts

BATCH_ROWS = 20_000
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a day."""

    day: date
    problem: str


def check_file(archive: Archive, manifest: Manifest) -> list[Finding]:
    """Checksum, columns, rows and values of a day's file against its manifest, batch by batch."""
    try:
        with workspace(archive.target, archive.bucket) as folder, archive.opened(manifest, folder) as file:
            columns = archive.columns(manifest)
            names = [column.name for column in columns.all]
            if file.schema_arrow.names != ["time", *names]:
                return [Finding(manifest.day, "its columns are not those of its manifest")]
            rows, values = 0, dict[str, int]()
            last, first_ns = -1, start_ns(manifest.day)
            for batch in file.iter_batches(BATCH_ROWS):
                rows += batch.num_rows
                for key, count in value_counts(pa.Table.from_batches([batch]), columns).items():
                    values[key] = values.get(key, 0) + count
                times = batch.column("time").cast(pa.int64()).to_numpy()
                if len(times) and not (first_ns <= times[0] >= last and times[-1] < first_ns + DAY_NS):
                    return [Finding(manifest.day, "it holds times of another day, or out of order")]
                last = int(times[-1]) if len(times) else last
    except ArchiveProblem as error:
        return [Finding(manifest.day, str(error))]
    if rows != manifest.rows or values != manifest.values:
        return [Finding(manifest.day, f"it has {rows:,} points, its manifest says {manifest.rows:,}")]
    return []


def _parts(
    rows: Iterable[tuple[Point, Fields]], start: int, stop: int
) -> Iterator[tuple[int, int, dict[Point, Fields]]]:
    """Rows in order of time, cut where about BATCH_ROWS are together: (start, stop, the rows of that span)."""
    held: dict[Point, Fields] = {}
    last = start
    for point, fields in rows:
        if len(held) >= BATCH_ROWS and point[0] != last:
            yield start, point[0], held
            start, held = point[0], {}
        held.setdefault(point, {}).update(fields)
        last = point[0]
    yield start, stop, held


async def check_server(server: HomeServer, archive: Archive, bucket: BucketInfo, manifest: Manifest) -> list[Finding]:
    """The day's file against the server, point by point: nanoseconds, tags, every field with its type and value."""
    problems: list[str] = []
    known = archive.columns(manifest)
    begin = start_ns(manifest.day)
    with workspace(archive.target, archive.bucket) as folder, archive.opened(manifest, folder) as file:
        rows = (row for batch in file.iter_batches(BATCH_ROWS) for row in points(batch, known))
        for start, stop, archived in _parts(rows, begin, begin + DAY_NS):
            problems += differences(archived, await read(server, bucket, archive, start, stop))
    if not problems:
        return []
    shown = "; ".join(problems[:SHOWN]) + (f"; and {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else "")
    return [Finding(manifest.day, shown)]


async def read(server: HomeServer, bucket: BucketInfo, archive: Archive, start: int, stop: int) -> dict[Point, Fields]:
    columns = Columns.declared(archive.measurement)
    held = PointTable(columns)
    async for series in server.points(bucket, archive.measurement.name, start, stop):
        held.add(series)
    return merged([], points(held.table(), columns))


def differences(archived: dict[Point, Fields], stored: dict[Point, Fields]) -> list[str]:
    """One sentence for each point that is not the same in both."""
    found = []
    for point in sorted(archived.keys() | stored.keys()):
        mine, theirs = archived.get(point), stored.get(point)
        if mine == theirs:
            continue
        where = f"{point[0]} {','.join(f'{key}={value}' for key, value in point[1])}"
        if mine is None:
            found.append(f"the archive lacks the point {where}")
        elif theirs is None:
            found.append(f"the server lacks the point {where}")
        else:
            names = sorted({key for key, _ in mine.keys() ^ theirs.keys()})
            names += sorted(key[0] for key in mine.keys() & theirs.keys() if mine[key] != theirs[key])
            found.append(f"{', '.join(dict.fromkeys(names))}: other values at {where}")
    return found


async def verify(
    archive: Archive,
    days: Sequence[date],
    *,
    server: HomeServer | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """What is wrong with these archived days; with a `server` also what differs from its bucket.

    Days of which the server has nothing any more are not compared. Raises ServerProblem and ArchiveProblem.
    """
    bucket = None if server is None else await server.bucket(archive.bucket)
    stored: dict[date, dict[str, int]] = {}
    if server is not None and bucket is not None:
        stored = await server.counts(bucket, archive.measurement.name, days)
    findings: list[Finding] = []
    for number, day in enumerate(days):
        if progress is not None:
            progress(number, len(days), day)
        manifest = archive.manifests()[day]
        wrong = check_file(archive, manifest)
        findings += wrong
        if wrong or server is None or bucket is None:
            continue
        if stored[day]:
            findings += await check_server(server, archive, bucket, manifest)
    if progress is not None:
        progress(len(days), len(days), None)
    return findings
