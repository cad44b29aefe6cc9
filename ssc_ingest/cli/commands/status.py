"""``status``: an overview of the fleet, once or repeatedly."""

import asyncio
from typing import Annotated

import typer

from ssc_ingest.cli import output
from ssc_ingest.cli.exit_codes import ExitCode

EVERY = 5.0
"""Seconds between two readings of ``--watch``."""


def status(
    *,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again every few seconds; Ctrl-C ends.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.5, metavar="SECONDS", help="Seconds between two readings.")
    ] = EVERY,
    as_json: output.JSONOption = False,
) -> None:
    """Show servers, workers, queues, dead letters, problems, and the graph's size and freshness.

    [cyan]ssc-ingest status[/cyan]

    [cyan]ssc-ingest status --watch[/cyan]

    [cyan]ssc-ingest status --json | jq .queues[/cyan]

    The exit code is 69 if a server does not respond, no worker or beat is running, or a queue has
    no reader; the other parts are shown nevertheless. With --watch and --json, each reading is one
    line of JSON. With --watch in a pipe, each report has its time above it.
    """
    if watch:
        asyncio.run(_watch(every, as_json=as_json))
    else:
        asyncio.run(_once(as_json=as_json))


async def _once(*, as_json: bool) -> None:
    from ssc_ingest.cli.fleet_report import read_fleet
    from ssc_ingest.cli.fleet_view import report

    fleet = await read_fleet()
    if as_json:
        output.print_json(fleet.document())
    else:
        output.show(output.console(), report(fleet))
    if not fleet.is_whole:
        raise typer.Exit(ExitCode.UNAVAILABLE)


async def _watch(every: float, *, as_json: bool) -> None:
    """Read and show the fleet until Ctrl-C."""
    from ssc_ingest.cli.fleet_report import read_fleet
    from ssc_ingest.cli.fleet_view import report
    from ssc_ingest.cli.watching import Screen

    with Screen(output.console()) as screen:
        while True:
            fleet = await read_fleet()
            if as_json:
                typer.echo(output.json_line(fleet.document()))
            else:
                screen.show(report(fleet), hint=f"every {every:g} s; Ctrl-C ends")
            await asyncio.sleep(every)
