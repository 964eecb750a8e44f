"""Points of a bucket rewritten from the archive, a shard group at a time, changed on the way.

InfluxDB can neither rename a field nor give a point a tag. In place, a shard group's points are deleted and written
again. Nothing is deleted unless every day of it is archived, proven by its checksum, with as many values of each field
as the server has. A journal beside the archive says which shard groups were begun and which are done; what was begun
is done again from the archive. Expired points that the server has not dropped yet are not written again: they stay in
the archive.

A field's type never changes in place. InfluxDB 2.7.12 takes points of another type once a shard's points are deleted,
but remembers the old type on disk: after its next start it refuses the new type, and a query of the points written
since panics or finds none (test_migrate.py shows it). So steps that change a type write into a bucket made afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from event_schema import TIERS
from influxdb_connection import ServerProblem
from operations.archive.manifest import ArchiveProblem, Manifest, midnight, start_ns
from operations.archive.restore import BATCH_ROWS, Writing
from operations.archive.source import BucketInfo, HomeServer
from operations.archive.store import Archive, Progress, workspace
from operations.archive.tables import Columns, points
from operations.schema.facts import Span, shard_groups
from operations.schema.steps import SHOWN, RetypeField, Row, Step, Tally, apply

DAY = timedelta(days=1)
ACCEPTED_MARGIN = timedelta(minutes=10)


@dataclass(slots=True)
class RewriteReport:
    """`applied` False: a dry run. `groups` are shard groups; only those that change are written again."""

    applied: bool = False
    steps: list[str] = field(default_factory=list)
    groups: int = 0
    changing: int = 0
    rewritten: int = 0
    points: int = 0
    changed: int = 0
    expired: int = 0
    refused: int = 0
    examples: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Journal:
    """Which shard groups of one change were begun and done, and whether it changes them in place."""

    def __init__(self, archive: Archive, name: str, folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        self.name = f"{archive.bucket}/migrations/{name}.json"
        self.states: dict[str, str] = {}
        self.in_place: bool | None = None
        if archive.target.exists(self.name):
            told = json.loads(archive.target.read(self.name))
            self.states, self.in_place = told["groups"], told["in_place"]

    def set(self, span: Span, state: str, steps: Sequence[Step], *, in_place: bool) -> None:
        self.states[f"{span.start:%Y-%m-%d}"] = state
        told = {"steps": [str(step) for step in steps], "in_place": in_place, "groups": self.states}
        self._archive.target.put_bytes(json.dumps(told, indent=1).encode(), self.name, self._folder)

    def state(self, span: Span) -> str:
        return self.states.get(f"{span.start:%Y-%m-%d}", "")

    def remove(self) -> None:
        self._archive.target.remove(self.name)


@dataclass(frozen=True, slots=True)
class _Group:
    span: Span
    days: tuple[date, ...]


@dataclass(slots=True)
class _Job:
    server: HomeServer
    archive: Archive
    source: BucketInfo
    bucket: BucketInfo
    steps: Sequence[Step]
    journal: Journal
    accepted_from: int
    in_place: bool
    columns: Columns
    folder: Path

    @property
    def measurement(self) -> str:
        return self.archive.measurement.name

    def rows(self, manifest: Manifest, tally: Tally) -> Iterator[Row]:
        """A day's points after the steps."""
        known = self.archive.columns(manifest)
        with self.archive.opened(manifest, self.folder) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield from apply(self.steps, points(batch, known), tally)


async def rewrite(
    server: HomeServer,
    archive: Archive,
    steps: Sequence[Step],
    *,
    name: str,
    spool: Path,
    into: str | None = None,
    really: bool = False,
    progress: Progress | None = None,
) -> RewriteReport:
    """Change every archived point (under `archive.version`) by these steps: in the archive's own bucket, or written
    `into` an empty one. A bucket that was made anew and is empty is filled instead of changed.

    `name` is that of the journal. Without `really` nothing is written or deleted. Raises ArchiveProblem where a day is
    not archived as it is on the server, where a file is damaged, where a value can't be changed, and where a type
    would change in a bucket that has had the old one; ServerProblem.
    """
    source = await server.bucket(archive.bucket)
    bucket = source if into is None else await server.bucket(into)
    accepted = 0 if bucket.retention is None else _ns(datetime.now(UTC) - bucket.retention + ACCEPTED_MARGIN)
    with archive.target.locked(archive.bucket), workspace(archive.target, archive.bucket) as folder:
        journal = Journal(archive, name if into is None else f"{name}-into-{into}", folder)
        empty = await server.oldest(bucket, archive.measurement.name) is None
        in_place = journal.in_place if journal.in_place is not None else into is None and not empty
        job = _Job(
            server, archive, source, bucket, steps, journal, accepted, in_place, Columns(archive.measurement), folder
        )
        _check_bucket(job, empty)
        report = RewriteReport(applied=really, steps=[str(step) for step in steps])
        groups = await _groups(job)
        report.groups = len(groups)
        changing = [group for group in groups if _changes(job, group, report) or not in_place]
        report.changing = len(changing)
        if report.refused:
            raise ArchiveProblem(
                f"{report.refused:,} values can't be changed without losing what they are: {'; '.join(report.examples)}"
            )
        if really:
            await _apply(job, changing, report, spool, progress)
        return report


