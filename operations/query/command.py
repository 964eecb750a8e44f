"""`hearthflux query`: one query, its rows printed."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import sys
from collections.abc import Mapping
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from operations.errors import UserError
from operations.query import output, plot
from operations.query.home import settings
from operations.query.kinds import KINDS, Kind, either, kind_named
from reader import InvalidQuery, SummaryReader, parse_duration
from reader.periods import window_at

WIDTH_OF_A_PIPE = 160
OPTIONS = {
    "start": "--from",
    "stop": "--to",
    "running": "--running",
    "measure": "--measure",
    "base": "--base",
    "weeks": "--weeks",
    "bound": "--bound",
    "by": "--by",
    "against": "--against",
    "limit": "--limit",
    "no_statistics": "--no-statistics",
}


def moment(text: str, option: str, zone: ZoneInfo) -> date | datetime:
    """A day of the home, or an instant; without a zone it is the home's clock. Raises UserError."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UserError(
            f"{option} {text!r} is not a time: a day such as 2026-01-31, or an instant such as 2026-01-31T12:00",
            exit_code=2,
        ) from None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=zone)


def arguments(name: str, kind: Kind, first: str, second: str, *, spanned: bool) -> tuple[str, str]:
    """(entity, duration) of the words after the kind. Raises UserError."""
    if kind.entity and not first:
        raise UserError(
            f"query {name} needs an entity: hearthflux query {name} sensor.name {kind.default}", exit_code=2
        )
    if not kind.entity and second:
        raise UserError(f"query {name} is about the whole home: hearthflux query {name} {kind.default}", exit_code=2)
    entity, duration = (first, second) if kind.entity else ("", first)
    if name == "entities":
        return duration, ""
    if duration and spanned:
        raise UserError(f"A span is either {duration} or --from and --to: leave out one.", exit_code=2)
    if duration:
        try:
            parse_duration(duration)
        except InvalidQuery as error:
            raise UserError(str(error), exit_code=2) from None
    return entity, duration or kind.default


