"""`hearthflux health` and `hearthflux serve`: is everything well, once or on request, and recorded each hour."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from event_schema.operations_records import RECORD_EVERY
from flux_tasks import ServerProblem
from operations import http_server, logs, records
from operations.errors import UserError
from operations.health.checks import HealthReport
from operations.health.look import Limits, Look
from operations.health.metrics import HealthCollector
from operations.home_settings import DEFAULT_STACK, HomeOption, StackOption, home_settings
from operations.http_server import registry_text, serving
from operations.sizes import parse_size
from operations.spool_view import SpoolView, spool_path
from operations.spool_view import look as look_into_spool
from operations.storage_commands import Limit, open_server
from operations.watched_server import NAMING_VARIABLES
from stacks.settings import HomeSettings

logger = logging.getLogger("hearthflux.health")
ROLES = ("writer", "reader", "operations", "monitor")
MARKS = {"healthy": "[green]✓[/]", "unhealthy": "[red]✗[/]", "unknown": "[yellow]?[/]"}

Json = Annotated[bool, typer.Option("--json", help="One line of JSON.")]
Silence = Annotated[
    float, typer.Option("--silence", help="Minutes without any event that are too long.", min=1, metavar="MINUTES")
]
Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", help="Port to listen on; 0 takes a free one.", min=0, max=65535)]


def stack_tokens(stack: str, home: HomeSettings) -> dict[str, str]:
    """The tokens that the local stack has made, by role; none for a server that the environment names."""
    if any(os.environ.get(name, "").strip() for name in NAMING_VARIABLES):
        return {}
    from operations.pulumi_runner import Stack
    from operations.stack_commands import of_home

    try:
        outputs = Stack(stack).outputs()
        found = of_home(outputs, home.name if "homes" in outputs else "")
    except UserError:
        return {}  # not applied yet: what is missing, the other checks say
    return {role: str(found[f"{role}_token"]) for role in ROLES if found.get(f"{role}_token")}


async def look_once(home: HomeSettings, limits: Limits, tokens: Mapping[str, str]) -> tuple[HealthReport, Look]:
    """One look with a connection of its own. Raises UserError, WrongConnection."""
    async with open_server(home) as server:
        look = Look(server, home, limits, tokens, dict(os.environ))
        return await look.health(), look


def show(report: HealthReport) -> None:
    table = Table(title="healthy" if report.healthy else "unhealthy", title_justify="left", show_header=False)
    for finding in report.findings:
        said = "\n".join(finding.reasons) or finding.note or "well"
        table.add_row(MARKS[finding.status], finding.check, said)
    Console().print(table)


def health(
    stack: StackOption = DEFAULT_STACK,
    home: HomeOption = "",
    limit: Limit = "",
    silence: Silence = 60.0,
    json_wanted: Json = False,
    serve_wanted: Annotated[
        bool, typer.Option("--serve", help="Answer GET /health and /metrics until stopped, as 'hearthflux serve'.")
    ] = False,
    host: Host = http_server.HOST,
    port: Port = http_server.PORT,
) -> None:
    """Is everything well? Exit code 0 only if so.

    Server, tokens, events, tasks, summaries, the writer's spool (INFLUXDB_SPOOL_PATH), storage, retention: from
    INFLUXDB_URL, INFLUXDB_TOKEN and INFLUXDB_ORG, else of the local stack.
    """
    if serve_wanted:
        serve(stack=stack, home=home, limit=limit, silence=silence, host=host, port=port)
        return
    chosen = home_settings(stack, home)
    report, _ = asyncio.run(look_once(chosen, limits_of(limit, silence), stack_tokens(stack, chosen)))
    if json_wanted:
        typer.echo(json.dumps(report.as_json(), default=str))
    else:
        show(report)
    if not report.healthy:
        raise typer.Exit(1)


def limits_of(limit: str, silence: float) -> Limits:
    return Limits(
        longest_silence=timedelta(minutes=silence), limit_bytes=parse_size(limit, "--limit") if limit else None
    )


@dataclass(slots=True)
class Service:
    """Looks at a home when it is asked and every hour, records what it sees, logs what changes."""

    home: HomeSettings
    limits: Limits
    tokens: Mapping[str, str] = field(repr=False)
    max_age: float = 15.0
    said: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _latest: tuple[HealthReport, Look] | None = None
    _looked: float = 0.0
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self) -> tuple[HealthReport, Look]:
        """What was seen last, looked at again where that is older than `max_age` seconds."""
        async with self._one_at_a_time:
            if self._latest is None or time.monotonic() - self._looked > self.max_age:
                self._latest = await look_once(self.home, self.limits, self.tokens)
                self._looked = time.monotonic()
                self._log(self._latest[0])
            return self._latest

    def _log(self, report: HealthReport) -> None:
        """One line for what begins and for what ends, however often it is looked at."""
        for finding in report.findings:
            before, now = self.said.get(finding.check, ()), finding.reasons
            self.said[finding.check] = now
            if bool(now) != bool(before):
                level = logging.WARNING if now else logging.INFO
                message = "; ".join(now) if now else "well again"
                logger.log(level, "%s: %s", finding.check, message, extra={"check": finding.check, "healthy": not now})

    async def health(self) -> dict[str, Any]:
        return (await self.look())[0].as_json()

    async def metrics(self) -> str:
        from prometheus_client import CollectorRegistry

        report, look = await self.look()
        registry = CollectorRegistry()
        registry.register(HealthCollector(report, look.storage, self._spool()))
        return registry_text(registry)

    def _spool(self) -> SpoolView | None:
        try:
            return look_into_spool(spool_path(os.environ)[0])
        except UserError:
            return None

    async def record(self) -> None:
        """Write one look to the bucket `operations`."""
        report, look = await self.look()
        lines = records.health_lines(report)
        if look.storage is not None:
            lines += records.storage_lines(look.storage)
        spool = self._spool()
        if spool is not None:
            lines.append(records.spool_line(spool, report.at))
        async with open_server(self.home) as server:
            await server.write(self.home.operations_bucket, "\n".join(lines))

    async def record_for_ever(self, every: timedelta) -> None:
        failing = False
        while True:
            try:
                await self.record()
                if failing:
                    logger.info("records are written again")
                failing = False
            except (ServerProblem, UserError) as error:
                if not failing:
                    logger.warning("nothing could be recorded: %s", error)
                failing = True
            await asyncio.sleep(every.total_seconds())


async def _serve(service: Service, host: str, port: int, every: timedelta) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for caught in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(caught, stop.set)
    async with serving(service.health, service.metrics, host=host, port=port, max_age=0) as url:
        typer.echo(f"{url}/health and {url}/metrics", err=True)
        recording = asyncio.create_task(service.record_for_ever(every))
        await stop.wait()
        recording.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await recording


def serve(
    stack: StackOption = DEFAULT_STACK,
    home: HomeOption = "",
    limit: Limit = "",
    silence: Silence = 60.0,
    host: Host = http_server.HOST,
    port: Port = http_server.PORT,
    every: Annotated[
        float, typer.Option("--record-every", help="Minutes between two records.", min=0.01, metavar="MINUTES")
    ] = RECORD_EVERY / timedelta(minutes=1),
    max_age: Annotated[
        float, typer.Option("--max-age", help="Seconds for which an answer serves.", min=0, metavar="SECONDS")
    ] = 15.0,
) -> None:
    """Answer GET /health and /metrics, and record sizes, spool and health each hour, until stopped."""
    logs.configure(os.environ, default_level="INFO")
    chosen = home_settings(stack, home)
    service = Service(chosen, limits_of(limit, silence), stack_tokens(stack, chosen), max_age)
    asyncio.run(_serve(service, host, port, timedelta(minutes=every)))
