"""One of Celery's programs with our application: ``python -m workers worker|beat|flower OPTIONS``.

``celery -A workers`` runs the same, but imports all other commands of Celery, too, with Flower and
the completion of a shell: 10 MB in each process.
"""

import sys
from importlib import import_module

import click
from celery.bin.base import CLIContext

from workers import celery

PROGRAMS = {"worker": "celery.bin.worker", "beat": "celery.bin.beat", "flower": "flower.command"}
"""The modules of the commands, each of which has its program's name there."""


def main() -> None:
    """Run the program that the first argument names, and exit with its status."""
    name = sys.argv[1]
    command = getattr(import_module(PROGRAMS[name]), name)
    context = CLIContext(app=celery, no_color=True, workdir=None, quiet=True)
    # Celery's and Flower's commands look at the group that they belong to.
    click.Group("celery", commands={name: command}).main(obj=context, auto_envvar_prefix="CELERY")


if __name__ == "__main__":
    main()
