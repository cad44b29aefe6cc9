"""The contents of a clone: commands, licence, locked versions."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMMANDS = ("setup", "run", "test", "check", "bench", "lock", "clean")


def run(*command: str) -> str:
    """The output of a typed command."""
    # Not with the variables of the make that may run these tests.
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=False, text=True, stdout=subprocess.PIPE
    ).stdout


@pytest.mark.parametrize("arguments", [(), ("help",)])
def test_make_alone_lists_the_commands(arguments: tuple[str, ...]) -> None:
    """``make`` prints each command with one line."""
    answer = run("make", *arguments)
    for command in COMMANDS:
        assert re.search(rf"^  make {command} +\S.{{10,}}$", answer, re.MULTILINE), command


def test_packages_become_arguments_of_up() -> None:
    """``make run PACKAGES="..."`` extracts those instead."""
    planned = run("make", "--dry-run", "run", "PACKAGES=pkg:pypi/rich pkg:cargo/itoa")
    assert ".venv/bin/ssc-ingest up --demo pkg:pypi/rich pkg:cargo/itoa" in planned


def test_uv_is_pinned_as_the_lock_says() -> None:
    """Pip installs uv with the version and hashes of uv.lock."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    (uv,) = (package for package in lock["package"] if package["name"] == "uv")
    pinned = (ROOT / "scripts/uv.txt").read_text()
    assert pinned.startswith(f"uv=={uv['version']} ")
    locked = {file["hash"] for file in (*uv["wheels"], *([uv["sdist"]] if "sdist" in uv else []))}
    assert set(re.findall(r"sha256:[0-9a-f]+", pinned)) == locked


def test_licence_is_apache() -> None:
    """The text is there, and the metadata names it."""
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["project"]["license"] == "Apache-2.0"


def test_copyleft_server_is_an_extra_and_never_imported() -> None:
    """The GPL server is a separate process, installed only on request."""
    assert not any("secantus" in requirement for requirement in PROJECT["project"]["dependencies"])
    assert any("secantusdb==" in r for r in PROJECT["project"]["optional-dependencies"]["embedded"])
    importing = re.compile(r"^\s*(?:import|from) secantus", re.MULTILINE)
    folders = ("ssc_ingest", "workers", "tests", "benchmarks", "scripts")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in sources if importing.search(path.read_text())] == []


def test_consumers_version_of_univers_is_pinned() -> None:
    """The readers evaluate constraints with exactly this version."""
    assert "univers==31.1.0" in PROJECT["project"]["dependencies"]


def test_changelog_begins_with_what_is_not_released() -> None:
    """The form is that of Keep a Changelog, with a section for operators."""
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert "### Operators must" in text
