"""Imports the module of a command when the command is needed: most of them import a lot."""

from collections import UserDict
from importlib import import_module
from typing import Any

import typer
import typer.main

from ssc_ingest.cli.help_texts import prepare_all


class Commands(UserDict[str, Any]):
    """Commands by name, from places such as ``commands.jobs:commands`` below this package."""

    def __getitem__(self, name: str) -> Any:
        """The command; imports its module the first time."""
        found = super().__getitem__(name)
        if isinstance(found, str):
            found = self[name] = load(name, found)
        return found


def load(name: str, place: str) -> Any:
    """The command, or group of commands, of that name.

    Args:
        name: as people type it.
        place: a module, and in it a function or a group of Typer's.
    """
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"{__package__}.{module}"), attribute)
    parent = typer.Typer(rich_markup_mode="rich")
    if isinstance(found, typer.Typer):
        parent.add_typer(found, name=name)
    else:
        parent.command(name)(found)
    command = typer.main.get_group(parent).commands[name]
    prepare_all(command)
    return command
