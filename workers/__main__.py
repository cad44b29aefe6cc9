"""One of Celery's programs with our application: ``python -m workers worker|beat|flower OPTIONS``.

``celery -A workers`` runs the same, but imports all other commands of Celery, too, with Flower and
the completion of a shell: 10 MB in each process.
"""

from importlib import import_module

import click
from celery.bin.base import CLIContext

from workers import celery

PROGRAMS = {"worker": "celery.bin.worker", "beat": "celery.bin.beat", "flower": "flower.command"}
"""The modules of the commands, each of which has its program's name there."""


class Programs(click.Group):
    """The commands by name; the module of a command is imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names."""
        del ctx
        return list(PROGRAMS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; ``None`` for an unknown name."""
        del ctx
        if cmd_name not in PROGRAMS:
            return None
        command: click.Command = getattr(import_module(PROGRAMS[cmd_name]), cmd_name)
        return command


def main() -> None:
    """Run the program that the first argument names, and exit with its status."""
    context = CLIContext(app=celery, no_color=True, workdir=None, quiet=True)
    Programs().main(prog_name="python -m workers", obj=context, auto_envvar_prefix="CELERY")


if __name__ == "__main__":
    main()
