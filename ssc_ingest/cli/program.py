"""The program: its commands, and the options that they all share."""

import logging
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from ssc_ingest.cli.exit_codes import EXIT_CODES_HELP, Program
from ssc_ingest.cli.help_texts import HELP_OPTIONS
from ssc_ingest.cli.loading import Commands

COMMANDS = {
    "up": "up.command:up",
    "extract": "commands.extract:extract",
    "ingest": "commands.start_runs:ingest",
    "update": "commands.start_runs:update",
    "show": "commands.show:show",
    "find-import": "commands.import_names:find_import",
    "query": "commands.query:query",
    "status": "commands.status:status",
    "web": "commands.web:web",
    "check": "commands.check:check",
    "logs": "commands.logs:logs",
    "migrate": "commands.migrate:migrate",
    "version": "commands.version:version",
    "jobs": "commands.jobs:commands",
    "runs": "commands.runs:commands",
    "import-names": "commands.import_names:commands",
    "dead-letters": "commands.dead_letters:commands",
    "registries": "commands.registries:commands",
    "schedules": "commands.schedules:commands",
    "cache": "commands.cache:commands",
    "vulnerabilities": "commands.vulnerabilities:commands",
}
"""Where each command is, in the order of the help. A module is imported when its command, or the
help of all commands, is first needed: see :mod:`.loading`."""

HELP = """
Keep a graph of package registries up to date: packages, versions, dependencies.

[bold]Start with[/bold]

[cyan]ssc-ingest up[/cyan]  start everything (leave it running)

[cyan]ssc-ingest extract pkg:pypi/rich --wait[/cyan]  add a package to the graph

[cyan]ssc-ingest show pkg:pypi/rich[/cyan]  show what the graph stores about it

[cyan]ssc-ingest status[/cyan]  servers, workers, queues, freshness

Settings are environment variables or lines in .env; template.env in the repository explains each.
"""


class _WholeProgram(Program):
    """The program with its commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands(COMMANDS)


program = typer.Typer(
    name="ssc-ingest",
    cls=_WholeProgram,
    help=HELP,
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_OPTIONS},
)


def _print_version(value: bool) -> None:  # noqa: FBT001 - typer calls it
    if value:
        from ssc_ingest import __version__

        typer.echo(f"ssc-ingest {__version__}")
        raise typer.Exit


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
