"""`hearthflux archive run|status|verify|restore`: days of a bucket kept as Parquet, and brought back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import typer

from event_schema import DAILY_EVENTS, HOME_ASSISTANT_EVENTS, HOURLY_EVENTS, TIERS, Measurement
from event_schema.home_assistant import DAILY_STATISTICS, HOURLY_CARRIED, HOURLY_MARKS, HOURLY_STATISTICS
from influxdb_connection import ServerProblem
from operations import paths
from operations.archive import Archive, ExportReport, HomeServer, RestoreReport, export, restore, verify
from operations.archive.export import Pace
from operations.archive.manifest import day_of, days_between
from operations.archive.plan import due_days, expires, whole_until
from operations.archive.source import BucketInfo
from operations.archive.status import expiring
from operations.archive.target import Target
from operations.errors import UserError
from operations.schema.record import operations_bucket, read_version, write_version

app = typer.Typer(no_args_is_help=True, help="Keep whole days as Parquet files before they expire, and restore them.")

VARIABLE = "HEARTHFLUX_ARCHIVE"
# The tier's own measurement first.
MEASUREMENTS: Mapping[str, tuple[Measurement, ...]] = {
    "raw": (HOME_ASSISTANT_EVENTS,),
    "hourly": (HOURLY_EVENTS, HOURLY_STATISTICS),
    "daily": (DAILY_EVENTS, DAILY_STATISTICS),
}
# What the tasks keep for their own work: nothing that an archive needs.
WORKING: Mapping[str, tuple[Measurement, ...]] = {"hourly": (HOURLY_CARRIED, HOURLY_MARKS)}

TargetOption = Annotated[
    str, typer.Option("--target", "-t", help=f"A folder, or a URL such as s3://bucket/folder (default: {VARIABLE}).")
]
TierOption = Annotated[str, typer.Option("--tier", help=f"One of {', '.join(TIERS.names)}.")]
BucketOption = Annotated[
    str, typer.Option("--bucket", help="The tier's bucket, where it has another name than the contract's.")
]
FromOption = Annotated[str, typer.Option("--from", help="First day, such as 2026-01-01 (UTC).")]
ToOption = Annotated[str, typer.Option("--to", help="Where the span ends; that day is not part of it.")]
PaceOption = Annotated[
    float | None, typer.Option("--rows-per-second", min=1, help="Go no quicker than that, to spare the server.")
]
Json = Annotated[bool, typer.Option("--json", help="End with one line of JSON on standard output.")]


def open_archives(target: str, tier: str, bucket: str, org: str) -> list[Archive]:
    """One for each measurement of the tier's bucket. Raises UserError, ArchiveProblem: no such tier or target."""
    if tier not in TIERS.names:
        raise UserError(f"There is no tier {tier!r}: the tiers are {', '.join(TIERS.names)}.", exit_code=2)
    address = target or os.environ.get(VARIABLE, "").strip()
    if not address:
        raise UserError(f"Where is the archive? Name a folder or a URL with --target or {VARIABLE}.", exit_code=2)
    place = Target(address)
    return [Archive(place, bucket or bucket_of(tier), measurement, org) for measurement in MEASUREMENTS[tier]]


def bucket_of(tier: str) -> str:
    """The tier's bucket as the environment names it: INFLUXDB_BUCKET for the raw events, HOME_BUCKET_PREFIX."""
    named = os.environ.get("INFLUXDB_BUCKET", "").strip() if tier == "raw" else ""
    return named or TIERS.prefixed(os.environ.get("HOME_BUCKET_PREFIX", "").strip())[tier].bucket


def parse_day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UserError(f"{option} {text!r} is not a day such as 2026-01-31 (UTC).", exit_code=2) from None


def chosen(first: str, stop: str, days: Sequence[date]) -> list[date]:
    """Those of the days that lie in [first, stop); an empty text is no bound."""
    begin = parse_day(first, "--from") if first else date.min
    end = parse_day(stop, "--to") if stop else date.max
    if begin >= end:
        raise UserError(f"--from {first} is not before --to {stop}: the span is empty.", exit_code=2)
    return [day for day in days if begin <= day < end]


