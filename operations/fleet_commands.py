"""`hearthflux fleet preview|up|drift|status`: many stacks of homes, from one file."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from operations import paths, stack_diff
from operations.errors import UserError
from operations.exclusive import alone
from operations.fleet.file import MANY_HOMES, Fleet, FleetStack, check_servers, read

if TYPE_CHECKING:
    from operations.fleet.run import Operation, Outcome

DRIFTED = 3
app = typer.Typer(no_args_is_help=True, help="Preview and apply many stacks of homes, listed in one file.")
console = Console(stderr=True)

File = Annotated[Path, typer.Option("--file", "-f", help="The file of the fleet.")]
Only = Annotated[list[str] | None, typer.Option("--stack", "-s", help="Only this stack; may be given several times.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="How many stacks at a time; 0: one for each core.", min=0)]
Json = Annotated[bool, typer.Option("--json", help="End with one line of JSON on standard output.")]
Diff = Annotated[bool, typer.Option("--diff", help="Show every property that changes.")]
DEFAULT_FILE = Path("fleet.yaml")


class Show:
    """Progress on stderr: a line for the fleet and one for each stack at work; one line for each that has ended."""

    def __init__(self, operation: str, stacks: Sequence[FleetStack]) -> None:
        self._operation = operation
        self._bars = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._all = self._bars.add_task(f"{operation}: {len(stacks)} stacks", total=len(stacks))
        self._each: dict[str, TaskID] = {}

    def __enter__(self) -> Show:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def seen(self, name: str, done: int) -> None:
        if name not in self._each:
            self._each[name] = self._bars.add_task(f"  {name}", total=None)
        self._bars.update(self._each[name], completed=done)

    def ended(self, outcome: Outcome) -> None:
        if outcome.name in self._each:
            self._bars.remove_task(self._each[outcome.name])
        self._bars.advance(self._all)
        sign = "✓" if outcome.ok else "✗"
        told = stack_diff.headline(outcome.name, outcome.changes) if outcome.changes else outcome.name
        console.print(f"{sign} {told} ({outcome.homes} homes, {outcome.seconds:.0f} s)", highlight=False, markup=False)
        for home, reason in outcome.failed.items():
            console.print(f"    {home} failed: {reason}", highlight=False, markup=False, soft_wrap=True)
        if outcome.error:
            console.print(f"    {outcome.error}", highlight=False, markup=False, soft_wrap=True)


def chosen(file: Path, only: list[str] | None) -> tuple[Fleet, tuple[FleetStack, ...]]:
    """The fleet and the stacks to work on. Raises UserError for what is wrong in the file or not set."""
    fleet = read(file)
    stacks = fleet.chosen(tuple(only or ()))
    for stack in stacks:
        if len(stack.homes) > MANY_HOMES:
            console.print(
                f"{stack.name} has {len(stack.homes)} homes: about twenty are quick, for the engine's time grows with "
                "the square of a stack's size.",
                highlight=False,
            )
    return fleet, stacks


def operate(operation: Operation, file: Path, only: list[str] | None, jobs: int, as_json: bool, diff: bool) -> None:
    """Run it over the stacks and end with what came of it: exit code 1 where any stack failed."""
    _, stacks = chosen(file, only)
    check_servers(stacks)
    from operations.fleet.run import run

    # SIGTERM ends as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = paths.local("fleet")
    folder.mkdir(exist_ok=True)
    try:
        with alone(folder, "hearthflux fleet"), Show(operation, stacks) as show:
            outcomes = run(operation, stacks, jobs or os.cpu_count() or 1, show.seen, show.ended)
    except KeyboardInterrupt:
        raise UserError(
            f"interrupted: what was begun has been ended in good order, 'hearthflux fleet {operation}' goes on from "
            "here.",
            exit_code=130,
        ) from None
    from operations.stack_commands import record_schema

    for outcome in outcomes:
        if outcome.outputs:
            record_schema(outcome.outputs)
    report(operation, outcomes, as_json=as_json, diff=diff)


def report(operation: Operation, outcomes: Sequence[Outcome], *, as_json: bool, diff: bool) -> None:
    failed = [one for one in outcomes if not one.ok]
    changed = sum(one.changed for one in outcomes)
    drifted = operation == "drift" and changed > 0
    if as_json:
        found = {
            "operation": operation,
            "ok": not failed and not drifted,
            "homes": sum(one.homes for one in outcomes),
            "changed": changed,
            "stacks": [one.as_json(diff=diff) for one in outcomes],
        }
        typer.echo(json.dumps(found))
    else:
        for one in outcomes if diff else ():
            if one.resources:
                typer.echo(stack_diff.headline(one.name, one.changes))
                for line in stack_diff.lines(one.resources):
                    typer.echo(f"  {line}")
        word = {"preview": "would change", "up": "changed", "drift": "differ from what is declared"}[operation]
        typer.echo(
            f"{len(outcomes) - len(failed)} of {len(outcomes)} stacks done, {sum(one.homes for one in outcomes)} "
            f"homes: {changed} resources {word}"
        )
    if failed:
        raise typer.Exit(1)
    if drifted:
        raise typer.Exit(DRIFTED)


@app.command()
def preview(
    file: File = DEFAULT_FILE, stack: Only = None, jobs: Jobs = 0, diff: Diff = False, as_json: Json = False
) -> None:
    """Show what `up` would change in every stack; nothing is changed."""
    operate("preview", file, stack, jobs, as_json, diff)


@app.command()
def up(
    file: File = DEFAULT_FILE, stack: Only = None, jobs: Jobs = 0, diff: Diff = False, as_json: Json = False
) -> None:
    """Make every stack's server what is declared. What fails does not stop the rest; run it again to go on."""
    operate("up", file, stack, jobs, as_json, diff)


@app.command()
def drift(file: File = DEFAULT_FILE, stack: Only = None, jobs: Jobs = 0, as_json: Json = False) -> None:
    """Compare every stack's server with what is declared: any difference ends with exit code 3."""
    operate("drift", file, stack, jobs, as_json, diff=True)


@app.command()
def status(file: File = DEFAULT_FILE, stack: Only = None, as_json: Json = False) -> None:
    """What the state says of every stack: when it was applied, how large it is, which homes are not there yet."""
    fleet, stacks = chosen(file, stack)
    from operations.fleet.state import states, strangers

    found = states(stacks)
    left = strangers(fleet) if not stack else []
    if as_json:
        rows: list[dict[str, Any]] = [one.as_json() for one in found]
        typer.echo(json.dumps({"stacks": rows, "not_in_the_file": left}))
        return
    from rich.table import Table

    table = Table()
    for heading in ("stack", "homes", "resources", "last applied", "to do"):
        table.add_column(heading, justify="right" if heading in ("homes", "resources") else "left")
    for one in found:
        table.add_row(one.name, f"{len(one.applied)} of {len(one.declared)}", str(one.resources), one.when, one.to_do)
    Console().print(table)
    for name in left:
        typer.echo(f"stack {name} is in the backend and not in {file}: 'pulumi destroy' and 'pulumi stack rm' end it")
