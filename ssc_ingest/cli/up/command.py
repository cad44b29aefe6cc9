"""``up``: everything in one foreground process tree."""

from typing import Annotated

import typer

from ssc_ingest.cli import output


def up(
    purls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PURL]...", help="With --demo: the packages to take in."),
    ] = None,
    *,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Take a few small real packages into the graph and show what is there then; "
            "without a terminal, stop after that. What `make run` does.",
        ),
    ] = False,
) -> None:
    """Start everything: servers that are not configured elsewhere, workers, beat, Flower.

    Stays in the foreground. Ctrl-C (or SIGTERM) stops in order: running packages get
    SHUTDOWN_GRACE seconds to end, and no work is lost. A second Ctrl-C stops at once, and
    nothing is lost then, either.

    [cyan]ssc-ingest up[/cyan]

    [cyan]ssc-ingest up --demo pkg:pypi/iniconfig pkg:cargo/itoa[/cyan]

    Ends with 0 when it was asked to stop, with 1 when one of its processes ended by itself.
    """
    from ssc_ingest.cli.up.process_tree import run
    from ssc_ingest.on_demand.submit import named_packages
    from ssc_ingest.settings import load_settings

    if purls and not demo:
        raise typer.BadParameter("packages are given together with --demo, or to `extract`")
    if purls:
        named_packages(purls)  # a mistake is said before anything starts
    raise typer.Exit(run(load_settings(), output.console(), demo=demo, purls=purls or ()))
