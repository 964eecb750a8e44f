"""`hearthflux stack preview|up|drift|shell` and `hearthflux env`: what is declared, applied, handed to the pipeline."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from operations import pulumi_project, stack_diff
from operations.errors import UserError
from operations.influxd import LocalInfluxd, write_private
from operations.pulumi_runner import Result, Stack, runner_environment
from operations.server_commands import local_server

app = typer.Typer(no_args_is_help=True, help="Preview and apply what is declared in stacks/.")
StackName = Annotated[str, typer.Option("--stack", "-s", help="The environment: a Pulumi.<stack>.yaml in stacks/.")]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the diff as a comment for a pull request.")]
LOCAL_STACK = "dev"
DRIFTED = 3


def knows_its_server(name: str) -> bool:
    """Whether the environment's server and token are known here, from its configuration or from the environment."""
    found = pulumi_project.settings(pulumi_project.committed(name).read_text())
    return all(
        found.get(f"influxdb:{key}") or os.environ.get(variable)
        for key, variable in (("url", "INFLUXDB_URL"), ("token", "INFLUXDB_TOKEN"))
    )


def server_environment(stack: str) -> dict[str, str]:
    """INFLUXDB_URL and INFLUXDB_TOKEN for the provider: the user's own, else for `dev` the local server's."""
    if os.environ.get("INFLUXDB_URL") or os.environ.get("INFLUXDB_TOKEN"):
        return {}
    if stack != LOCAL_STACK or knows_its_server(stack):
        return {}
    server = local_server()
    if server.pid is None:
        raise UserError("The local InfluxDB does not run: 'hearthflux server start' starts it.")
    return {"INFLUXDB_URL": server.url, "INFLUXDB_TOKEN": server.token}


def open_stack(name: str) -> Stack:
    pulumi_project.committed(name)
    if name != LOCAL_STACK and not knows_its_server(name):
        raise UserError(
            f"The server of stack {name!r} is not known here: set INFLUXDB_URL and INFLUXDB_TOKEN, or influxdb:url and "
            f"influxdb:token in stacks/Pulumi.{name}.yaml. 'hearthflux stack preview --stack {name} --local' shows "
            "what an empty server would get."
        )
    stack = Stack(name, server_environment(name))
    stack.ensure()
    return stack


@contextlib.contextmanager
def _started(server: LocalInfluxd) -> Iterator[dict[str, str]]:
    """The server's address and token; one that did not run before is stopped again."""
    running = server.pid is not None
    server.start()
    try:
        yield {"INFLUXDB_URL": server.url, "INFLUXDB_TOKEN": server.token}
    finally:
        if not running:
            server.stop()


@contextlib.contextmanager
def empty_server() -> Iterator[dict[str, str]]:
    """A server that is there for a look only, with nothing in it."""
    with tempfile.TemporaryDirectory(prefix="hearthflux-") as folder, _started(LocalInfluxd(Path(folder))) as found:
        yield found


@contextlib.contextmanager
def stack_to_look_at(name: str, empty: Callable[[], Mapping[str, str]] | None) -> Iterator[Stack]:
    """The stack on its own server; where that is not known here, and `empty` is given, on the server that it gives."""
    own = local_server()
    if empty is None or knows_its_server(name):
        yield open_stack(name)
    elif name == LOCAL_STACK and own.engine_path.is_dir():
        with _started(own) as environment:
            stack = Stack(name, environment)
            stack.ensure()
            yield stack
    else:
        typer.echo(f"{name}: its server is not known here, so this is what an empty server would get", err=True)
        configuration = pulumi_project.without_server(pulumi_project.committed(name).read_text())
        stack = Stack(name, empty(), configuration)
        stack.ensure()
        yield stack


def as_json(name: str, result: Result) -> dict[str, Any]:
    return {
        "stack": name,
        "changes": result.changes,
        "changed": result.changed,
        "resources": [one.as_json() for one in result.resources],
    }


def show(name: str, result: Result, *, json_wanted: bool, markdown: bool = False, diff: bool = False) -> None:
    """The result on standard output, in the one form that is wanted."""
    if json_wanted:
        typer.echo(json.dumps(as_json(name, result)))
    elif markdown:
        typer.echo(stack_diff.markdown(name, result.changes, result.resources), nl=False)
        # The whole of it for the job's log: a comment has a limit.
        for line in stack_diff.lines(result.resources):
            typer.echo(f"  {line}", err=True)
    else:
        typer.echo(stack_diff.headline(name, result.changes))
        for line in stack_diff.lines(result.resources) if diff else ():
            typer.echo(f"  {line}")


def tell(event: Mapping[str, Any]) -> None:
    """One line on stderr for each resource that changes."""
    for change in stack_diff.changes_of([event]):
        typer.echo(f"  {change.operation:8} {change.kind} {change.name}", err=True)


