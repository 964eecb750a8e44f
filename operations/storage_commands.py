"""`hearthflux storage` and `hearthflux storage record`: how much space the history takes, and will take."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from operations import records
from operations.errors import UserError
from operations.home_settings import DEFAULT_STACK, HomeOption, StackOption, home_settings
from operations.sizes import parse_size, shown_size, unit_of
from operations.spool_view import look as look_into_spool
from operations.spool_view import spool_path
from operations.storage.advice import NEEDED_TAGS, Recommendation, recommendations
from operations.storage.collect import collect_costs, collect_figures
from operations.storage.costs import Costs
from operations.storage.figures import BucketFigures, StorageFigures
from operations.storage.forecast import Interval
from operations.watched_server import WatchedServer, find_settings
from stacks.settings import HomeSettings

app = typer.Typer(invoke_without_command=True, help="How much space the history takes, how it grows, what costs most.")
MOST_ENTITIES = 10
MOST_TAGS = 5

Limit = Annotated[
    str,
    typer.Option(
        "--limit",
        envvar="HEARTHFLUX_STORAGE_LIMIT",
        help="What the database may take, such as 20GB (default: all of its disk, where that can be seen).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON instead of tables.")]
# A query over a week of a large home may take a while.
TIMEOUT_SECONDS = 300.0


def open_server(home: HomeSettings) -> WatchedServer:
    """Raises UserError, WrongConnection."""
    return WatchedServer(find_settings(org=home.organization, timeout=TIMEOUT_SECONDS))


async def examine(
    home: HomeSettings, limit_bytes: int | None = None, days: float = 7.0, *, server: WatchedServer | None = None
) -> tuple[StorageFigures, Costs, list[Recommendation]]:
    """The figures, what the last `days` days cost, and what can be done; of the environment's server unless one is
    given. Raises ServerProblem."""
    async with server or open_server(home) as server:
        figures = await collect_figures(server, home, limit_bytes=limit_bytes)
        costs = await collect_costs(server, home, figures, days=days)
    return figures, costs, recommendations(figures, costs, home.tiers)


def _interval(size: Interval) -> str:
    """The bounds, in one unit."""
    unit, factor = unit_of(size.high)
    return f"{size.low / factor:.1f}-{size.high / factor:.1f} {unit}"


def _bucket_row(bucket: BucketFigures) -> list[str]:
    there = bucket.shards > 0
    in_a_year = bucket.in_days[365]
    return [
        bucket.name,
        shown_size(bucket.total_bytes),
        "" if bucket.grown_in_week is None else shown_size(bucket.grown_in_week),
        f"{bucket.series:,}",
        "for ever" if bucket.retention_days is None else f"{bucket.retention_days:g} d",
        shown_size(bucket.bytes_per_day) if there else "",
        shown_size(in_a_year.expected) if there else "",
        _interval(in_a_year) if there else "",
    ]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    return table


def _print(figures: StorageFigures, costs: Costs, advice: list[Recommendation]) -> None:
    out = Console()
    table = _table(
        "Storage",
        *("bucket", "size", "in 7 d", "series", "kept", "a day", "in a year", "between"),
    )
    for bucket in figures.buckets:
        table.add_row(*_bucket_row(bucket))
    if all(bucket.grown_in_week is None for bucket in figures.buckets):
        table.columns = [column for column in table.columns if column.header != "in 7 d"]
    out.print(table)
    out.print(_sentences(figures, costs))
    entities = _table(
        f"Dearest entities (of {len(costs.entities):,}, last {costs.days:g} days)",
        *("entity", "every", "share", "new data", "series"),
    )
    for entity in costs.entities[:MOST_ENTITIES]:
        entities.add_row(
            entity.entity_id,
            f"{entity.seconds_between:,.0f} s",
            f"{entity.share:.1%}",
            f"{shown_size(entity.bytes_per_day)}/d",
            f"{entity.series:,}",
        )
    if costs.entities:
        out.print(entities)
    tags = _table("Tags that multiply series", "tag", "values", "series without it", "times as many")
    for tag in [one for one in costs.tags if one.factor > 1.0 and one.tag not in NEEDED_TAGS][:MOST_TAGS]:
        tags.add_row(tag.tag, f"{tag.values:,}", f"{tag.series_without:,}", f"{tag.factor:.1f}")
    if tags.row_count:
        out.print(tags)
    for number, one in enumerate(advice, 1):
        typer.echo(f"{number}. {one.what}: saves about {shown_size(one.saves_bytes)}")
        for line in one.change.splitlines():
            typer.echo(f"   {line}")


def _plateaus(figures: StorageFigures) -> str:
    """Where the growth ends."""
    for_ever = [bucket.name for bucket in figures.buckets if bucket.shards and bucket.plateau is None]
    if for_ever:
        return f"{', '.join(for_ever)} keeps for ever and grows without end"
    highest = sum(bucket.plateau.expected for bucket in figures.buckets if bucket.plateau is not None)
    return f"once as much expires as comes, at most {shown_size(highest)}"


def _sentences(figures: StorageFigures, costs: Costs) -> str:
    in_a_year = figures.in_days[365]
    lines = [
        f"All buckets together: {shown_size(figures.total_bytes)}; in a year {shown_size(in_a_year.expected)} "
        f"({_interval(in_a_year)}); {_plateaus(figures)}."
    ]
    if costs.bytes_per_event is not None:
        lines.append(f"{costs.events_per_day:,.0f} events a day, {costs.bytes_per_event:.1f} bytes each.")
    if figures.limit_bytes is not None and figures.limit is not None:
        limit = figures.limit
        shown = f"The limit of {shown_size(figures.limit_bytes)}"
        if limit.expected is None and limit.earliest is None:
            lines.append(f"{shown} is not reached within ten years.")
        elif limit.expected is None:
            lines.append(f"{shown} is probably not reached within ten years, but may be on {limit.earliest:%Y-%m-%d}.")
        else:
            latest = "never" if limit.latest is None else f"{limit.latest:%Y-%m-%d}"
            lines.append(
                f"{shown} is reached on {limit.expected:%Y-%m-%d} (between {limit.earliest:%Y-%m-%d} and {latest})."
            )
    else:
        lines.append("The server's disk can't be seen from here: --limit says what the database may take.")
    stale = sum(bucket.stale_bytes for bucket in figures.buckets)
    if stale:
        lines.append(f"Left out: {shown_size(stale)} that the server's gauges still show of deleted shards.")
    if any(bucket.shards and not bucket.measured for bucket in figures.buckets):
        lines.append("This token may not know the shards' times: rates are means over each bucket's age.")
    return "\n".join(lines)


def as_json(figures: StorageFigures, costs: Costs, advice: list[Recommendation]) -> dict[str, Any]:
    """Everything of a look, as plain values."""
    return {
        **figures.as_json(),
        "costs": {**asdict(costs), "entities": [asdict(one) for one in costs.entities]},
        "recommendations": [one.as_json() for one in advice],
    }


@app.callback()
def storage(
    context: typer.Context,
    stack: StackOption = DEFAULT_STACK,
    home: HomeOption = "",
    limit: Limit = "",
    days: Annotated[float, typer.Option("--days", help="How many days of events are looked at.", min=0.01)] = 7.0,
    json_wanted: Json = False,
) -> None:
    """How much space the history takes, how it grows, what costs most.

    From INFLUXDB_URL, INFLUXDB_TOKEN and INFLUXDB_ORG, else of the local server. With an operator token the rates are
    measured from the shards; with any other that may read, they are means over each bucket's age.
    """
    if context.invoked_subcommand is not None:
        return
    limit_bytes = parse_size(limit, "--limit") if limit else None
    figures, costs, advice = asyncio.run(examine(home_settings(stack, home), limit_bytes, days))
    if json_wanted:
        typer.echo(json.dumps(as_json(figures, costs, advice), default=str))
    else:
        _print(figures, costs, advice)


async def record_now(home: HomeSettings, limit_bytes: int | None) -> int:
    """Write the storage figures, and the spool's where it is on this machine; the number of points."""
    async with open_server(home) as server:
        figures = await collect_figures(server, home, limit_bytes=limit_bytes)
        lines = records.storage_lines(figures)
        path, named = spool_path(os.environ)
        if named or path.is_file():
            lines.append(records.spool_line(look_into_spool(path), datetime.now(UTC)))
        await server.write(home.operations_bucket, "\n".join(lines))
    return len(lines)


@app.command()
def record(stack: StackOption = DEFAULT_STACK, home: HomeOption = "", limit: Limit = "") -> None:
    """Write sizes, disk and spool to the bucket `operations`, for growth and alerts. For a timer, each hour.

    `hearthflux serve` does it by itself.
    """
    chosen = home_settings(stack, home)
    written = asyncio.run(record_now(chosen, parse_size(limit, "--limit") if limit else None))
    if not written:
        raise UserError("There is nothing to record: the token sees no bucket.")
    typer.echo(f"{written} points written to {chosen.operations_bucket}")
