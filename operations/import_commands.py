"""`hearthflux import influxdb1` and `hearthflux import recorder`: a home's earlier history."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from event_schema import Placement, home_zone
from influxdb_connection import ConnectionSettings
from operations.errors import UserError
from operations.imports.engine import Importer, Options
from operations.imports.existing import to_ns
from operations.imports.history import History
from operations.imports.influxdb1_export import InfluxDB1Export
from operations.imports.influxdb1_server import InfluxDB1Server, Server1x
from operations.imports.layout import Layout
from operations.imports.mapping import read_mapping
from operations.imports.position import Position, folder_for
from operations.imports.reading import Source
from operations.imports.recorder import Recorder
from operations.imports.recorder_database import with_password
from operations.imports.report import Report
from operations.imports.shown import Shown, shown
from operations.imports.target import Target, tiers_of
from operations.summary_commands import moment as moment_of

app = typer.Typer(no_args_is_help=True, help="Bring over a home's history from InfluxDB 1.x or Home Assistant.")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and map everything, write nothing, print the report.")]
From = Annotated[str | None, typer.Option("--from", help="Only from this day or instant on (UTC).")]
To = Annotated[str | None, typer.Option("--to", help="Only before this day or instant (UTC).")]
Include = Annotated[list[str] | None, typer.Option("--include", help="Only these entities; a glob; repeat it.")]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help="Not these entities; a glob; repeat it.")]
Rate = Annotated[float | None, typer.Option("--rate", help="At most so many states per second.", min=1)]
Registry = Annotated[
    Path | None,
    typer.Option("--registry", help="Areas, devices and integrations, as 'hearthflux follow --write-registry' saves."),
]
Weather = Annotated[str | None, typer.Option("--weather", help="The weather entity whose weather events carry.")]
Prefix = Annotated[str, typer.Option("--home", help="The prefix of this home's buckets, in a stack of several homes.")]
KeepGoing = Annotated[bool, typer.Option("--keep-going", help="Pass over points that the server refuses for good.")]
NoSummaries = Annotated[bool, typer.Option("--no-summaries", help="Do not sum up the imported raw events at the end.")]
ReportFile = Annotated[Path | None, typer.Option("--report", help="Write the whole report to this file, as JSON.")]
AsJson = Annotated[bool, typer.Option("--json", help="The report as one line of JSON on standard output.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options that every import has."""

    dry_run: bool
    start: str | None
    stop: str | None
    rate: float | None
    registry: Path | None
    weather: str | None
    home: str
    keep_going: bool
    no_summaries: bool
    report: Path | None
    as_json: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    mapping: Path | None = None

    @property
    def selection(self) -> str:
        """What is imported of the source: another selection is another import, with a position of its own."""
        mapping = "" if self.mapping is None else self.mapping.read_text()
        return repr((self.start, self.stop, self.include, self.exclude, mapping))

    def options(self) -> Options:
        try:
            zone = home_zone()
        except ValueError as error:
            raise UserError(f"HOME_TIME_ZONE: {error}", exit_code=2) from None
        return Options(
            zone=zone,
            zone_name=os.environ.get("HOME_TIME_ZONE") or "UTC",
            start_ns=None if self.start is None else to_ns(moment_of(self.start, "--from")),
            stop_ns=None if self.stop is None else to_ns(moment_of(self.stop, "--to")),
            dry_run=self.dry_run,
            rate=self.rate,
            keep_going=self.keep_going,
            summaries=not self.no_summaries,
        )

    def target(self) -> Target:
        return Target(connection=ConnectionSettings.from_env(timeout=600.0), tiers=tiers_of(self.home))

    def history(self, options: Options) -> History:
        return History(zone=options.zone, registry=read_registry(self.registry), weather_entity=self.weather)


def read_registry(path: Path | None) -> dict[str, Placement]:
    """entity -> Placement, of a JSON file. Raises UserError."""
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text())
        return {
            entity: Placement(**{name: one.get(name) for name in ("area", "device_name", "integration")})
            for entity, one in content.items()
        }
    except OSError as error:
        raise UserError(f"The registry {path} cannot be read: {error.strerror}.") from None
    except (ValueError, AttributeError):
        raise UserError(
            f'The registry {path} is not one: JSON such as {{"sensor.a": {{"area": "Kitchen"}}}} is needed.'
        ) from None


