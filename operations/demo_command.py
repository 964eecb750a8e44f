"""`hearthflux demo`: real InfluxDB, real Pulumi, a real home's data; run again, it changes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from event_schema import Event
from operations import paths
from operations.demo import dataset, kept_events
from operations.demo.tables import print_tables
from operations.errors import UserError
from operations.exclusive import alone

if TYPE_CHECKING:
    from operations.influxd import LocalInfluxd
    from operations.report.build import Report

STACK = "dev"
console = Console(stderr=True)


def write_json(path: Path, content: object) -> None:
    paths.write_at_once(path, (json.dumps(content, indent=2) + "\n").encode())


def bars() -> Progress:
    return Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def fixed_shift(folder: Path, last: datetime) -> timedelta:
    """The whole weeks by which the data are moved: chosen at the first run, the same ever after."""
    path = folder / "shift.json"
    if not path.is_file():
        write_json(path, {"weeks": dataset.weeks_until(last, datetime.now(UTC))})
    return timedelta(weeks=int(json.loads(path.read_text())["weeks"]))


def load_events(folder: Path, rows: int) -> list[Event]:
    with bars() as progress:
        task = progress.add_task("The home's data", total=None)
        data = dataset.rows(dataset.fetch(folder))[: rows or None]
        shift = fixed_shift(folder, dataset.row_time(data[-1]))
        made_from = (shift // timedelta(weeks=1), len(data))
        before = kept_events.kept(folder / "events.pickle", made_from)
        if before is not None:
            progress.update(task, description="Home Assistant's events", total=len(data), completed=len(data))
            return before
        progress.update(task, description="Home Assistant's events", total=len(data))
        events: list[Event] = []
        last = 0
        begin = dataset.row_time(data[0]) + shift
        for event in dataset.events(data, shift):
            events.append(event)
            if event.time_ns != last:
                last = event.time_ns
                done = (last // 1_000_000_000 - int(begin.timestamp())) // int(dataset.STEP.total_seconds()) + 1
                if done % 200 == 0:
                    progress.update(task, completed=done)
        progress.update(task, completed=len(data))
        kept_events.keep(folder / "events.pickle", made_from, events)
    return events


def apply_stack(url: str, token: str) -> tuple[dict[str, Any], int]:
    from operations.pulumi_runner import Stack

    stack = Stack(STACK, {"INFLUXDB_URL": url, "INFLUXDB_TOKEN": token})
    with bars() as progress:
        task = progress.add_task(f"pulumi up ({STACK})", total=None)

        def seen(event: dict[str, Any]) -> None:
            if "resOutputsEvent" in event:
                progress.advance(task)

        stack.ensure()
        stack.recover()
        result = stack.up(seen)
        total = sum(result.changes.values())
        progress.update(task, completed=total, total=total)
    return stack.outputs(), result.changed


def preview_changes(url: str, token: str) -> int:
    from operations.pulumi_runner import Stack

    with bars() as progress:
        task = progress.add_task(f"pulumi preview ({STACK})", total=None)
        result = Stack(STACK, {"INFLUXDB_URL": url, "INFLUXDB_TOKEN": token}).preview()
        total = sum(result.changes.values())
        progress.update(task, completed=total, total=total)
    return result.changed


def verified_rows(folder: Path) -> dict[str, int] | None:
    """The row counts of the last run that came to its end, or None."""
    try:
        last = json.loads((folder / "summary.json").read_text())
        return {name: int(last[name]) for name in ("hourly_rows", "daily_rows")}
    except (FileNotFoundError, ValueError, KeyError):
        return None


async def fill(folder: Path, outputs: dict[str, Any], events: list[Event]) -> dict[str, int]:
    """Replay and summaries; the counts of summary.json."""
    from flux_tasks import SummaryServer, backfill
    from flux_tasks.specs import downsamples
    from flux_tasks.windows import windows_between
    from operations.demo.replay import replay, rows_of, span
    from writer import WriterSettings

    start, stop = span(events)
    settings = WriterSettings(
        url=outputs["url"],
        token=outputs["writer_token"],
        org=outputs["org"],
        bucket=outputs["buckets"]["raw"],
        spool_path=folder / "spool.sqlite",
        batch_size=5000,
        batch_timeout=0.5,
    )
    async with SummaryServer(url=outputs["url"], token=outputs["operations_token"], org=outputs["org"]) as server:
        with bars() as progress:
            writing = progress.add_task("Events through the writer", total=len(events))

            def delivered(done: int, total: int) -> None:
                progress.update(writing, completed=len(events) - total + done)

            counts, written = await replay(events, settings, server, dataset.INTEGRATION, delivered)
            progress.update(writing, completed=len(events))

            summing = progress.add_task("Summaries: hours and days", total=None)
            specs = downsamples()
            windows = {spec.tier: list(windows_between(spec, start, stop)) for spec in specs}
            total = sum(map(len, windows.values()))
            counted = await rows_of(server, start, stop)
            # With the same raw events as ever and as many rows as the last run verified, there is nothing to compute.
            if written or counted != verified_rows(folder):
                report = await backfill(
                    server,
                    start,
                    stop,
                    progress=lambda done, all_: progress.update(summing, completed=done, total=all_),
                )
                if not report.ok:
                    raise UserError(f"{report.wrong} summary windows are not right after the backfill.")
            progress.update(summing, completed=total, total=total)
        return {**counts, **await rows_of(server, start, stop)}


async def look(folder: Path, server: LocalInfluxd, events: list[Event]) -> Report:
    """What `hearthflux report` sees. The data end some days ago, which is no fault of this home's."""
    from influxdb_connection import ConnectionSettings
    from operations.demo.replay import span
    from operations.health.look import Limits, Look
    from operations.home_settings import home_settings
    from operations.report.build import gather
    from operations.watched_server import WatchedServer

    start, stop = span(events)
    home = home_settings(STACK)
    settings = ConnectionSettings(url=server.url, token=server.token, org=home.organization, timeout=120)
    async with WatchedServer(settings) as watched:
        limits = Limits(longest_silence=datetime.now(UTC) - stop + timedelta(days=1))
        spool = folder / "spool.sqlite"
        seen = Look(watched, home, limits, environment={"INFLUXDB_SPOOL_PATH": str(spool)})
        return await gather(seen, pattern=stop - start, spool=spool)


