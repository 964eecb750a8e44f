"""Days from the server into the archive. Safe to kill at any moment and to run again: a day is there or it is not.

A day is read in slices, each spilled to a draft on disk, so that memory holds one slice. What was read has to be as
many values of each field as the server counts before the day gets its name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from operations.archive.manifest import DAY_NS, Manifest, start_ns
from operations.archive.plan import SLICE_VALUES, Action, decide, slices
from operations.archive.source import BucketInfo, HomeServer, runs_of_days
from operations.archive.store import Archive, Progress, workspace
from operations.archive.tables import Columns, PointTable, aligned, merged, points, table_of, value_counts

ATTEMPTS = 3


@dataclass(slots=True)
class ExportReport:
    """What became of the days that were looked at. `kept` are those of which the archive has more than the server,
    `failed` says why by day, `not_archived` names other measurements of the bucket."""

    looked_at: int = 0
    exported: int = 0
    again: int = 0
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    bytes: int = 0
    not_archived: list[str] = field(default_factory=list)

    def __iadd__(self, other: ExportReport) -> ExportReport:
        """Together with the report of another measurement."""
        for name in ("looked_at", "exported", "again", "rows", "bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.kept += other.kept
        self.failed |= other.failed
        self.not_archived = other.not_archived
        return self

    @property
    def ok(self) -> bool:
        return not self.failed

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}


class DayChanged(Exception):
    """What was read is not what was counted."""


@dataclass(slots=True)
class Pace:
    """Holds work back to `rows_per_second` on average, so that a small server is not kept busy by it."""

    rows_per_second: float | None = None
    _started: float = field(default_factory=time.monotonic)
    _rows: int = 0

    async def after(self, rows: int) -> None:
        if self.rows_per_second:
            self._rows += rows
            await asyncio.sleep(max(0.0, self._rows / self.rows_per_second - (time.monotonic() - self._started)))


async def export(
    server: HomeServer,
    archive: Archive,
    days: Sequence[date],
    *,
    replace: bool = False,
    pace: Pace | None = None,
    progress: Progress | None = None,
    slice_values: int = SLICE_VALUES,
    declared: Collection[str] = (),
) -> ExportReport:
    """Bring each of the days into the archive where the server has more of it than the archive has.

    `replace` also writes a day again of which the server has less. `declared` are the bucket's other measurements that
    have archives of their own. `progress(done, total, day)` counts days. A day
    that fails is told in the report and the others are done. Raises ServerProblem and ArchiveProblem for what
    concerns all of them.
    """
    bucket = await server.bucket(archive.bucket)
    others = await server.other_measurements(bucket, {archive.measurement.name, *declared})
    report = ExportReport(not_archived=others)
    with archive.target.locked(archive.bucket), workspace(archive.target, archive.bucket) as folder:
        job = _Job(server, archive, bucket, pace or Pace(), slice_values, folder)
        archive.remove_leftovers()
        number = 0
        for run in runs_of_days(days, bucket.shard_group):
            stored = await server.counts(bucket, archive.measurement.name, run)
            for day in run:
                if progress is not None:
                    progress(number, len(days), day)
                await _one_day(job, day, stored[day], replace, report)
                number += 1
        if progress is not None:
            progress(len(days), len(days), None)
    return report


@dataclass(frozen=True, slots=True)
class _Job:
    server: HomeServer
    archive: Archive
    bucket: BucketInfo
    pace: Pace
    slice_values: int
    folder: Path


async def _one_day(job: _Job, day: date, stored: dict[str, int], replace: bool, report: ExportReport) -> None:
    archive = job.archive
    report.looked_at += 1
    for attempt in range(1, ATTEMPTS + 1):
        before = archive.manifests().get(day)
        action = decide(stored, before.values if before is not None else None, replace=replace)
        if action is Action.KEEP:
            report.kept.append(day.isoformat())
        if action in (Action.KEEP, Action.NOTHING):
            return
        try:
            manifest = await _write(job, day, stored, before if action is Action.MERGE else None)
        except DayChanged as error:
            if attempt == ATTEMPTS:
                report.failed[day.isoformat()] = str(error)
            stored = await job.server.counts_of(job.bucket, archive.measurement.name, day)
            continue
        report.exported += before is None
        report.again += before is not None
        report.rows += manifest.rows
        report.bytes += manifest.bytes
        return


async def _write(job: _Job, day: date, stored: dict[str, int], before: Manifest | None) -> Manifest:
    archive = job.archive
    columns = Columns.declared(archive.measurement)
    for column in before.columns if before is not None else ():
        columns.add(column.role, column.key, column.kind)
    spans = await _spans(job, day, sum(stored.values()))
    drafts: list[pa.Table | Path] = []
    read: dict[str, int] = {}
    for start, stop in spans:
        held = PointTable(columns)
        async for series in job.server.points(job.bucket, archive.measurement.name, start, stop):
            held.add(series)
        table = held.table()
        for key, count in value_counts(table, columns).items():
            read[key] = read.get(key, 0) + count
        drafts.append(table if len(spans) == 1 else _spilled(table, job.folder / f"{day}-{len(drafts)}.arrow"))
        await job.pace.after(table.num_rows)
    if read != stored:
        raise DayChanged(_difference(archive, stored, read))
    tables = _slices(drafts, columns)
    if before is None:
        return archive.write_day(day, columns, tables, job.folder)
    with archive.opened(before, job.folder) as archived:
        both = _with_archived(archived, archive.columns(before), spans, tables, columns)
        return archive.write_day(day, columns, both, job.folder)


async def _spans(job: _Job, day: date, values: int) -> list[tuple[int, int]]:
    start = start_ns(day)
    longest = min(DAY_NS, int(job.bucket.shard_group.total_seconds()) * 1_000_000_000)
    if values <= job.slice_values and longest == DAY_NS:
        return [(start, start + DAY_NS)]
    hours = await job.server.hourly_counts(job.bucket, job.archive.measurement.name, day)
    return slices(start, hours, most=job.slice_values, longest=longest)


def _spilled(table: pa.Table, place: Path) -> Path:
    with pa.OSFile(str(place), "wb") as sink, pa.ipc.new_file(sink, table.schema) as output:
        output.write_table(table)
    return place


def _slices(drafts: Sequence[pa.Table | Path], columns: Columns) -> Iterator[pa.Table]:
    for draft in drafts:
        if isinstance(draft, Path):
            with pa.memory_map(str(draft)) as source:
                yield aligned(pa.ipc.open_file(source).read_all(), columns)
            draft.unlink()
        else:
            yield aligned(draft, columns)


def _with_archived(
    archived: pq.ParquetFile,
    known: Columns,
    spans: Sequence[tuple[int, int]],
    tables: Iterator[pa.Table],
    columns: Columns,
) -> Iterator[pa.Table]:
    """Each slice together with the archive's points of its time."""
    whole = archived.read()
    times = whole.column("time").cast(pa.int64()).to_numpy()
    for (start, stop), table in zip(spans, tables, strict=True):
        first, last = times.searchsorted([start, stop])
        part = whole.slice(first, last - first)
        yield table_of(merged(points(part, known), points(table, columns)), columns)


def _difference(archive: Archive, stored: dict[str, int], read: dict[str, int]) -> str:
    if not read:
        return (
            f"InfluxQL finds nothing where Flux counts {sum(stored.values()):,} values: does the token belong to "
            f"another organization than {archive.org!r}? 'hearthflux env --operations' prints one that does not"
        )
    fields = sorted(key for key in stored.keys() | read.keys() if stored.get(key) != read.get(key))
    shown = ", ".join(f"{key} {stored.get(key, 0):,} counted, {read.get(key, 0):,} read" for key in fields)
    return f"the day changes while it is read, or a field has two types in it ({shown})"