def run(common: Common, make: Callable[[Shown], Any], identity: str) -> None:
    """Import from the source that `make` opens, show progress and report."""
    options, target = common.options(), common.target()
    folder = folder_for(identity, f"{target.identity} {common.selection}")
    if common.dry_run:
        folder = folder.with_name(folder.name + "-dry")
    report: Report

    async def go(progress: Shown) -> Report:
        source: Source
        async with make(progress) as source:
            history, position = common.history(options), Position(folder)
            return await Importer(source, target, history, position, options, progress=progress.told).run()

    with shown("dry run" if common.dry_run else "import") as progress:
        report = asyncio.run(go(progress))
    if common.report is not None:
        try:
            common.report.write_text(json.dumps(report.as_json(), indent=1) + "\n")
        except OSError as error:
            raise UserError(f"The report {common.report} cannot be written: {error.strerror}.") from None
    typer.echo(json.dumps(report.as_json()) if common.as_json else report.text())


@app.command()
def influxdb1(
    url: Annotated[str | None, typer.Option("--url", help="A running InfluxDB 1.x.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A file of 'influx_inspect export', plain or gzip.")
    ] = None,
    database: Annotated[str, typer.Option("--database", help="Its database (default: the file's first one).")] = "",
    retention_policy: Annotated[str, typer.Option("--retention-policy", help="Default: the database's own.")] = "",
    username: Annotated[str, typer.Option("--username", help="The password is read from INFLUXDB1_PASSWORD.")] = "",
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="A TOML file for other layouts and renamed entities.")
    ] = None,
    dry_run: DryRun = False,
    start: From = None,
    stop: To = None,
    include: Include = None,
    exclude: Exclude = None,
    rate: Rate = None,
    registry: Registry = None,
    weather: Weather = None,
    home: Prefix = "",
    keep_going: KeepGoing = False,
    no_summaries: NoSummaries = False,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """From InfluxDB 1.x: the server of Home Assistant's add-on (--url), or an export of it (--file)."""
    common = Common(
        dry_run=dry_run,
        start=start,
        stop=stop,
        rate=rate,
        registry=registry,
        weather=weather,
        home=home,
        keep_going=keep_going,
        no_summaries=no_summaries,
        report=report,
        as_json=as_json,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        mapping=mapping,
    )
    if (url is None) == (file is None):
        raise UserError("Give either --url of a running InfluxDB 1.x or --file of an export.", exit_code=2)
    layout = Layout(read_mapping(mapping), include=include or (), exclude=exclude or ())
    if url is not None:
        server = Server1x(
            url=url,
            database=database or "homeassistant",
            username=username,
            password=os.environ.get("INFLUXDB1_PASSWORD", ""),
            retention_policy=retention_policy,
        )
        live = InfluxDB1Server(server, layout)
        run(common, lambda _: live, live.identity)
        return
    assert file is not None
    identity = InfluxDB1Export(file, layout, Path(), database=database, retention_policy=retention_policy).identity
    # The sorted parts serve any selection of entities and times, a dry run and the import.
    folder = folder_for(f"sorted {identity}", "" if mapping is None else mapping.read_text())
    run(
        common,
        lambda shown: InfluxDB1Export(
            file,
            layout,
            folder,
            database=database,
            retention_policy=retention_policy,
            progress=shown.staged,
            say=shown.say,
        ),
        identity,
    )


@app.command()
def recorder(
    address: Annotated[
        str,
        typer.Argument(
            help="home-assistant_v2.db, or a SQLAlchemy address: mysql://user@host/homeassistant, postgresql://..."
        ),
    ],
    mapping: Annotated[Path | None, typer.Option("--mapping", help="A TOML file with renamed entities.")] = None,
    dry_run: DryRun = False,
    start: From = None,
    stop: To = None,
    include: Include = None,
    exclude: Exclude = None,
    rate: Rate = None,
    registry: Registry = None,
    weather: Weather = None,
    home: Prefix = "",
    keep_going: KeepGoing = False,
    no_summaries: NoSummaries = False,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """From Home Assistant's recorder: states, and long-term statistics for the time before them.

    SQLite is opened read-only, beside a running Home Assistant too. A database's password is read from
    RECORDER_PASSWORD where the address has none.
    """
    common = Common(
        dry_run=dry_run,
        start=start,
        stop=stop,
        rate=rate,
        registry=registry,
        weather=weather,
        home=home,
        keep_going=keep_going,
        no_summaries=no_summaries,
        report=report,
        as_json=as_json,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        mapping=mapping,
    )
    source = Recorder(
        with_password(address, os.environ.get("RECORDER_PASSWORD", "")),
        include=common.include,
        exclude=common.exclude,
        rename=read_mapping(mapping).rename,
    )
    run(common, lambda _: source, source.identity)