@contextlib.contextmanager
def day_bar(what: str) -> Iterator[Callable[[int, int, date | None], None]]:
    """A bar on stderr that counts days."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=32), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{what}: days", total=None)

        def tell(done: int, total: int, day: date | None) -> None:
            shown = f"{what}: {day}" if day is not None else what
            progress.update(task, completed=done, total=total, description=shown)

        yield tell


def finish(report: Mapping[str, Any], sentence: str, as_json: bool, failed: Mapping[str, str]) -> None:
    """The last line of a command; exit code 1 with each failed day on stderr."""
    typer.echo(json.dumps(report) if as_json else sentence)
    for day, why in failed.items():
        typer.echo(f"{day}: {why}", err=True)
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Span:
    """Which days a run looks at, as the options say it."""

    first: str
    stop: str
    everything: bool
    until_now: bool
    before_expiry: int

    async def days(self, server: HomeServer, archive: Archive, bucket: BucketInfo) -> list[date]:
        now = datetime.now(UTC)
        if not (self.first or self.stop or self.everything or self.until_now):
            expiring = due_days(now, bucket.retention, bucket.shard_group, timedelta(days=self.before_expiry))
            # Archived days that the server still has may have got late events.
            oldest = expiring[0] if expiring else date.min
            return sorted({*expiring, *(day for day in archive.manifests() if day >= oldest)})
        oldest_stored = await server.oldest(bucket, archive.measurement.name)
        if oldest_stored is None:
            return []
        end = day_of(now) + timedelta(days=1) if self.until_now else whole_until(now)
        return chosen(self.first, self.stop, days_between(oldest_stored, end))


@app.command()
def run(
    target: TargetOption = "",
    tier: TierOption = "raw",
    bucket: BucketOption = "",
    first: FromOption = "",
    stop: ToOption = "",
    everything: Annotated[bool, typer.Option("--all", help="Every whole day that the server has.")] = False,
    until_now: Annotated[
        bool, typer.Option("--until-now", help="Also the running day, as it is now: before a migration.")
    ] = False,
    before_expiry: Annotated[
        int, typer.Option("--before-expiry", min=1, help="Days that expire within so many days (the default choice).")
    ] = 30,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also write days again of which the archive has more than the server.")
    ] = False,
    rows_per_second: PaceOption = None,
    as_json: Json = False,
) -> None:
    """Archive whole days (UTC) that the archive has not, or not all of: late events are found and added.

    Without --from, --to or --all: the days that expire within --before-expiry days, which is what a nightly timer
    wants. Reads INFLUXDB_URL, INFLUXDB_TOKEN (it may read the bucket) and INFLUXDB_ORG. Can be stopped at any moment
    and run again. Exit code 0 only if every day that was looked at is archived.
    """

    async def go() -> None:
        report = ExportReport()
        async with HomeServer.from_env() as server:
            archives = open_archives(target, tier, bucket, server.org)
            archives[0].target.prepare()
            info = await server.bucket(archives[0].bucket)
            note = await recorded(server, archives[0])
            with day_bar("archive") as tell:
                for archive in archives:
                    days = await Span(first, stop, everything, until_now, before_expiry).days(server, archive, info)
                    report += await export(
                        server,
                        archive,
                        days,
                        replace=replace,
                        pace=Pace(rows_per_second),
                        progress=tell,
                        declared=[one.name for one in (*MEASUREMENTS[tier], *WORKING.get(tier, ()))],
                    )
        parts = [f"{report.looked_at} days looked at, {report.exported} archived, {report.again} archived again"]
        parts.append(f"{report.rows:,} points in {report.bytes:,} bytes at {archives[0].target}/{info.name}")
        if report.kept:
            parts.append(f"{len(report.kept)} left alone, for the archive has more of them than the server")
        if report.not_archived:
            parts.append(f"not archived: the measurements {', '.join(report.not_archived)}, which no tier declares")
        if info.retention is None and not report.looked_at:
            parts.append(f"nothing expires in {info.name}, which keeps for ever: --all archives every whole day")
        if note:
            typer.echo(note, err=True)
        finish(report.as_json(), "; ".join(parts), as_json, report.failed)

    asyncio.run(go())


@app.command()
def status(
    target: TargetOption = "",
    tier: TierOption = "raw",
    bucket: BucketOption = "",
    before_expiry: Annotated[int, typer.Option("--before-expiry", min=1, help="Warn of days that expire so soon.")] = 7,
    as_json: Json = False,
) -> None:
    """What the archive holds, and which days expire soon that it has not. Exit code 1 if there are such days."""

    async def go() -> None:
        async with HomeServer.from_env() as server:
            archives = open_archives(target, tier, bucket, server.org)
            manifests = [one for archive in archives for one in archive.manifests().values()]
            info = await server.bucket(archives[0].bucket)
            within = timedelta(days=before_expiry)
            risky = {day for archive in archives for day in await expiring(server, archive, info, within)}
        days = sorted({one.day for one in manifests})
        found = {
            "days": len(days),
            "first": days[0].isoformat() if days else None,
            "last": days[-1].isoformat() if days else None,
            "rows": sum(one.rows for one in manifests),
            "bytes": sum(one.bytes for one in manifests),
            "at_risk": [day.isoformat() for day in sorted(risky)],
        }
        place = f"{archives[0].target}/{info.name}"
        if days:
            held = f"{found['days']} days, {found['first']} to {found['last']}, "
            sentence = f"{place}: {held}{found['rows']:,} points, {found['bytes']:,} bytes"
        else:
            sentence = f"{place}: nothing is archived yet"
        failed = {}
        for day in sorted(risky):
            gone = expires(day, info.retention) if info.retention else None
            failed[day.isoformat()] = f"not archived, and may expire from {gone:%Y-%m-%d} on: 'hearthflux archive run'"
        finish(found, sentence, as_json, failed)

    asyncio.run(go())


async def recorded(server: HomeServer, archive: Archive) -> str:
    """Keep the record of the schema's version fresh, where the token may; what is to be said of it. Raises UserError
    where the bucket was written by another version: its days would be archived under the wrong one."""
    if archive.bucket != bucket_of("raw"):
        return ""
    where = operations_bucket(archive.bucket)
    try:
        found = await read_version(server.flux, archive.bucket, where=where)
    except ServerProblem:
        return ""
    if found is not None and found.version != archive.version:
        raise UserError(
            f"{archive.bucket} was written by schema version {found.version}, this program archives version "
            f"{archive.version}: archive it with the hearthflux that wrote it, then 'hearthflux schema migrate'."
        )
    try:
        await write_version(server.flux, archive.bucket, where=where)
    except ServerProblem as error:
        return f"the schema's version is not recorded: {error}"
    return ""


def archived_days(archives: Sequence[Archive], first: str, stop: str) -> list[tuple[Archive, list[date]]]:
    """The archived days of a span, by archive. Raises UserError where there are none."""
    held = sorted({day for archive in archives for day in archive.manifests()})
    place = f"{archives[0].target}/{archives[0].bucket}"
    if not held:
        raise UserError(f"There is no archive of {archives[0].bucket} at {place}: 'hearthflux archive run' makes one.")
    found = [(archive, chosen(first, stop, list(archive.manifests()))) for archive in archives]
    if not any(days for _, days in found):
        raise UserError(f"No day of that span is archived: {place} has {held[0]} to {held[-1]}.")
    return [(archive, days) for archive, days in found if days]


@app.command("verify")
def verify_command(
    target: TargetOption = "",
    tier: TierOption = "raw",
    bucket: BucketOption = "",
    first: FromOption = "",
    stop: ToOption = "",
    with_server: Annotated[
        bool, typer.Option("--server", help="Also compare every point with the server's (where it has the day).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prove each day's file against its manifest: checksum, columns, points and values. Exit code 1 if one is wrong."""

    async def go() -> None:
        org = os.environ.get("INFLUXDB_ORG", "").strip()
        if not org:
            raise UserError("INFLUXDB_ORG is not set: it tells whose archive this is.")
        found = archived_days(open_archives(target, tier, bucket, org), first, stop)
        wrong: dict[str, str] = {}
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(HomeServer.from_env()) if with_server else None
            tell = stack.enter_context(day_bar("verify"))
            for archive, days in found:
                findings = await verify(archive, days, server=server, progress=tell)
                wrong |= {one.day.isoformat(): one.problem for one in findings}
        count = len({day for _, days in found for day in days})
        rows = sum(archive.manifests()[day].rows for archive, days in found for day in days)
        sentence = f"{count - len(wrong)} of {count} days are whole ({rows:,} points)"
        finish({"days": count, "rows": rows, "wrong": wrong, "ok": not wrong}, sentence, as_json, wrong)

    asyncio.run(go())


