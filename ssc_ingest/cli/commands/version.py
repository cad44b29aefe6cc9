"""``version``: what this program runs on."""

import platform
import sys
from pathlib import Path

import typer

import ssc_ingest


def version() -> None:
    """Print the version of this program, of Python and of the system, for reports of bugs.

    [cyan]ssc-ingest version[/cyan]
    """
    typer.echo(f"ssc-ingest {ssc_ingest.__version__} in {Path(ssc_ingest.__file__).parent}")
    typer.echo(f"Python {platform.python_version()} ({sys.executable}) on {platform.platform()}")
