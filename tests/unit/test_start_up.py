"""A command imports what it uses: ``--help`` answers at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.start_up import HEAVY, SERVICES, imported


@pytest.mark.parametrize("command", ["--help", "--version", "up --help", "jobs --help"])
def test_help_imports_no_services(command: str, tmp_path: Path) -> None:
    """The help imports neither clients of servers nor parsers, settings or Celery."""
    code, modules = imported(*command.split(), folder=tmp_path)
    assert code == 0
    assert not modules & (HEAVY | SERVICES)


@pytest.mark.parametrize("command", ["extract --help", "jobs list --help", "jbos", "--version"])
def test_a_command_imports_no_other(command: str, tmp_path: Path) -> None:
    """Only the module of the chosen command is imported; a mistake in its name imports none."""
    _, modules = imported(*command.split(), folder=tmp_path)
    commands = {name for name in modules if name.startswith("ssc_ingest.cli.commands.")}
    word, *_ = command.split()
    assert commands <= {f"ssc_ingest.cli.commands.{word}"}


ENDING = """
import atexit, gc

atexit.register(lambda: print("frozen:", gc.get_freeze_count() > 10_000))

from ssc_ingest.cli import main

main()
"""


def test_the_end_of_a_command() -> None:
    """Python does not look for garbage among all objects when a command ends."""
    done = subprocess.run(
        [sys.executable, "-c", ENDING, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("frozen: True\n")


LOGGING = """
import sys
from ssc_ingest.logs import configure_command, get_logger

log = get_logger("a.module")
configure_command(debug=False)
assert "structlog" not in sys.modules
log.info("not_shown")
log.warning("shown", package="pkg:pypi/rich")
"""


def test_first_message_of_a_command() -> None:
    """The log of a command is configured although structlog is imported with the first message."""
    done = subprocess.run(
        [sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "shown" in line
    assert "not_shown" not in line
    assert "pkg:pypi/rich" in line


VERSION = """
import sys
import ssc_ingest

assert "importlib.metadata" not in sys.modules
assert ssc_ingest.__version__
assert "importlib.metadata" in sys.modules
"""


def test_the_version_is_read_when_it_is_used() -> None:
    """It is in the metadata of installed packages, which take longer to find than to read."""
    subprocess.run([sys.executable, "-c", VERSION], check=True)
