"""The example programs of docs/calling.md, run as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.fleet import LONG_ENOUGH, Fleet
from tests.simulator.client import Simulator

EXAMPLES = Path(__file__).parents[2] / "docs/examples"


def run(fleet: Fleet, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that knows the addresses of the servers."""
    scripts = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        command,
        env={**fleet.environment, "PATH": scripts},
        capture_output=True,
        text=True,
        timeout=2 * LONG_ENOUGH,
        check=False,
    )


def test_every_example_is_run_here() -> None:
    """A new one needs a test."""
    assert {path.name for path in EXAMPLES.iterdir()} == {
        "by_stream.py",
        "by_task.py",
        "by_command.sh",
    }


@pytest.mark.parametrize(
    ("example", "type_", "label"),
    [("by_stream.py", "pypi", "PyPIPackage"), ("by_task.py", "npm", "npm")],
)
def test_a_program_waits_for_a_package(
    idle_fleet: Fleet, simulator: Simulator, example: str, type_: str, label: str
) -> None:
    """It prints the purl of the package when the graph has it."""
    (package,) = simulator.packages(type_, 1, start=70)
    done = run(idle_fleet, sys.executable, str(EXAMPLES / example), label, package.name)
    assert done.returncode == 0, done.stderr
    assert f"in the graph: {package.purl}" in done.stdout


def test_a_program_learns_of_a_dead_letter(idle_fleet: Fleet) -> None:
    """A package that the registry does not have ends the wait."""
    done = run(
        idle_fleet, sys.executable, str(EXAMPLES / "by_stream.py"), "NPMPackage", "no-such-package"
    )
    assert done.returncode == 1
    assert "dead letter: PackageNotFound" in done.stderr


def test_a_script_waits_for_a_package(idle_fleet: Fleet, simulator: Simulator) -> None:
    """It prints the number of versions."""
    (package,) = simulator.packages("npm", 1, start=71)
    done = run(idle_fleet, "sh", str(EXAMPLES / "by_command.sh"), package.purl)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("versions")
    assert int(done.stdout.split()[0]) >= 1
