"""`hearthflux report`: one page of a home, or its figures as JSON."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from operations import paths
from operations.errors import UserError
from operations.health.look import Look
from operations.health_commands import Silence, limits_of, stack_tokens
from operations.home_settings import DEFAULT_STACK, HomeOption, StackOption, home_settings
from operations.report import build, home_sections
from operations.report.build import Report
from operations.report.page import write
from operations.spool_view import spool_path
from operations.storage_commands import Limit, open_server
from stacks.settings import HomeSettings


async def look_at(home: HomeSettings, limit: str, silence: float, stack: str, outdoor: str, weeks: int) -> Report:
    async with open_server(home) as server:
        look = Look(server, home, limits_of(limit, silence), stack_tokens(stack, home), dict(os.environ))
        return await build.gather(
            look, outdoor=outdoor, pattern=timedelta(weeks=weeks), spool=spool_path(os.environ)[0]
        )


def lead_of(report: Report) -> str:
    span = home_sections.span(report.home)
    shown = f"{span[0]:%-d %B %Y} to {span[1]:%-d %B %Y}" if span else "no events yet"
    return (
        f"{report.home.flows.entities} entities, {shown}, as of {report.at:%-d %B %Y %H:%M} UTC. "
        f"Read from the hourly and daily summaries in InfluxDB; the home's time zone is {report.home.zone}."
    )


def report(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page's file (default: .local/report.html).")
    ] = None,
    outdoor: Annotated[
        str, typer.Option(help="The entity of the temperature outdoors (default: found by its name or area).")
    ] = "",
    weeks: Annotated[
        int, typer.Option(help="Over how many weeks hours of the day and weekdays are averaged.", min=1, max=104)
    ] = 8,
    stack: StackOption = DEFAULT_STACK,
    home: HomeOption = "",
    limit: Limit = "",
    silence: Silence = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="The figures on standard output instead of a page.")] = False,
) -> None:
    """Write one page of a home that needs no network: flows, summaries, data quality, storage with forecast, health.

    Reads what INFLUXDB_URL, INFLUXDB_TOKEN and INFLUXDB_ORG name, else the local stack.
    """
    chosen = home_settings(stack, home)
    found = asyncio.run(look_at(chosen, limit, silence, stack, outdoor, weeks))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    path = output or paths.local("report.html")
    if not path.parent.is_dir():
        raise UserError(f"--output {path}: there is no folder {path.parent}.", exit_code=2)
    made = build.page(found, heading=f"{chosen.name} at home", lead=lead_of(found), footer="Made by hearthflux report.")
    typer.echo(str(write(path, made)))
