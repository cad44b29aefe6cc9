"""The program: its commands, and the options that they all share."""

import logging
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from ssc_ingest.cli.commands import (
    affected_versions,
    attribution,
    cache,
    check,
    dead_letters,
    extract,
    import_names,
    jobs,
    logs,
    migrate,
    query,
    registries,
    runs,
    schedules,
    show,
    start_runs,
    status,
    vulnerabilities,
    web,
)
from ssc_ingest.cli.exit_codes import EXIT_CODES_HELP, Program
from ssc_ingest.cli.help_texts import HELP_OPTIONS
from ssc_ingest.cli.up import command

HELP = """
Keep a graph of package registries up to date: packages, versions, dependencies.

[bold]Start with[/bold]

[cyan]ssc-ingest up[/cyan]  start everything (leave it running)

[cyan]ssc-ingest extract pkg:pypi/rich --wait[/cyan]  add a package to the graph

[cyan]ssc-ingest show pkg:pypi/rich[/cyan]  show what the graph stores about it

[cyan]ssc-ingest status[/cyan]  servers, workers, queues, freshness

Settings are environment variables or lines in .env; template.env in the repository explains each.
"""

program = typer.Typer(
    name="ssc-ingest",
    cls=Program,
    help=HELP,
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_OPTIONS},
)
program.command("up")(command.up)
program.command("extract")(extract.extract)
program.command("ingest")(start_runs.ingest)
program.command("update")(start_runs.update)
program.command("show")(show.show)
program.command("find-import")(import_names.find_import)
program.command("query")(query.query)
program.command("status")(status.status)
program.command("web")(web.web)
program.command("check")(check.check)
program.command("logs")(logs.logs)
program.command("migrate")(migrate.migrate)
program.add_typer(jobs.commands, name="jobs")
program.add_typer(runs.commands, name="runs")
program.add_typer(import_names.commands, name="import-names")
program.add_typer(dead_letters.commands, name="dead-letters")
program.add_typer(registries.commands, name="registries")
program.add_typer(schedules.commands, name="schedules")
program.add_typer(cache.commands, name="cache")
attribution.register(vulnerabilities.commands)
affected_versions.register(vulnerabilities.commands)
program.add_typer(vulnerabilities.commands, name="vulnerabilities")


def _print_version(value: bool) -> None:  # noqa: FBT001 - typer calls it
    if value:
        from ssc_ingest import __version__

        typer.echo(f"ssc-ingest {__version__}")
        raise typer.Exit


@program.command("version")
def version_() -> None:
    """Print the version of this program, of Python and of the system, for reports of bugs.

    [cyan]ssc-ingest version[/cyan]
    """
    import platform

    import ssc_ingest

    typer.echo(f"ssc-ingest {ssc_ingest.__version__} in {Path(ssc_ingest.__file__).parent}")
    typer.echo(f"Python {platform.python_version()} ({sys.executable}) on {platform.platform()}")


@program.callback()
def _shared(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    from ssc_ingest.logs import configure_command

    del version  # its callback has used it
    configure_command(debug=debug)
    if not debug:
        # Neo4j's driver announces every retry, most of which succeed.
        logging.getLogger("neo4j").setLevel(logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A character that the terminal cannot show must not end the command.
            stream.reconfigure(errors="replace")
