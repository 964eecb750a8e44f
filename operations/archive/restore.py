"""Days from the archive back into a bucket, through the writer: nothing is lost on the way, again is harmless."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from event_schema import InvalidEvent
from influxdb_connection import ServerProblem
from operations.archive.export import Pace
from operations.archive.manifest import ArchiveProblem, Column, Manifest
from operations.archive.plan import expires
from operations.archive.source import BucketInfo, HomeServer
from operations.archive.store import Archive, Progress, workspace
from operations.archive.tables import Columns, Fields, Point, layers, points
from writer import BatchWriter, WriterSettings
from writer.settings import DEFAULT_QUALITY

BATCH_ROWS = 5_000
STALLED_SECONDS = 60.0
# What was stored once is stored again: no rule about odd values or times applies.
AS_IT_WAS: Mapping[str, Any] = dict.fromkeys(DEFAULT_QUALITY, "off")

Row = tuple[Point, Fields]
Change = Callable[[Iterable[Row]], Iterable[Row]]


@dataclass(slots=True)
class RestoreReport:
    """`restored` days were written, `there` had all values already, `failed` says why by day. `left_out` counts
    empty texts, which the writer never stores."""

    restored: int = 0
    there: int = 0
    rows: int = 0
    left_out: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __iadd__(self, other: RestoreReport) -> RestoreReport:
        """Together with the report of another measurement."""
        for name in ("restored", "there", "rows", "left_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failed |= other.failed
        return self

    @property
    def ok(self) -> bool:
        return not self.failed

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}


async def restore(
    server: HomeServer,
    archive: Archive,
    days: Sequence[date],
    *,
    into: str | None = None,
    spool: Path,
    again: bool = False,
    pace: Pace | None = None,
    progress: Progress | None = None,
) -> RestoreReport:
    """Write archived days into the bucket (or into another one, `into`), those first that are not there already.

    A day is proven against its checksum before its first point is written, and counted on the server afterwards.
    `spool` is where the writer keeps what is on its way, and dead letters. Raises ArchiveProblem, ServerProblem.
    """
    bucket = await server.bucket(into or archive.bucket)
    manifests = [archive.manifests()[day] for day in days]
    check_retention(bucket, manifests)
    report = RestoreReport()
    stored = await server.counts(bucket, archive.measurement.name, days)
    todo = [one for one in manifests if again or stored[one.day] != one.values]
    report.there = len(manifests) - len(todo)
    columns = Columns(archive.measurement)
    for manifest in todo:
        for column in manifest.columns:
            columns.add(column.role, column.key, column.kind)
    async with Writing(server, archive.measurement.name, bucket, columns.all, spool) as writing:
        for number, manifest in enumerate(todo):
            if progress is not None:
                progress(number, len(todo), manifest.day)
            try:
                rows = await write_day(archive, manifest, writing, pace or Pace())
            except ArchiveProblem as error:
                report.failed[manifest.day.isoformat()] = str(error)
                continue
            report.rows += rows
            found = await server.counts_of(bucket, archive.measurement.name, manifest.day)
            lacking = {key: count for key, count in manifest.values.items() if found.get(key, 0) < count}
            short = sum(count - found.get(key, 0) for key, count in lacking.items())
            if short > writing.left_out:
                report.failed[manifest.day.isoformat()] = f"{short:,} values of {', '.join(lacking)} did not arrive"
                continue
            report.left_out += writing.left_out
            report.restored += 1
        if progress is not None:
            progress(len(todo), len(todo), None)
    return report


def check_retention(bucket: BucketInfo, manifests: Sequence[Manifest]) -> None:
    """Raises ArchiveProblem for days that the bucket would refuse or drop at once."""
    if bucket.retention is None:
        return
    now = datetime.now(UTC)
    old = [one.day for one in manifests if expires(one.day, bucket.retention) <= now]
    if old:
        raise ArchiveProblem(
            f"The bucket {bucket.name} keeps {bucket.retention.days} days: {len(old)} of the days, {min(old)} to "
            f"{max(old)}, are older and would be refused. Lengthen its retention, restore later days, or name a "
            "bucket that keeps longer with --into."
        )


async def write_day(
    archive: Archive, manifest: Manifest, writing: Writing, pace: Pace, change: Change | None = None
) -> int:
    """Write one day's points, changed on the way where `change` is given, and wait until the server has them."""
    known = archive.columns(manifest)
    rows = 0
    writing.left_out = 0
    with workspace(archive.target, archive.bucket) as folder, archive.opened(manifest, folder) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            found: Iterable[Row] = points(batch, known)
            rows += await writing.write(list(found if change is None else change(found)))
            await pace.after(batch.num_rows)
    await writing.settle()
    return rows


class Writing:
    """The writers of a bucket's columns: one, and another where a field comes in two kinds."""

    def __init__(
        self, server: HomeServer, measurement: str, bucket: BucketInfo, columns: Sequence[Column], spool: Path
    ) -> None:
        try:
            self._layers = layers(measurement, columns)
        except ValueError as error:
            raise ArchiveProblem(f"The archive holds what the writer can't write: {error}.") from None
        self._writers = [
            BatchWriter(
                WriterSettings(
                    url=server.url,
                    token=server.settings.token,
                    token_file=server.settings.token_file,
                    ca_file=server.settings.ca_file,
                    org=server.org,
                    bucket=bucket.name,
                    spool_path=spool if number == 0 else spool.with_name(f"{spool.stem}-{number}{spool.suffix}"),
                    quality=AS_IT_WAS,
                    batch_size=BATCH_ROWS,
                ),
                measurement=layer,
            )
            for number, (layer, _) in enumerate(self._layers)
        ]
        self.left_out = 0
        self._refused = 0
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Writing:
        for writer in self._writers:
            Path(writer.settings.spool_path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            await self._stack.enter_async_context(writer)
        await self.settle()
        return self

    async def __aexit__(self, *details: Any) -> None:
        await self._stack.aclose()

    async def write(self, rows: Sequence[Row]) -> int:
        """Accept points; their number. Raises ArchiveProblem for one that line protocol can't hold."""
        for writer, (measurement, layer) in zip(self._writers, self._layers, strict=True):
            kinds = [(column.key, column.kind) for column in layer]
            blank = dict.fromkeys([*measurement.tag_names, *measurement.field_names])
            events = []
            for (moment, tags), fields in rows:
                mine = {key: fields[key, kind] for key, kind in kinds if (key, kind) in fields}
                self.left_out += sum(value == "" for value in mine.values())
                if any(value != "" for value in mine.values()):
                    events.append(SimpleNamespace(**blank | dict(tags) | mine, time_ns=moment, attributes=None))
            try:
                await writer.write_many(events)  # type: ignore[arg-type]
            except InvalidEvent as error:
                raise ArchiveProblem(f"A point of the archive can't be written: {error}") from None
        return len(rows)

    async def settle(self) -> None:
        """Wait for the server. Raises ArchiveProblem where it refused points, ServerProblem when it takes nothing for
        a minute."""
        for writer in self._writers:
            while True:
                before = writer.stats.delivered
                report = await writer.flush(STALLED_SECONDS)
                if not report.pending:
                    break
                if report.delivered == before:
                    raise ServerProblem(f"{report.pending:,} points wait in the spool: {writer.health().reason}")
        refused = sum(writer.stats.dead_lettered for writer in self._writers)
        new, self._refused = refused - self._refused, refused
        if new:
            spools = ", ".join(str(writer.settings.spool_path) for writer in self._writers)
            raise ArchiveProblem(
                f"The server refused {new:,} points for good: 'hearthflux dead-letters list --spool {spools}' shows why"
            )