def demo(
    rows: Annotated[
        int, typer.Option(hidden=True, help="Only so many rows of the data; 0 is all. For tests.", min=0)
    ] = 0,
) -> None:
    """See a real home in a local InfluxDB: data, summaries, report. Run again, it changes nothing."""
    try:
        run_demo(rows)
    except KeyboardInterrupt:
        raise UserError("interrupted: nothing is lost, 'make demo' goes on from here.", exit_code=130) from None


def run_demo(rows: int) -> None:
    """The demo's steps, each of which finds what an earlier run has done. Raises UserError."""
    from operations.server_commands import start_server

    began = time.monotonic()
    folder = paths.local("demo")
    folder.mkdir(exist_ok=True)
    # SIGTERM ends as Ctrl-C does: pulumi and the writer get to put things in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with alone(folder, "demo"):
        server = start_server()
        console.print(f"[green]✓[/] InfluxDB at {server.url}")
        outputs, _ = apply_stack(server.url, server.token)
        events = load_events(folder, rows)
        counts = asyncio.run(fill(folder, outputs, events))
        summary = {**counts, "preview_changes": preview_changes(server.url, server.token)}
        from operations.demo.page import demo_page
        from operations.report.page import write

        seen = asyncio.run(look(folder, server, events))
        report = write(folder / "report.html", demo_page(seen, summary))
        write_json(folder / "summary.json", summary)
    print_tables(seen.home)
    console.print(
        f"{summary['accepted']:,} events accepted, {summary['delivered']:,} delivered; {summary['hourly_rows']:,} "
        f"hourly and {summary['daily_rows']:,} daily rows; {summary['preview_changes']} changes in the preview; "
        f"{time.monotonic() - began:.0f} s"
    )
    console.print(f"Report: {os.path.relpath(report)}   Figures: {os.path.relpath(folder / 'summary.json')}")
    if summary["preview_changes"]:
        raise UserError("The preview after the up found changes: the server is not as declared.")
