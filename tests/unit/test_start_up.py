"""A command imports what it uses: ``--help`` answers at once."""

from pathlib import Path

import pytest

from tests.start_up import HEAVY, SERVICES, imported


@pytest.mark.parametrize("command", ["--help", "--version", "up --help", "jobs --help"])
def test_help_imports_no_services(command: str, tmp_path: Path) -> None:
    """The help imports neither clients of servers nor parsers, settings or Celery."""
    code, modules = imported(*command.split(), folder=tmp_path)
    assert code == 0
    assert not modules & (HEAVY | SERVICES)
