"""The `hearthflux` command. Each sub-command's module is imported only when that sub-command is asked for."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from operations.errors import UserError


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command: where its function or typer.Typer is, and its line in `hearthflux --help`."""

    target: str  # "module:attribute"
    help: str
    extra: str = "operations"  # what of pyproject.toml brings its packages


# One line per command. The attribute is a function with typer's annotations, or a typer.Typer.
COMMANDS: dict[str, Command] = {
    "demo": Command("operations.demo_command:demo", "See a real home in a local InfluxDB: data, summaries, report."),
    "server": Command("operations.server_commands:app", "Start, stop and look at a local InfluxDB server."),
    "stack": Command("operations.stack_commands:app", "Preview and apply what is declared in stacks/."),
    "fleet": Command("operations.fleet_commands:app", "Preview and apply many stacks of homes, listed in one file."),
    "env": Command("operations.stack_commands:env", "Print a stack's outputs as INFLUXDB_* variables."),
    "tokens": Command("operations.token_commands:app", "What an environment's tokens may do, and new ones."),
    "backfill": Command("operations.summary_commands:backfill", "Build the summaries of a span of time."),
    "repair": Command("operations.summary_commands:repair", "Find summaries that are missing or stale, and mend them."),
    "query": Command("operations.query.command:query", "Ask for summaries: a table, JSON, CSV or a plot."),
    "archive": Command("operations.archive_commands:app", "Keep days as Parquet before they expire; restore them."),
    "import": Command(
        "operations.import_commands:app",
        "Bring over earlier history from InfluxDB 1.x or Home Assistant's recorder.",
        "import",
    ),
    "schema": Command("operations.schema_commands:app", "The contract: show it, check a database, migrate it."),
    "report": Command("operations.report_command:report", "Write one page of a home: flows, plots, storage, health."),
    "follow": Command(
        "operations.follow_command:follow", "Write a running Home Assistant's events, for ever.", "follow"
    ),
    "spool": Command("operations.spool_commands:app", "Look at the writer's spool, and deliver what it holds."),
    "storage": Command("operations.storage_commands:app", "How much space the history takes, and what costs most."),
    "health": Command("operations.health_commands:health", "Is everything well? Exit code 0 only if so."),
    "serve": Command("operations.health_commands:serve", "Answer GET /health and /metrics, and record each hour."),
    "dead-letters": Command(
        "operations.spool_commands:dead_letters_app", "List, show, export or replay events that the server refused."
    ),
}

OWN_PACKAGES = frozenset(
    {
        "event_schema",
        "flux_tasks",
        "influxdb_connection",
        "operations",
        "provider",
        "reader",
        "stacks",
        "templates",
        "tools",
        "writer",
    }
)

# Errors of our own modules whose message is a sentence for the user, by qualified name: nothing is imported for them.
EXPECTED_ERRORS = frozenset(
    {
        "operations.errors.UserError",
        "operations.influxd.ServerError",
        "tools.find.ToolMissing",
        "event_schema.event.InvalidEvent",
        "operations.archive.manifest.ArchiveProblem",
        "writer.settings.SettingsError",
        "writer.spool.SpoolError",
        "stacks.wrong_setting.WrongSetting",
        "influxdb_connection.errors.ServerProblem",
        "templates.render.TemplateProblem",
        "operations.imports.reading.SourceError",
        "reader.periods.InvalidQuery",
    }
)


class LazyGroup(TyperGroup):
    """A group whose sub-commands are imported when they are needed; `--help` imports none of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = COMMANDS.get(cmd_name)
        if command is None:
            return None
        module, _, attribute = command.target.partition(":")
        target = getattr(importlib.import_module(module), attribute)
        if not isinstance(target, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(target)
            target = single
        found = typer.main.get_command(target)
        found.name = cmd_name
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in COMMANDS.items()])
        self.format_options(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Written by format_help, without importing the commands."""


app = typer.Typer(
    cls=LazyGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


def show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"hearthflux {version('hearthflux')}")
        except PackageNotFoundError:
            typer.echo("hearthflux (not installed as a package)")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """A home's history in InfluxDB 2: declared with Pulumi, written without loss, summarised exactly."""
    from operations import logs

    logs.configure()


def is_expected(error: BaseException) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" in EXPECTED_ERRORS for kind in type(error).__mro__)


def missing_package(name: str, arguments: list[str]) -> str:
    """What a user who installed less than a command needs is told."""
    command = next((one for one in arguments if one in COMMANDS), None)
    extra = COMMANDS[command].extra if command else "operations"
    what = f"'hearthflux {command}'" if command else "hearthflux's command line"
    return f"{what} needs the package {name}, which is not installed here: pip install 'hearthflux[{extra}]'"


def main(arguments: list[str] | None = None) -> None:
    """The entry point. Exit codes: 0 done, 1 could not be done, 2 wrong usage, 130 interrupted."""
    try:
        app(args=arguments, prog_name="hearthflux")
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`hearthflux env | head`): nothing to tell anybody.
        sys.stderr.close()
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in OWN_PACKAGES:
            raise
        typer.echo(missing_package(error.name, sys.argv[1:] if arguments is None else arguments), err=True)
        sys.exit(1)
    except Exception as error:
        if not is_expected(error):
            raise
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code if isinstance(error, UserError) else 1)


if __name__ == "__main__":
    main()