@app.command("restore")
def restore_command(
    first: FromOption,
    stop: ToOption,
    target: TargetOption = "",
    tier: TierOption = "raw",
    bucket: BucketOption = "",
    into: Annotated[str, typer.Option("--into", help="Another bucket to restore into.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Also days of which the server has every value.")] = False,
    rows_per_second: PaceOption = None,
    as_json: Json = False,
) -> None:
    """Write archived days back through the writer. Running it again is harmless; it goes on where it was stopped.

    Reads INFLUXDB_URL, INFLUXDB_TOKEN (it may read and write the bucket) and INFLUXDB_ORG.
    """

    async def go() -> None:
        report = RestoreReport()
        async with HomeServer.from_env() as server:
            archives = open_archives(target, tier, bucket, server.org)
            spool = paths.local("archive", f"restore-{into or archives[0].bucket}.sqlite")
            with day_bar("restore") as tell:
                for archive, days in archived_days(archives, first, stop):
                    report += await restore(
                        server,
                        archive,
                        days,
                        into=into or None,
                        spool=spool,
                        again=again,
                        pace=Pace(rows_per_second),
                        progress=tell,
                    )
        sentence = f"{report.restored} days restored ({report.rows:,} points), {report.there} were there"
        if report.left_out:
            sentence += f", {report.left_out:,} empty texts left out (the writer never stores one)"
        finish(report.as_json(), sentence, as_json, report.failed)

    asyncio.run(go())
