"""Runs the program like its users, and returns its output."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.fleet import LONG_ENOUGH

PROGRAM = str(Path(sys.executable).with_name("ssc-ingest"))
NOWHERE = "127.0.0.1:9"


class Done(NamedTuple):
    """The exit code and output of a command."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


def run_process(
    environment: Mapping[str, str], *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the installed program as a process."""
    return subprocess.run(
        [PROGRAM, *arguments],
        env={**environment, **settings},
        capture_output=True,
        text=True,
        timeout=LONG_ENOUGH,
        check=False,
    )


def tables_fit(text: str, columns: int) -> bool:
    """Whether no line is longer than the width of the terminal."""
    return all(len(line) <= columns for line in text.splitlines())