def _check_bucket(job: _Job, empty: bool) -> None:
    """Raises ArchiveProblem where points of a new type would meet what a shard remembers of the old one."""
    if not job.in_place and not empty and not job.journal.states:
        raise ArchiveProblem(f"The bucket {job.bucket.name} is not empty: the changed points need one that is.")
    retyping = [str(step) for step in job.steps if isinstance(step, RetypeField)]
    newest = max((one.written for one in job.archive.manifests().values()), default="")
    made_since = job.bucket.created > newest[:26]
    if retyping and (job.in_place or not made_since):
        raise ArchiveProblem(
            f"To {retyping[0]} needs a bucket that was made after the archive was written: a shard of "
            f"{job.bucket.name} remembers the old type even when its points are deleted, and would lose the new ones "
            "at the server's next start. Name a new, empty bucket with --into, or make this one anew"
        )


async def _groups(job: _Job) -> list[_Group]:
    """The archived days in groups that are changed at once. Raises ArchiveProblem where the archive is not enough."""
    manifests = job.archive.manifests()
    oldest = await job.server.oldest(job.source, job.measurement)
    begun = [datetime.fromisoformat(one).date() for one in job.journal.states]
    archived = [] if job.in_place else list(manifests)
    first = min([*begun, *archived, *([oldest] if oldest else [])], default=None)
    if first is None:
        return []
    width = job.bucket.shard_group if job.bucket.shard_group % DAY == timedelta(0) else DAY
    spans = list(shard_groups(midnight(first), datetime.now(UTC) + DAY, width))
    if job.in_place or job.source.id != job.bucket.id:
        touched = [span for span in spans if job.in_place and job.journal.state(span)]
        days = [day for span in spans if span not in touched for day in span.days]
        await require_archived(job.server, job.archive, job.source, days)
    groups = [_Group(span, tuple(day for day in span.days if day in manifests)) for span in spans]
    return [group for group in groups if group.days]


async def require_archived(server: HomeServer, archive: Archive, bucket: BucketInfo, days: Sequence[date]) -> None:
    """Raises ArchiveProblem for days that are not archived with as many values of each field as the server has."""
    archived = {day: one.values for day, one in archive.manifests().items()}
    stored = await server.counts(bucket, archive.measurement.name, days)
    lacking = [day for day, values in stored.items() if values and archived.get(day) != values]
    if lacking:
        tier = next((one.name for one in TIERS if one.measurement == archive.measurement.name), "raw")
        raise ArchiveProblem(
            f"{len(lacking)} days are not archived as the server has them ({lacking[0]} to {lacking[-1]}): stop the "
            f"writer, then 'hearthflux archive run --tier {tier} --all --until-now' archives them"
        )


def _changes(job: _Job, group: _Group, report: RewriteReport) -> bool:
    """Whether the steps change anything of the group; its files are proven, and what comes out is noted."""
    tally, before = Tally(), 0
    for day in group.days:
        manifest = job.archive.manifests()[day]
        for (_, tags), fields in job.rows(manifest, tally):
            for key, _value in tags:
                job.columns.add("tag", key, "string")
            for key, kind in fields:
                job.columns.add("field", key, kind)
        if tally.points - before != manifest.rows:
            raise ArchiveProblem(f"The file of {day} has other points than its manifest says.")
        before = tally.points
    report.points += tally.points
    report.changed += tally.changed
    report.refused += tally.refused
    report.examples = (report.examples + tally.examples)[:SHOWN]
    return tally.changed > 0


async def _apply(
    job: _Job, groups: Sequence[_Group], report: RewriteReport, spool: Path, progress: Progress | None
) -> None:
    async with Writing(job.server, job.measurement, job.bucket, job.columns.all, spool) as writing:
        for number, group in enumerate(groups):
            if progress is not None:
                progress(number, len(groups), group.days[0])
            if job.journal.state(group.span) != "done":
                await _rewrite_group(job, group, writing, report)
        if progress is not None:
            progress(len(groups), len(groups), None)
    job.journal.remove()


async def _rewrite_group(job: _Job, group: _Group, writing: Writing, report: RewriteReport) -> None:
    manifests = [job.archive.manifests()[day] for day in group.days]
    if job.in_place and not job.journal.state(group.span):
        # Once more, just before the delete: an event may have come since.
        await require_archived(job.server, job.archive, job.bucket, group.span.days)
    job.journal.set(group.span, "begun", job.steps, in_place=job.in_place)
    if job.in_place:
        await job.server.influxql.delete(
            job.bucket.name, job.server.org, job.measurement, _ns(group.span.start), _ns(group.span.stop) - 1
        )
    expected = {one.day: await _write_day(job, one, writing, report) for one in manifests}
    await writing.settle()
    stored = await job.server.counts(job.bucket, job.measurement, expected)
    for day, values in expected.items():
        if stored[day] != values:
            raise ServerProblem(
                f"{day} does not have what was written to it: {sum(stored[day].values()):,} values instead of "
                f"{sum(values.values()):,}; run this again: it goes on from the archive"
            )
    job.journal.set(group.span, "done", job.steps, in_place=job.in_place)
    report.rewritten += 1


async def _write_day(job: _Job, manifest: Manifest, writing: Writing, report: RewriteReport) -> dict[str, int]:
    """Hand a day's changed points to the writer; how many values of each field they have."""
    written: dict[str, int] = {}
    part: list[Row] = []
    for row in job.rows(manifest, Tally()):
        if row[0][0] < job.accepted_from:
            report.expired += 1
            continue
        for key, _ in row[1]:
            written[key] = written.get(key, 0) + 1
        part.append(row)
        if len(part) == BATCH_ROWS:
            await writing.write(part)
            part = []
    await writing.write(part)
    return written


def _ns(moment: datetime) -> int:
    return start_ns(moment.date()) + int((moment - midnight(moment.date())) / timedelta(microseconds=1)) * 1000
