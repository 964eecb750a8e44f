"""`hearthflux tokens list|rotate`: who may do what, and new tokens in place of the old ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from influxdb_connection import ConnectionSettings
from operations.errors import UserError
from operations.influxd import write_private
from operations.stack_commands import LOCAL_STACK, Json, StackName, open_stack, tell
from operations.token_rotation import is_accepted, rotate, tokens

app = typer.Typer(no_args_is_help=True, help="The tokens of an environment: what each may do, and new ones.")
TokenFiles = Annotated[
    list[str] | None,
    typer.Option("--file", help="name=path: write that token into a file that only you can read. May be repeated."),
]


def parse_files(given: list[str] | None) -> dict[str, Path]:
    found = {}
    for text in given or []:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise UserError(
                f"--file {text!r}: a token's name, = and a path, such as writer=/etc/hearthflux/token.", exit_code=2
            )
        found[name] = Path(path)
    return found


def secrets_of(outputs: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Token and organization by the token's name in the program."""
    homes = outputs.get("homes") or {"": outputs}
    found = {}
    for one in homes.values():
        prefix = one.get("bucket_prefix", "")
        for role in ("writer", "reader", "operations", "monitor"):
            if f"{role}_token" in one:
                found[prefix + role] = (str(one[f"{role}_token"]), str(one["org"]))
    return found


@app.command("list")
def list_tokens(stack: StackName = LOCAL_STACK, json_wanted: Json = False) -> None:
    """What each token is for and may do. No token is shown."""
    found = tokens(open_stack(stack))
    if json_wanted:
        told = {one.name: {"description": one.description, "permissions": one.permissions} for one in found.values()}
        typer.echo(json.dumps(told))
        return
    for one in found.values():
        typer.echo(f"{one.name}: {one.description}")
        for line in one.permissions:
            typer.echo(f"    {line}")


@app.command("rotate")
def rotate_tokens(
    stack: StackName = LOCAL_STACK,
    only: Annotated[list[str] | None, typer.Option("--only", help="This token alone. May be repeated.")] = None,
    file: TokenFiles = None,
    json_wanted: Json = False,
) -> None:
    """Make new tokens and delete the old ones; the new one is there first. Whoever used the old one needs the new.

    A writer with INFLUXDB_TOKEN_FILE goes on by itself when --file writes that file: no event is lost meanwhile.
    """
    files = parse_files(file)
    opened = open_stack(stack)
    known = tokens(opened)
    chosen = only or sorted(known)
    if unknown := sorted((set(chosen) | set(files)) - known.keys()):
        raise UserError(f"There is no token {', '.join(unknown)}: there are {', '.join(sorted(known))}.", exit_code=2)
    if unchanged := sorted(set(files) - set(chosen)):
        raise UserError(f"--file names {', '.join(unchanged)}, which --only leaves out.", exit_code=2)
    before = opened.outputs()
    old = secrets_of(before)
    result = rotate(opened, chosen, None if json_wanted else tell)
    outputs = opened.outputs()
    new = secrets_of(outputs)
    for name, path in files.items():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, new[name][0] + "\n")
        except OSError as error:
            raise UserError(
                f"{path} can't be written ({error.strerror}), but the tokens are new: 'hearthflux env' prints them."
            ) from None
    report = {}
    for name in chosen:
        if name not in new:
            continue
        url = str(outputs["url"])
        report[name] = {
            "new_accepted": is_accepted(ConnectionSettings(url=url, token=new[name][0], org=new[name][1])),
            "old_refused": not is_accepted(ConnectionSettings(url=url, token=old[name][0], org=old[name][1])),
        }
    if json_wanted:
        typer.echo(json.dumps({"changes": result.changes, "tokens": report}))
    else:
        for name, one in report.items():
            new_word = "the new one works" if one["new_accepted"] else "THE NEW ONE IS REFUSED"
            old_word = "the old one is refused" if one["old_refused"] else "THE OLD ONE STILL WORKS"
            typer.echo(f"{name}: {new_word}, {old_word}")
    if not all(one["new_accepted"] and one["old_refused"] for one in report.values()):
        raise typer.Exit(1)
