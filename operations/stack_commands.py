"""`hearthflux stack preview|up` and `hearthflux env`: what is declared, applied and handed to the pipeline."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from operations.errors import UserError
from operations.pulumi_runner import Result, Stack
from operations.server_commands import local_server

app = typer.Typer(no_args_is_help=True, help="Preview and apply what is declared in stacks/.")
StackName = Annotated[str, typer.Option("--stack", "-s", help="The environment: a Pulumi.<stack>.yaml in stacks/.")]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
LOCAL_STACK = "dev"


def server_environment(stack: str) -> dict[str, str]:
    """INFLUXDB_URL and INFLUXDB_TOKEN for the provider: the user's own, else for `dev` the local server's."""
    if os.environ.get("INFLUXDB_URL") or os.environ.get("INFLUXDB_TOKEN") or stack != LOCAL_STACK:
        return {}
    server = local_server()
    if server.pid is None:
        raise UserError("The local InfluxDB does not run: 'hearthflux server start' starts it.")
    return {"INFLUXDB_URL": server.url, "INFLUXDB_TOKEN": server.token}


def open_stack(name: str) -> Stack:
    stack = Stack(name, server_environment(name))
    stack.ensure()
    return stack


def show(result: Result, as_json: bool, done: str) -> None:
    if as_json:
        typer.echo(json.dumps({"changes": result.changes, "changed": result.changed}))
    elif result.changed == 0:
        typer.echo(f"nothing {done}: the server is as declared ({result.changes.get('same', 0)} resources)")
    else:
        parts = ", ".join(f"{count} {name}" for name, count in sorted(result.changes.items()))
        typer.echo(f"{result.changed} {done}: {parts}")


def tell(event: Mapping[str, Any]) -> None:
    """One line on stderr for each resource that changes."""
    metadata = event.get("resourcePreEvent", {}).get("metadata", {})
    if metadata and metadata["op"] != "same":
        kind, name = metadata["urn"].split("::")[-2:]
        typer.echo(f"  {metadata['op']:8} {kind.split('$')[-1]} {name}", err=True)


@app.command()
def preview(stack: StackName = LOCAL_STACK, as_json: Json = False) -> None:
    """Show what `up` would change; nothing is changed."""
    show(open_stack(stack).preview(tell), as_json, "would change")


@app.command()
def up(stack: StackName = LOCAL_STACK, as_json: Json = False) -> None:
    """Make the server what is declared."""
    opened = open_stack(stack)
    opened.recover()
    show(opened.up(tell), as_json, "changed")


def variables(outputs: Mapping[str, Any], token: str = "writer_token") -> dict[str, str]:
    """A stack's outputs by the names of the environment. Raises UserError where one is missing."""
    try:
        return {
            "INFLUXDB_URL": str(outputs["url"]),
            "INFLUXDB_TOKEN": str(outputs[token]),
            "INFLUXDB_ORG": str(outputs["org"]),
            "INFLUXDB_BUCKET": str(outputs["buckets"]["raw"]),
        } | ({"HOME_TIME_ZONE": str(outputs["time_zone"])} if outputs.get("time_zone") else {})
    except KeyError as error:
        raise UserError(
            f"The stack's outputs have no {error.args[0]!r}: apply it again with 'hearthflux stack up'."
        ) from None


def env(
    stack: StackName = LOCAL_STACK,
    reader: Annotated[bool, typer.Option("--reader", help="The token that reads, not the one that writes.")] = False,
    operations: Annotated[
        bool, typer.Option("--operations", help="The token of backfill and repair: reads and writes every tier.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print a stack's outputs as lines for: eval "$(hearthflux env --stack dev)"."""
    if reader and operations:
        raise UserError("--reader and --operations are two different tokens: choose one.", exit_code=2)
    token = "reader_token" if reader else "operations_token" if operations else "writer_token"
    found = variables(Stack(stack).outputs(), token)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for name, value in found.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