@app.command()
def preview(
    stack: StackName = LOCAL_STACK,
    every: Annotated[bool, typer.Option("--all", help="Every environment, one after the other.")] = False,
    local: Annotated[
        bool,
        typer.Option(
            "--local", help="Where an environment's server or token is not known here: what an empty server would get."
        ),
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show every property that changes.")] = False,
    json_wanted: Json = False,
    markdown: Markdown = False,
) -> None:
    """Show what `up` would change; nothing is changed. Exit code 1 where a preview fails."""
    failed = False
    with contextlib.ExitStack() as servers:
        empty = functools.cache(lambda: servers.enter_context(empty_server())) if local else None
        for name in pulumi_project.declared() if every else [stack]:
            try:
                with stack_to_look_at(name, empty) as opened:
                    found = opened.preview(None if diff or markdown or json_wanted else tell)
            except UserError as error:
                if not every and not markdown:
                    raise
                failed = True
                if markdown:
                    typer.echo(stack_diff.failure_markdown(name, str(error)), nl=False)
                typer.echo(f"{name}: {error}", err=True)
            else:
                show(name, found, json_wanted=json_wanted, markdown=markdown, diff=diff)
    if failed:
        raise typer.Exit(1)


def record_schema(outputs: Mapping[str, Any]) -> None:
    """Write down the version of the contract for each home; a note on stderr where that can't be done."""
    from operations.schema.record import keep_records

    for home in outputs.get("homes") or [""]:
        found = variables(of_home(outputs, home), "operations_token")
        if note := keep_records(found):
            typer.echo(note, err=True)


@app.command()
def up(stack: StackName = LOCAL_STACK, json_wanted: Json = False) -> None:
    """Make the server what is declared."""
    opened = open_stack(stack)
    opened.recover()
    show(stack, opened.up(tell), json_wanted=json_wanted)
    record_schema(opened.outputs())


@app.command()
def drift(stack: StackName = LOCAL_STACK, json_wanted: Json = False, markdown: Markdown = False) -> None:
    """Compare the server with what is declared: any difference ends with exit code 3. Nothing is changed."""
    opened = open_stack(stack)
    found = opened.preview(refresh=True)
    show(stack, found, json_wanted=json_wanted, markdown=markdown, diff=True)
    if found.changed:
        typer.echo(
            f"{stack} is not as declared (before: on the server, after: declared): "
            f"'hearthflux stack up --stack {stack}' mends it.",
            err=True,
        )
        raise typer.Exit(DRIFTED)


@app.command()
def shell(stack: StackName = LOCAL_STACK) -> None:
    """Print what a `pulumi` typed by hand needs, for: eval "$(hearthflux stack shell)"."""
    server = server_environment(stack)
    wanted = {**runner_environment(server, by_hand=True), **server}
    for name in ("PATH", "PYTHONPATH", *(n for n in sorted(wanted) if n.startswith(("PULUMI_", "INFLUXDB_")))):
        if wanted.get(name) != os.environ.get(name):
            typer.echo(f"export {name}={shlex.quote(wanted[name])}")


def of_home(outputs: Mapping[str, Any], home: str = "") -> Mapping[str, Any]:
    """The outputs of one home; a stack of a single home has no others. Raises UserError naming the homes."""
    homes = outputs.get("homes")
    if homes is None:
        if home:
            raise UserError(f"This stack has a single home: leave out --home {home}.", exit_code=2)
        return outputs
    if not home and len(homes) == 1:
        home = next(iter(homes))
    if home not in homes:
        wrong = f"has no home {home!r}" if home else "has several homes: choose one with --home"
        raise UserError(f"This stack {wrong}. There are {', '.join(sorted(homes))}.", exit_code=2)
    return {"url": outputs.get("url", ""), **homes[home]}


def variables(outputs: Mapping[str, Any], token: str = "writer_token") -> dict[str, str]:
    """A home's outputs by the names of the environment. Raises UserError where one is missing."""
    try:
        found = {
            "INFLUXDB_URL": str(outputs["url"]),
            "INFLUXDB_TOKEN": str(outputs[token]),
            "INFLUXDB_ORG": str(outputs["org"]),
            "INFLUXDB_BUCKET": str(outputs["buckets"]["raw"]),
        }
    except KeyError as error:
        raise UserError(
            f"The stack's outputs have no {error.args[0]!r}: apply it again with 'hearthflux stack up'."
        ) from None
    optional = {"HOME_TIME_ZONE": outputs.get("time_zone"), "HOME_BUCKET_PREFIX": outputs.get("bucket_prefix")}
    return found | {name: str(value) for name, value in optional.items() if value}


def env(
    stack: StackName = LOCAL_STACK,
    home: Annotated[str, typer.Option("--home", help="Which home, where the stack has several.")] = "",
    reader: Annotated[bool, typer.Option("--reader", help="The token that reads, not the one that writes.")] = False,
    operations: Annotated[
        bool, typer.Option("--operations", help="The token of backfill and repair: reads and writes every tier.")
    ] = False,
    monitor: Annotated[
        bool, typer.Option("--monitor", help="The token of health, storage and serve: reads, and writes own records.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="Write NAME=value lines to a file that only you can read (systemd's).")
    ] = None,
    json_wanted: Json = False,
) -> None:
    """Print a stack's outputs as lines for: eval "$(hearthflux env --stack dev)"."""
    chosen = [name for name, wanted in (("reader", reader), ("operations", operations), ("monitor", monitor)) if wanted]
    if len(chosen) > 1:
        raise UserError(f"--{' and --'.join(chosen)} are different tokens: choose one.", exit_code=2)
    token = f"{chosen[0] if chosen else 'writer'}_token"
    found = variables(of_home(Stack(stack).outputs(), home), token)
    if os.environ.get("INFLUXDB_CA_FILE"):
        found["INFLUXDB_CA_FILE"] = os.environ["INFLUXDB_CA_FILE"]
    if file is not None:
        try:
            write_private(file, "".join(f"{name}={value}\n" for name, value in found.items()))
        except OSError as error:
            raise UserError(f"{file} can't be written: {error.strerror}.") from None
        typer.echo(f"{', '.join(found)} written to {file}", err=True)
        return
    if json_wanted:
        typer.echo(json.dumps(found))
        return
    for name, value in found.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
