"""From the version that a home's buckets were written by to another one: which steps, where, in what order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from event_schema import DAILY_EVENTS, HOME_ASSISTANT_EVENTS, HOURLY_EVENTS, Measurement
from flux_tasks import Downsample, SummaryServer, backfill
from operations.archive.manifest import ArchiveProblem, day_of, days_between, midnight
from operations.archive.source import HomeServer
from operations.archive.store import Archive, Progress
from operations.schema.migrate import RewriteReport, require_archived, rewrite
from operations.schema.record import operations_bucket, read_version, write_version
from operations.schema.steps import Migration, Step

DECLARED: Mapping[str, Measurement] = {"raw": HOME_ASSISTANT_EVENTS, "hourly": HOURLY_EVENTS, "daily": DAILY_EVENTS}

# (tier, schema version, measurement) -> the archive of it
OpenArchive = Callable[[str, int, Measurement], Archive]


@dataclass(frozen=True, slots=True)
class Way:
    """What leads from one version to another: the steps by tier, and the tiers that are computed again."""

    start: int
    stop: int
    steps: Mapping[str, tuple[Step, ...]]
    rebuild: tuple[str, ...]
    before: Mapping[str, Measurement]


def path(start: int, stop: int, migrations: Sequence[Migration]) -> Way:
    """The way up or down. Raises ArchiveProblem where a version is not declared or can't be taken back. Pure."""
    known = {one.version: one for one in migrations}
    up = start < stop
    versions = range(start + 1, stop + 1) if up else range(start, stop, -1)
    lacking = [str(version) for version in versions if version not in known]
    if lacking:
        raise ArchiveProblem(
            f"There is no migration to version {', '.join(lacking)}: this hearthflux knows "
            f"{', '.join(str(version) for version in sorted(known)) or 'none'}."
        )
    steps: dict[str, tuple[Step, ...]] = {}
    rebuild: dict[str, None] = {}
    for version in versions:
        migration = known[version]
        try:
            found = migration.steps if up else migration.backwards()
        except ValueError as error:
            raise ArchiveProblem(f"{error}.") from None
        for tier, several in found.items():
            steps[tier] = (*steps.get(tier, ()), *several)
        rebuild.update(dict.fromkeys(migration.rebuild))
    first = known[start + 1] if up else known[start] if start != stop else None
    before = dict(DECLARED) | dict((first.before if up else first.after) if first is not None else {})
    return Way(start, stop, steps, tuple(rebuild), before)


@dataclass(slots=True)
class MigrationReport:
    """What each tier's steps did, or would do; the windows of the tiers that were computed again (0 in a dry run)."""

    start: int
    stop: int
    applied: bool
    tiers: dict[str, RewriteReport] = field(default_factory=dict)
    rebuilt: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        tiers = {tier: report.as_json() for tier, report in self.tiers.items()}
        return {"from": self.start, "to": self.stop, "applied": self.applied, "tiers": tiers, "rebuilt": self.rebuilt}


async def migrate(
    server: HomeServer,
    open_archive: OpenArchive,
    raw_bucket: str,
    to: int,
    migrations: Sequence[Migration],
    *,
    specs: Sequence[Downsample],
    spool: Path,
    into: str | None = None,
    really: bool = False,
    progress: Progress | None = None,
) -> MigrationReport:
    """Bring a home's buckets to version `to`, or tell what that would do. Goes on where it was stopped.

    `into` names an empty bucket for the raw events, where a type changes. Raises ArchiveProblem, ServerProblem.
    """
    where = operations_bucket(raw_bucket)
    recorded = await read_version(server.flux, raw_bucket, where=where)
    if recorded is None:
        raise ArchiveProblem(
            f"No schema version is recorded for {raw_bucket}: 'hearthflux schema record' writes down which it is."
        )
    way = path(recorded.version, to, migrations)
    report = MigrationReport(recorded.version, to, really)
    for tier, steps in way.steps.items():
        archive = open_archive(tier, way.start, way.before[tier])
        report.tiers[tier] = await rewrite(
            server,
            archive,
            steps,
            name=f"v{way.start}-to-v{way.stop}",
            spool=spool,
            into=into if tier == "raw" else None,
            really=really,
            progress=progress,
        )
    for tier in way.rebuild:
        await _rebuild(server, open_archive(tier, way.start, way.before[tier]), tier, specs, report)
    if really and into is None:
        await write_version(server.flux, raw_bucket, where=where, version=to)
    return report


async def _rebuild(
    server: HomeServer, archive: Archive, tier: str, specs: Sequence[Downsample], report: MigrationReport
) -> None:
    """Compute the windows again whose raw events are there in full; those of the tier are archived before."""
    spec = next(one for one in specs if one.tier == tier)
    raw = await server.bucket(spec.source_bucket)
    oldest = await server.oldest(raw, spec.source_measurement)
    if oldest is None:
        return
    now = datetime.now(UTC)
    await require_archived(server, archive, await server.bucket(archive.bucket), days_between(oldest, day_of(now)))
    report.rebuilt[tier] = 0
    if not report.applied:
        return
    settings = server.settings
    async with SummaryServer(
        url=settings.url,
        token=settings.token,
        org=settings.org,
        token_file=settings.token_file,
        ca_file=settings.ca_file,
    ) as summaries:
        done = await backfill(summaries, midnight(oldest), now, specs=[spec])
    if not done.ok:
        raise ArchiveProblem(f"{done.wrong} windows of the {tier} tier are still wrong: run this again.")
    report.rebuilt[tier] = done.computed
