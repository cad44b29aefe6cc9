"""Formats ``--help``: paragraphs fill the terminal, and flags have no type."""

import inspect
from typing import Any

import typer

HELP_OPTIONS = ["-h", "--help"]


def prepare_all(group: Any) -> None:
    """Complete the help of a command and of all commands below it."""
    prepare(group)
    for below in getattr(group, "commands", {}).values():
        prepare_all(below)


def prepare(command: Any) -> None:
    """Complete the help of a command.

    Typer keeps the line breaks of docstrings, which are made for 100 columns, and shows a flag as
    if it took a value of the type ``<bool>``.
    """
    if command.help:
        command.help = filled(command.help)
    context = typer.Context(command, help_option_names=HELP_OPTIONS)
    for parameter in (*command.params, command.get_help_option(context)):
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""


def filled(text: str) -> str:
    """The text with one line per paragraph."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
