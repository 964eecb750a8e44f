"""`hearthflux backfill` and `hearthflux repair`: summaries computed again, with progress."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from event_schema import TIERS
from flux_tasks import Downsample, Report, ServerProblem, SummaryServer, downsamples
from flux_tasks import backfill as run_backfill
from flux_tasks import repair as run_repair
from operations.errors import UserError

From = Annotated[str, typer.Option("--from", help="First day or instant, such as 2026-01-01 (UTC).")]
To = Annotated[str, typer.Option("--to", help="Where the span ends; that day or instant is not part of it.")]
Json = Annotated[bool, typer.Option("--json", help="End with one line of JSON on standard output.")]
Pause = Annotated[
    float, typer.Option("--pause", min=0, help="Seconds of rest after each day, for a server that has other work.")
]
Work = Callable[[SummaryServer, tuple[Downsample, ...], Callable[[int, int], None], Report], Awaitable[Report]]


def moment(text: str, option: str) -> datetime:
    """A UTC day or an instant. Raises UserError."""
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UserError(
            f"{option} {text!r} is not a time: give a day such as 2026-01-31 or an instant such as 2026-01-31T12:00Z",
            exit_code=2,
        ) from None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def span(start: str, stop: str) -> tuple[datetime, datetime]:
    begin, end = moment(start, "--from"), moment(stop, "--to")
    if begin >= end:
        raise UserError(f"--from {start} is not before --to {stop}: the span is empty", exit_code=2)
    return begin, end


def home_specs() -> tuple[Downsample, ...]:
    zone = os.environ.get("HOME_TIME_ZONE", "").strip() or "UTC"
    try:
        return downsamples(TIERS.prefixed(os.environ.get("HOME_BUCKET_PREFIX", "").strip()), zone)
    except (KeyError, ValueError, OSError):
        raise UserError(f"HOME_TIME_ZONE is {zone!r}: give an IANA name such as Europe/Amsterdam") from None


def run(what: str, work: Work, as_json: bool) -> None:
    specs = home_specs()
    report = Report()

    async def go() -> Report:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        async with SummaryServer.from_env() as server:
            with bar as progress:
                task = progress.add_task(f"{what}: windows", total=None)

                def tell(done: int, total: int) -> None:
                    progress.update(task, completed=done, total=total)

                return await work(server, specs, tell, report)

    try:
        asyncio.run(go())
    except KeyboardInterrupt:
        raise UserError(interrupted(what, report), exit_code=130) from None
    except ServerProblem as error:
        if as_json:
            typer.echo(json.dumps({"ok": False, "error": str(error)}))
        raise UserError(str(error)) from None
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        rows = ", ".join(f"{count} {tier}" for tier, count in report.rows.items()) or "no"
        typer.echo(
            f"{what}: {report.computed} of {report.due} due windows computed ({rows} rows), "
            f"{report.expired} past retention and left alone, {report.wrong} still wrong"
        )
    if not report.ok:
        raise typer.Exit(1)


def interrupted(what: str, report: Report) -> str:
    """What was reached and how to go on."""
    if report.reached is None:
        return f"{what} interrupted before its first day was done: what was right before is untouched"
    reached = report.reached.isoformat().replace("+00:00", "Z")
    return f"{what} interrupted: all before {reached} is done, go on with --from {reached}"


def backfill(start: From, stop: To, pause: Pause = 0.0, as_json: Json = False) -> None:
    """Make the summaries of every whole window in a span right, from raw events, day by day.

    Reads INFLUXDB_URL, INFLUXDB_TOKEN (it may read the raw bucket and write the summary buckets), INFLUXDB_ORG and
    HOME_TIME_ZONE. Exit code 0 only if every due window is right afterwards.
    """
    begin, end = span(start, stop)

    def work(
        server: SummaryServer, specs: tuple[Downsample, ...], tell: Callable[[int, int], None], report: Report
    ) -> Awaitable[Report]:
        return run_backfill(server, begin, end, specs=specs, progress=tell, pause=pause, report=report)

    run("backfill", work, as_json)


def repair(
    start: Annotated[str, typer.Option("--from", help="Look from this day or instant on (default: all).")] = "",
    stop: Annotated[str, typer.Option("--to", help="Look up to this day or instant (default: now).")] = "",
    pause: Pause = 0.0,
    as_json: Json = False,
) -> None:
    """Find summaries that are missing or differ from the raw events in any field, and put those right."""
    begin = moment(start, "--from") if start else None
    end = moment(stop, "--to") if stop else None

    def work(
        server: SummaryServer, specs: tuple[Downsample, ...], tell: Callable[[int, int], None], report: Report
    ) -> Awaitable[Report]:
        return run_repair(server, begin, end, specs=specs, progress=tell, pause=pause, report=report)

    run("repair", work, as_json)
