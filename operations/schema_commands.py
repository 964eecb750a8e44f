"""`hearthflux schema show|record|check|migrate|mend`: the contract, and the database beside it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Annotated

import typer

from event_schema import SCHEMA_VERSION, TIERS, Measurement
from operations import paths
from operations.archive_commands import (
    MEASUREMENTS,
    WORKING,
    BucketOption,
    TargetOption,
    bucket_of,
    day_bar,
    open_archives,
)
from operations.archive_commands import Json as JsonOption
from operations.errors import UserError
from operations.schema.show import page

app = typer.Typer(no_args_is_help=True, help="What is stored, in which version, and how to bring it to another one.")

TierOption = Annotated[str, typer.Option("--tier", help=f"One of {', '.join(TIERS.names)} (default: all).")]
Apply = Annotated[bool, typer.Option("--apply", help="Do it. Without this nothing is changed: a dry run.")]
Into = Annotated[str, typer.Option("--into", help="A new, empty bucket to write to: needed where a type changes.")]


def tiers(chosen: str) -> list[str]:
    if chosen and chosen not in TIERS.names:
        raise UserError(f"There is no tier {chosen!r}: the tiers are {', '.join(TIERS.names)}.", exit_code=2)
    return [chosen] if chosen else list(TIERS.names)


@app.command()
def show() -> None:
    """Print tags, fields, units, ranges and tiers as Markdown: docs/schema.md is this page."""
    typer.echo(page(), nl=False)


@app.command()
def record(
    version: Annotated[int, typer.Option("--version", min=1, help="Which (default: this program's).")] = 0,
) -> None:
    """Write down by which schema version this home's buckets are written, in its bucket `operations`."""
    from operations.archive import HomeServer
    from operations.schema.record import operations_bucket, write_version

    async def go() -> None:
        raw = bucket_of("raw")
        async with HomeServer.from_env() as server:
            await write_version(server.flux, raw, where=operations_bucket(raw), version=version or SCHEMA_VERSION)
        typer.echo(f"{raw} is recorded as written by schema version {version or SCHEMA_VERSION}")

    asyncio.run(go())


@app.command()
def check(tier: TierOption = "", bucket: BucketOption = "", as_json: JsonOption = False) -> None:
    """Compare the live buckets with the contract and explain each difference. Exit code 1 if something is wrong.

    Reads INFLUXDB_URL, INFLUXDB_TOKEN (it may read the buckets), INFLUXDB_ORG, INFLUXDB_BUCKET, HOME_BUCKET_PREFIX.
    """
    from operations.archive import HomeServer
    from operations.schema.check import check as compare
    from operations.schema.record import operations_bucket

    async def go() -> None:
        wrong = 0
        told: dict[str, list[dict[str, str]]] = {}
        async with HomeServer.from_env() as server:
            for one in tiers(tier):
                name = bucket or bucket_of(one)
                own, *beside = MEASUREMENTS[one]
                # A home has one version; it is recorded for its raw bucket.
                where = operations_bucket(bucket_of("raw")) if one == "raw" else None
                beside += WORKING.get(one, ())
                found = await compare(server, name, own, where, beside=beside)
                wrong += sum(difference.severity == "wrong" for difference in found)
                told[name] = [dataclasses.asdict(difference) for difference in found]
                if not as_json:
                    typer.echo(f"{name}: {'as the contract says' if not found else ''}".rstrip())
                    for difference in found:
                        typer.echo(f"  {difference.severity}: {difference.sentence}")
        if as_json:
            typer.echo(json.dumps({"version": SCHEMA_VERSION, "ok": not wrong, "differences": told}))
        if wrong:
            raise typer.Exit(1)

    asyncio.run(go())


@app.command()
def migrate(
    to: Annotated[int | None, typer.Option("--to", min=1, help="To which version (default: this program's).")] = None,
    target: TargetOption = "",
    into: Into = "",
    really: Apply = False,
    as_json: JsonOption = False,
) -> None:
    """Bring this home's buckets to another schema version, up or down. A dry run unless --apply is given.

    Needs an archive of every day that the server has ('hearthflux archive run --all --until-now', with the writer
    stopped). Can be stopped at any moment and run again. Reads the variables of 'hearthflux env --operations'.
    """
    from operations.archive import Archive, HomeServer
    from operations.schema.migrations import MIGRATIONS
    from operations.schema.run import migrate as run
    from operations.summary_commands import home_specs

    async def go() -> None:
        async with HomeServer.from_env() as server:

            def opened(tier: str, version: int, measurement: Measurement) -> Archive:
                archive = open_archives(target, tier, "", server.org)[0]
                return dataclasses.replace(archive, version=version, measurement=measurement)

            with day_bar("migrate") as tell:
                report = await run(
                    server,
                    opened,
                    bucket_of("raw"),
                    to or SCHEMA_VERSION,
                    MIGRATIONS,
                    specs=home_specs(),
                    spool=paths.local("archive", "migrate.sqlite"),
                    into=into or None,
                    really=really,
                    progress=tell,
                )
        if as_json:
            typer.echo(json.dumps(report.as_json()))
            return
        if report.start == report.stop:
            typer.echo(f"{bucket_of('raw')} is written by schema version {report.start}: nothing to migrate")
        for name, one in report.tiers.items():
            done = "written again" if really else "would be written again"
            typer.echo(
                f"{name}: {', '.join(one.steps)}: {one.changed:,} of {one.points:,} points change; "
                f"{one.changing} of {one.groups} shard groups {done}"
            )
        for name, windows in report.rebuilt.items():
            typer.echo(f"{name}: {windows:,} windows computed again" if really else f"{name}: would be computed again")

    asyncio.run(go())


@app.command()
def mend(
    tier: Annotated[str, typer.Option("--tier", help=f"One of {', '.join(TIERS.names)}.")] = "raw",
    bucket: BucketOption = "",
    target: TargetOption = "",
    into: Into = "",
    really: Apply = False,
    as_json: JsonOption = False,
) -> None:
    """Take away what 'schema check' finds wrong: empty texts, and fields of another type than the contract's.

    Needs the same archive as 'schema migrate', and works the same way. Another type needs a new bucket (--into).
    """
    from operations.archive import HomeServer
    from operations.schema.mend import steps_for
    from operations.schema.migrate import rewrite

    async def go() -> None:
        async with HomeServer.from_env() as server:
            archive = open_archives(target, tiers(tier)[0], bucket, server.org)[0]
            steps = await steps_for(server, archive)
            if not steps:
                typer.echo(json.dumps({"steps": []}) if as_json else f"{archive.bucket}: nothing to mend")
                return
            with day_bar("mend") as tell:
                report = await rewrite(
                    server,
                    archive,
                    steps,
                    name="mend",
                    spool=paths.local("archive", "mend.sqlite"),
                    into=into or None,
                    really=really,
                    progress=tell,
                )
        if as_json:
            typer.echo(json.dumps(report.as_json()))
            return
        done = "written again" if really else "would be written again (--apply does it)"
        typer.echo(
            f"{archive.bucket}: {', '.join(report.steps)}: {report.changed:,} of {report.points:,} points change; "
            f"{report.changing} of {report.groups} shard groups {done}"
        )

    asyncio.run(go())
