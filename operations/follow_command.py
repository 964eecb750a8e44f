"""`hearthflux follow`: a running Home Assistant into InfluxDB, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from operations import http_server, paths
from operations.errors import UserError
from operations.follow.follower import Follower
from operations.follow.home_assistant import CommandFailed, ConnectionLost, TokenRefused
from operations.follow.metrics import FollowCollector
from operations.follow.settings import FollowSettings
from writer import BatchWriter, WriterSettings
from writer.metrics import WriterCollector

UNITS = {"h": 3600, "d": 86_400}


def span_of(text: str) -> timedelta:
    """`12h` or `10d`. Raises UserError."""
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not number.isdigit():
        raise UserError(f"--since {text!r} is not a span: give hours or days, such as 12h or 10d", exit_code=2)
    return timedelta(seconds=int(number) * UNITS[unit])


async def _serve(follower: Follower, writer: BatchWriter, host: str, port: int) -> None:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(FollowCollector(follower))
    registry.register(WriterCollector(writer))

    async def health() -> dict[str, object]:
        return follower.health()

    async def metrics() -> str:
        return http_server.registry_text(registry)

    async with http_server.serving(health, metrics, host=host, port=port, max_age=1.0) as url:
        typer.echo(f"following {follower.settings.url}; health and metrics at {url}", err=True)
        await follower.run()


async def _until_stopped(work: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def _look(follower: Follower, registry_file: Path | None) -> None:
    """Connect once; say what would be followed, or save the registry."""
    try:
        async with follower.connection() as home:
            await follower.load_registry(home)
            states = await home.ask("get_states")
            version = home.version
    except (ConnectionLost, TokenRefused, CommandFailed) as error:
        raise UserError(str(error)) from None
    if registry_file is not None:
        _save_registry(follower, registry_file)
        return
    followed = sorted(entity for one in states if follower.follows(entity := str(one["entity_id"])))
    typer.echo(f"Home Assistant {version}: {len(followed):,} of {len(states):,} entities would be followed")
    for entity in followed:
        place = follower.registry.get(entity)
        typer.echo(f"  {entity}" + (f"  ({place.area})" if place is not None and place.area else ""))


def _save_registry(follower: Follower, path: Path) -> None:
    content = {entity: asdict(place) for entity, place in sorted(follower.registry.items())}
    try:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from None
    typer.echo(f"{len(content):,} entities with their places written to {path}")


def follow(
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file: include, exclude, attributes, weather.")
    ] = None,
    position: Annotated[
        Path | None, typer.Option("--position", help="Where the position is kept (default: .local/follow.json).")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="At the very first start, fill so much from the history: 12h, 10d.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where health and metrics are served.")] = http_server.HOST,
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0, max=65535)] = http_server.PORT,
    check: Annotated[bool, typer.Option("--check", help="Connect, list what would be followed, and end.")] = False,
    write_registry: Annotated[
        Path | None, typer.Option("--write-registry", help="Save areas, devices and integrations here, and end.")
    ] = None,
) -> None:
    """Write a running Home Assistant's events into InfluxDB until stopped.

    HOME_ASSISTANT_URL and HOME_ASSISTANT_TOKEN (or _FILE) say where it is, the INFLUXDB_* variables where events go.
    """
    settings = FollowSettings.from_env(config, position or paths.local("follow.json"))
    looking = check or write_registry is not None
    span = None if since is None else span_of(since)

    async def go() -> None:
        if looking:
            await _look(Follower(settings, writer=BatchWriter(_unused_writer())), write_registry)
            return
        async with BatchWriter(WriterSettings.from_env()) as writer:
            follower = Follower(settings, writer)
            follower.restore()
            if span is not None:
                follower.start_from(time.time_ns() - int(span.total_seconds()) * 1_000_000_000)
            try:
                await _until_stopped(asyncio.create_task(_serve(follower, writer, host, port)))
            finally:
                follower.keep()

    asyncio.run(go())


def _unused_writer() -> WriterSettings:
    """Settings of a writer that is never opened: looking at Home Assistant needs no InfluxDB."""
    return WriterSettings(url="http://127.0.0.1:8086", token="-", org="-")
