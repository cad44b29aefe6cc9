"""``--help`` of every command, and the version."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from ssc_ingest import __version__
from ssc_ingest.cli.help_texts import filled
from ssc_ingest.cli.program import program


def commands() -> Iterator[str]:
    """All commands and groups, such as ``dead-letters list``; the empty text is the program."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[str]:
        yield " ".join(path)
        for name, below in getattr(command, "commands", {}).items():
            yield from walk(below, (*path, name))

    yield from walk(typer.main.get_command(program), ())


@pytest.mark.parametrize("command", sorted(commands()))
def test_flags_take_no_value(command: str) -> None:
    """No option is shown as ``<bool>``; short lines appear only where a paragraph ends."""
    done = CliRunner(env={"COLUMNS": "80"}).invoke(program, [*command.split(), "--help"])
    assert done.exit_code == 0
    assert "<bool>" not in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_paragraphs_fill_the_line() -> None:
    """Line breaks of a docstring are no line breaks for people; empty lines are."""
    assert filled("One\n    two.\n\n    Three\n    four.") == "One two.\n\nThree four."


@pytest.mark.parametrize("arguments", ["version", "--version"])
def test_version(arguments: str) -> None:
    """Both print it; neither reads settings."""
    done = CliRunner(env={"REDIS_PORT": "wrong"}).invoke(program, [arguments])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"ssc-ingest {__version__}")
