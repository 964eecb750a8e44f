"""`hearthflux server start|status|stop`: the local InfluxDB in `.local/influxdb`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from operations import paths
from operations.influxd import LocalInfluxd, free_port, port_is_taken

DEFAULT_PORT = 8086
ORGANIZATION = "hearthflux"

app = typer.Typer(no_args_is_help=True, help="Start, stop and look at a local InfluxDB server.")
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


def local_server(port: int = 0) -> LocalInfluxd:
    """The server of `.local/influxdb`."""
    return LocalInfluxd(paths.local("influxdb"), port=port, org=ORGANIZATION)


def status_of(server: LocalInfluxd) -> dict[str, object]:
    running = server.pid is not None
    answering = running and server.is_ready()
    return {
        "running": running,
        "answering": answering,
        "url": server.url if running else None,
        "pid": server.pid,
        "folder": str(server.folder),
        "log": str(server.log),
        "token_file": str(server.token_path),
    }


def show(status: dict[str, object], sentence: str, as_json: bool) -> None:
    typer.echo(json.dumps(status) if as_json else sentence)


def start_server(port: int = 0) -> LocalInfluxd:
    """Start `.local/influxdb` on its port (8086 or a free one at the very first start), or find it running."""
    server = local_server()
    if server.pid is not None:
        return server.start()
    return local_server(port or remembered_port(server)).start()


def remembered_port(server: LocalInfluxd) -> int:
    """The port of the last start: a stack's state holds the server's address, so it has to stay the same."""
    path = server.folder / "port"
    if path.is_file() and path.read_text().strip().isdigit():
        return int(path.read_text())
    port = free_port() if port_is_taken(DEFAULT_PORT) else DEFAULT_PORT
    server.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(f"{port}\n")
    return port


@app.command()
def start(
    port: Annotated[
        int, typer.Option(help="Port on 127.0.0.1; 0 keeps the last one, 8086 at first.", min=0, max=65535)
    ] = 0,
    as_json: Json = False,
) -> None:
    """Start the server in the background and set it up once. It goes on after this command ends."""
    server = local_server()
    was_running = server.pid is not None
    if was_running and port not in (0, server.port):
        typer.echo(
            f"A server runs already at {server.url}: stop it with 'hearthflux server stop' to change its port.",
            err=True,
        )
        raise typer.Exit(1)
    if port:
        server.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = start_server(port)
    if port:
        (server.folder / "port").write_text(f"{port}\n")
    word = "runs already" if was_running else "started"
    show(
        status_of(server),
        f"InfluxDB {word} at {server.url} (process {server.pid}); operator token: {server.token_path}",
        as_json,
    )


@app.command()
def status(as_json: Json = False) -> None:
    """Say whether the server runs and answers; exit code 0 only if both."""
    server = local_server()
    found = status_of(server)
    if found["answering"]:
        sentence = f"InfluxDB answers at {server.url} (process {server.pid})"
    elif found["running"]:
        sentence = f"InfluxDB runs as process {server.pid} but gives no answer at {server.url}; its log: {server.log}"
    elif server.left_behind:
        sentence = (
            "InfluxDB does not run: it ended without being stopped (the pid file is stale); "
            f"its log: {server.log}; 'hearthflux server start' starts it again"
        )
    else:
        sentence = "InfluxDB does not run; 'hearthflux server start' starts it"
    show(found, sentence, as_json)
    if not found["answering"]:
        raise typer.Exit(1)


@app.command()
def stop(as_json: Json = False) -> None:
    """Stop the server; its data stay."""
    server = local_server()
    stopped = server.stop()
    show({"stopped": stopped}, "InfluxDB stopped" if stopped else "InfluxDB did not run", as_json)