def options(name: str, kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given. Raises UserError for one that this query does not know."""
    chosen = {option: value for option, value in given.items() if value not in (None, "", False)}
    for option in chosen.keys() - kind.takes:
        who = ", ".join(other for other, one in KINDS.items() if option in one.takes)
        raise UserError(f"{OPTIONS[option]} does not go with {name}, but with {who}.", exit_code=2)
    return chosen


async def ask(reader: SummaryReader, kind: Kind, entity: str, duration: str, chosen: Mapping[str, Any]) -> list[Any]:
    method, _, argument = kind.method.partition(":")
    if kind.method == "entities":
        return [found for found in await reader.entities() if entity.lower() in found.lower()]
    given = {option: value for option, value in chosen.items() if option != "no_statistics"}
    if "no_statistics" in chosen:
        given["statistics"] = False
    words = [argument] if argument else [entity] if entity else []
    return list(await getattr(reader, method)(*words, duration, **given))


async def why_empty(reader: SummaryReader, entity: str, kind: Kind, chosen: Mapping[str, Any]) -> str:
    """A sentence about an entity without rows. Raises UserError where it is not known at all."""
    known = await reader.entities()
    if entity in known:
        zone = ZoneInfo(reader.settings.time_zone)
        first, last = [one.astimezone(zone) for one in await reader.spoken(entity) or ()]
        said = f"{entity} has no such rows in this span: it spoke from {first:%Y-%m-%d} to {last:%Y-%m-%d}."
        now = datetime.now(zone)
        if "running" in kind.takes - chosen.keys() and kind.width and last >= window_at(now, kind.width, zone).start:
            said += f" The {kind.width} that is running is left out: --running shows it so far."
        if "no_statistics" in chosen:
            said += " What only its statistics know is left out by --no-statistics."
        return said
    near = (
        get_close_matches(entity, known, n=3, cutoff=0.5) or [one for one in known if entity.lower() in one.lower()][:3]
    )
    hint = f"did you mean {either(near)}?" if near else f"'hearthflux query entities' lists all {len(known)}."
    raise UserError(f"There is no entity {entity!r}: {hint}")


def query(
    kind_name: Annotated[str, typer.Argument(metavar="KIND", help="One of those above.", show_default=False)],
    first: Annotated[str, typer.Argument(metavar="[ENTITY]", help="Not for questions to the whole home.")] = "",
    second: Annotated[str, typer.Argument(metavar="[SPAN]", help="Such as 12h, 30d, 2w, 6mo or 1y.")] = "",
    start: Annotated[str, typer.Option("--from", help="First day or instant, instead of a span back from now.")] = "",
    stop: Annotated[str, typer.Option("--to", help="Where it ends; that day or instant is not part of it.")] = "",
    running: Annotated[bool, typer.Option("--running", help="With the window of this moment, so far.")] = False,
    measure: Annotated[str, typer.Option(help="Which field is compared; by default what says most.")] = "",
    base: Annotated[float | None, typer.Option(help="Base temperature of degree days (default 18 °C, 65 °F).")] = None,
    weeks: Annotated[int | None, typer.Option(help="Weeks of history of anomaly bands (default 12).")] = None,
    bound: Annotated[float | None, typer.Option(help="How unusual is unusual (default 3.5).")] = None,
    by: Annotated[str, typer.Option(help="month, season or year of year-over-year.")] = "",
    against: Annotated[str, typer.Option(help="year or previous, of season-against-season.")] = "",
    limit: Annotated[int | None, typer.Option(help="How many of top-changers (default 10).")] = None,
    no_statistics: Annotated[
        bool, typer.Option("--no-statistics", help="From events alone, without imported long-term statistics.")
    ] = False,
    home: Annotated[str, typer.Option(help="Which home, where the local stack has several.")] = "",
    json_wanted: Annotated[bool, typer.Option("--json", help="One line: an array of objects.")] = False,
    csv_wanted: Annotated[bool, typer.Option("--csv", help="A line of names, then a line per row.")] = False,
    plot_wanted: Annotated[bool, typer.Option("--plot", help="A plot in the terminal.")] = False,
    plot_to: Annotated[Path | None, typer.Option(help="A plot as .html, .svg, .png or (Vega-Lite) .json.")] = None,
) -> None:
    """Ask for summaries: hearthflux query daily sensor.kitchen_temperature 30d.

    The server, a token that may read and the organization come from INFLUXDB_URL, INFLUXDB_TOKEN and INFLUXDB_ORG,
    where none is set from the local stack. Docs: docs/queries.md. The kinds of query:
    """
    kind = kind_named(kind_name)
    forms = {"--json": json_wanted, "--csv": csv_wanted, "--plot": plot_wanted, "--plot-to": plot_to is not None}
    wanted = [form for form, yes in forms.items() if yes]
    if len(wanted) > 1:
        raise UserError(f"{' and '.join(wanted)} are different forms: choose one.", exit_code=2)
    if kind.row is str and (plot_wanted or plot_to):
        raise UserError(f"query {kind_name} has nothing to draw.", exit_code=2)
    if plot_to is not None:
        plot.check_path(plot_to)
    given = {"start": start, "stop": stop, "running": running, "measure": measure, "base": base, "weeks": weeks}
    given |= {"bound": bound, "by": by, "against": against, "limit": limit, "no_statistics": no_statistics}
    chosen = options(kind_name, kind, given)
    entity, duration = arguments(kind_name, kind, first, second, spanned=bool(start or stop))
    found = settings(home)
    zone = ZoneInfo(found.time_zone)
    for option in ("start", "stop"):
        if option in chosen:
            chosen[option] = moment(chosen[option], OPTIONS[option], zone)

    async def go() -> tuple[list[Any], list[str], str]:
        async with SummaryReader(found) as reader:
            rows = await ask(reader, kind, entity, duration, chosen)
            last = reader.stats.last
            notes = [last.note] if last is not None and last.note else []
            if not rows:
                notes.append(await why_empty(reader, entity, kind, chosen) if kind.entity else kind.empty)
            plain = json_wanted or csv_wanted or not kind.entity or not rows
            unit = "" if plain else await reader.unit(entity)
        return rows, notes, unit

    try:
        rows, notes, unit = asyncio.run(go())
    except InvalidQuery as error:
        raise UserError(str(error), exit_code=2) from None
    for note in notes:
        typer.echo(note if note.endswith(".") else f"Note: {note}.", err=True)
    title = " ".join(filter(None, (entity if kind.entity else "", kind_name, "" if start else duration)))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_OF_A_PIPE
    if json_wanted:
        typer.echo(output.as_json(rows, zone))
    elif csv_wanted:
        typer.echo(output.as_csv(rows, kind, zone), nl=False)
    elif not rows:
        return
    elif plot_to is not None:
        plot.to_file(rows, kind, title, zone, found.hemisphere, plot_to, unit=unit)
        typer.echo(f"{plot_to}: {len(rows)} rows", err=True)
    elif plot_wanted:
        drawn = plot.in_terminal(
            rows,
            kind,
            title,
            zone,
            found.hemisphere,
            width=min(width, WIDTH_OF_A_PIPE),
            colours=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
            unit=unit,
        )
        typer.echo(drawn)
    else:
        said = ", ".join(filter(None, (output.measured_in(rows, unit), zone.key)))
        typer.echo(output.table(rows, kind, f"{title} ({said})", zone, found.hemisphere, width=width))


# A paragraph that is shown as it stands.
query.__doc__ = f"{inspect.cleandoc(query.__doc__ or '')}\n\n\b\n" + "\n".join(
    f"{name:22} {kind.help}" for name, kind in KINDS.items()
)
