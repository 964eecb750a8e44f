"""`hearthflux spool status|drain` and `hearthflux dead-letters list|show|export|replay`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from operations.errors import UserError
from writer import BatchWriter, SettingsError, SpoolError, WriterSettings
from writer.findings import Kept
from writer.settings import DEFAULT_SPOOL
from writer.spool import DeadLetter, Spool

app = typer.Typer(no_args_is_help=True, help="The writer's queue on this machine's disk.")
dead_letters_app = typer.Typer(no_args_is_help=True, help="Events that the server refused for good, with its reasons.")

SpoolPath = Annotated[
    Path | None,
    typer.Option("--spool", help="The spool's file (default: INFLUXDB_SPOOL_PATH, else .local/spool.sqlite)."),
]
Entry = TypeVar("Entry", DeadLetter, Kept)
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON instead of text.")]


class Kind(StrEnum):
    DEAD = "dead"
    REFUSED = "refused"
    REPAIRED = "repaired"
    LEFT_OUT = "left-out"
    WARNED = "warned"


OfKind = Annotated[
    Kind,
    typer.Option(
        "--kind",
        help="dead: refused by the server. Or what a rule of data quality found, as it was handed in: refused, "
        "repaired, left-out (as the repair), warned.",
    ),
]


def _path(given: Path | None) -> Path:
    path = given or Path(os.environ.get("INFLUXDB_SPOOL_PATH") or DEFAULT_SPOOL)
    if not path.exists():
        raise UserError(f"There is no spool at {path}: name the writer's with --spool or INFLUXDB_SPOOL_PATH.")
    return path


@contextlib.contextmanager
def _opened(given: Path | None) -> Iterator[Spool]:
    """The spool, with its lock: a running writer keeps it, and its spool is then not touched."""
    spool = Spool(_path(given))
    try:
        spool.open()
        yield spool
    except SpoolError as error:
        raise UserError(str(error)) from None
    finally:
        spool.close()


@contextlib.contextmanager
def _looked_at(given: Path | None) -> Iterator[Spool]:
    """The spool to read only, also beside a running writer."""
    try:
        spool = Spool.look(_path(given))
        try:
            yield spool
        finally:
            spool.close()
    except SpoolError as error:
        raise UserError(str(error)) from None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _plain(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "died": _moment(letter.died),
        "status": letter.status,
        "reason": letter.reason,
        "line": letter.line.decode(errors="replace"),
    }


def _plain_finding(found: Kept) -> dict[str, Any]:
    return {
        "id": found.id,
        "seen": _moment(found.seen),
        "kind": found.outcome.replace(" ", "-"),
        "entity": found.entity,
        "rule": found.rule,
        "event": found.event,
    }


def _all(read: Callable[[int], list[Entry]], after: int = 0) -> Iterator[Entry]:
    """Every entry with an id above `after`; `read` gives some at a time."""
    while found := read(after):
        yield from found
        after = found[-1].id


def _of_kind(spool: Spool, kind: Kind, after: int = 0) -> Iterator[dict[str, Any]]:
    if kind is Kind.DEAD:
        return map(_plain, _all(spool.dead_letters, after))
    read = spool.refused if kind is Kind.REFUSED else spool.noticed
    return (plain for plain in map(_plain_finding, _all(read, after)) if plain["kind"] == kind)


def _in_a_line(plain: dict[str, Any]) -> str:
    if "line" in plain:
        return f"{plain['id']:>6}  {plain['died']}  {plain['status']}  {plain['reason'][:100]}"
    return f"{plain['id']:>6}  {plain['seen']}  {plain['kind']}  {plain['entity']}  {plain['rule']}"


@app.command("status")
def spool_status(spool: SpoolPath = None, as_json: AsJson = False) -> None:
    """How many events wait, since when; how many dead letters there are, and findings of the rules of data quality."""
    with _looked_at(spool) as opened:
        waiting = opened.waiting()
        age = 0.0 if waiting.oldest is None else max(0.0, time.time() - waiting.oldest)
        found: dict[str, Any] = {
            "pending": waiting.lines,
            "pending_bytes": waiting.size,
            "oldest_pending_seconds": round(age, 1),
            "dead_letters": opened.dead_letter_count(),
            "findings": {outcome.replace(" ", "-"): count for outcome, count in opened.findings().items()},
        }
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(f"{found['pending']:,} events ({found['pending_bytes']:,} bytes) wait, the oldest for {age:,.0f} s")
    typer.echo(f"{found['dead_letters']:,} dead letters")
    for kind, count in found["findings"].items():
        typer.echo(f"{count:,} {kind} by the rules of data quality: 'hearthflux dead-letters list --kind {kind}'")


@app.command("drain")
def spool_drain(
    spool: SpoolPath = None,
    seconds: Annotated[float, typer.Option("--for", help="Give up after this many seconds.")] = 300.0,
    as_json: AsJson = False,
) -> None:
    """Deliver what waits, with the INFLUXDB_* variables. Exit code 1 if events are left."""
    path = _path(spool)
    counts, why = _drained(path, seconds)
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        typer.echo(_in_words(counts))
    if counts["pending"]:
        raise UserError(f"{counts['pending']:,} events still wait in {path}. {why}".rstrip())


def _drained(path: Path, seconds: float) -> tuple[dict[str, int], str]:
    """Counts after delivering for at most `seconds`, and why events are left, if some are."""
    try:
        settings = WriterSettings.from_env(spool_path=path, close_timeout=0.1)
    except SettingsError as error:
        raise UserError(str(error)) from None

    async def drain() -> tuple[dict[str, int], str]:
        async with BatchWriter(settings) as writer:
            report = await writer.flush(timeout=seconds)
            counts = {"delivered": report.delivered, "dead_lettered": report.dead_lettered, "pending": report.pending}
            return counts, writer.health().reason

    try:
        return asyncio.run(drain())
    except SpoolError as error:
        raise UserError(str(error)) from None


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())


@app.command("refused")
def list_refused(spool: SpoolPath = None, as_json: AsJson = False) -> None:
    """The newest events that were refused before they were accepted, each with the rule that it broke."""
    list_letters(Kind.REFUSED, spool, as_json)


@dead_letters_app.command("list")
def list_letters(kind: OfKind = Kind.DEAD, spool: SpoolPath = None, as_json: AsJson = False) -> None:
    """One line for each dead letter, or for each event that the rules of data quality found fault with."""
    with _looked_at(spool) as opened:
        for plain in _of_kind(opened, kind):
            typer.echo(json.dumps(plain) if as_json else _in_a_line(plain))


@dead_letters_app.command("show")
def show_letter(number: int, kind: OfKind = Kind.DEAD, spool: SpoolPath = None) -> None:
    """One of them whole: a dead letter's line and the server's reason; an event as it was handed in, and the rule."""
    with _looked_at(spool) as opened:
        found = next(_of_kind(opened, kind, number - 1), None)
    if found is None or found["id"] != number:
        what, more = ("dead letter", "") if kind is Kind.DEAD else (f"{kind} event", f" --kind {kind}")
        raise UserError(f"There is no {what} {number}: 'hearthflux dead-letters list{more}' shows those there are.")
    for name, value in found.items():
        typer.echo(f"{name:>7}: {value}")


@dead_letters_app.command("export")
def export_letters(target: Path, kind: OfKind = Kind.DEAD, spool: SpoolPath = None) -> None:
    """Write all of them to a file, one JSON object a line."""
    with _looked_at(spool) as opened:
        try:
            with target.open("w") as output:
                count = 0
                for plain in _of_kind(opened, kind):
                    output.write(json.dumps(plain) + "\n")
                    count += 1
        except OSError as error:
            raise UserError(f"{target} cannot be written: {error.strerror}.") from None
    typer.echo(f"{count:,} {'dead letters' if kind is Kind.DEAD else f'{kind} events'} written to {target}")


@dead_letters_app.command("replay")
def replay_letters(
    numbers: Annotated[list[int] | None, typer.Argument(help="Their numbers; none for all.")] = None,
    spool: SpoolPath = None,
    queue_only: Annotated[
        bool, typer.Option("--queue-only", help="Only put them into the queue; the writer or a drain delivers them.")
    ] = False,
    seconds: Annotated[float, typer.Option("--for", help="Give up after this many seconds.")] = 300.0,
) -> None:
    """Deliver dead letters once their cause is mended, with the INFLUXDB_* variables, and remove them.

    One that the server refuses again is a dead letter again. Exit code 1 if there are such, or if events still wait.
    """
    path = _path(spool)
    with _opened(spool) as opened:
        moved = opened.replay(numbers or [letter.id for letter in _all(opened.dead_letters)])
    if numbers and moved < len(numbers):
        raise UserError(f"{moved} of {len(numbers)} were there and are in the queue again.")
    if queue_only or not moved:
        typer.echo(f"{moved:,} events are in the queue again")
        return
    counts, why = _drained(path, seconds)
    typer.echo(_in_words(counts))
    if counts["pending"]:
        raise UserError(f"{counts['pending']:,} events still wait in {path}. {why}".rstrip())
    if counts["dead_lettered"]:
        raise UserError(f"{counts['dead_lettered']:,} were refused again: 'hearthflux dead-letters list' says why.")
