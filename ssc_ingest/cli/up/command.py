"""``up``: everything in one foreground process tree."""

from typing import Annotated

import typer

from ssc_ingest.cli import output


def up(
    purls: Annotated[
        list[str] | None,
        typer.Argument(metavar="PURL", help="With --demo: the packages to add."),
    ] = None,
    *,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Add a few small real packages to the graph and show the result; without a "
            "terminal, stop after that. This is `make run`.",
        ),
    ] = False,
) -> None:
    """Start the fleet: workers, beat, Flower, the overview page, and unconfigured servers.

    It stays in the foreground. Ctrl-C, SIGTERM or a closed terminal shuts down in order: running
    tasks get SHUTDOWN_GRACE seconds to end. A second Ctrl-C stops at once. Neither loses work.

    [cyan]ssc-ingest up[/cyan]

    [cyan]ssc-ingest up --demo pkg:pypi/iniconfig pkg:cargo/itoa[/cyan]

    A process that ends unexpectedly is reported and restarted; servers keep their data.

    The exit code is 0 after one of these signals, 130 after a second Ctrl-C, and 1 if a process
    cannot be (re)started.
    """
    from ssc_ingest.cli.up.process_tree import run
    from ssc_ingest.logs import check_log_file
    from ssc_ingest.on_demand.submit import named_packages
    from ssc_ingest.settings import load_settings

    if purls and not demo:
        raise typer.BadParameter("packages need --demo; to add packages, use `extract`")
    if purls:
        named_packages(purls)  # report a mistake before anything starts
    settings = load_settings()
    check_log_file(settings)
    raise typer.Exit(run(settings, output.console(), demo=demo, purls=purls or ()))
