"""``--json`` of all commands: times are ISO 8601, and errors are documents, too."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ssc_ingest.cli.program import program
from ssc_ingest.monitoring.heartbeats import beat
from ssc_ingest.resources import State
from tests.acceptance.test_cli.content import dead_letter
from tests.acceptance.test_cli.running import NOWHERE, Run
from tests.acceptance.test_cli.test_fleet import set_beat, worker_here

IS_TIME = re.compile(
    r"(^|_)(at|moment|since|until|seen|following|first|last|newest|oldest)$|_(date|time)$"
)
"""Names of fields that are moments."""

PLAUSIBLE = range(10**9, 4 * 10**9)
"""Unix times of this century."""

ARGUMENTS = {
    "cache clear": ["import_names:*"],
    "check": ["--offline"],
    "dead-letters purge": ["--all", "--yes"],
    "dead-letters replay": ["--all"],
    "dead-letters show": ["1-0"],
    "extract": ["pkg:pypi/a"],
    "find-import": ["yaml"],
    "import-names backfill": ["pypi", "--no-wait"],
    "import-names show": ["pkg:pypi/example"],
    "ingest": ["pypi"],
    "jobs show": ["none"],
    "query": ["RETURN datetime() AS moment, date() AS first"],
    "runs show": ["none"],
    "schedules run-now": ["redis_queue_processor"],
    "show": ["pkg:pypi/example"],
    "update": ["pypi"],
    "vulnerabilities affected": ["PYSEC-2024-1"],
    "vulnerabilities attribute": ["pypi", "--all"],
    "vulnerabilities show": ["PYSEC-2024-1"],
    "vulnerabilities sync": ["pypi"],
}
"""What a command with required arguments is given; the others are given nothing."""


def commands_with_json() -> Iterator[str]:
    """The commands with this option, such as ``dead-letters list``."""

    def walk(group: Any, path: tuple[str, ...]) -> Iterator[str]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, (*path, name))
            elif any("--json" in option.opts for option in command.params):
                yield " ".join((*path, name))

    yield from walk(typer.main.get_command(program), ())


COMMANDS = sorted(commands_with_json())


def test_there_are_commands() -> None:
    """The list of commands is not empty, so that the tests below test something."""
    assert len(COMMANDS) >= 20
    assert {"status", "check", "jobs show", "dead-letters list"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_error_is_a_document(run: Run, command: str, tmp_path: Path) -> None:
    """No server responds: stdout is one document that agrees with the exit code.

    No command waits for as long as a query may take.
    """
    done = run(
        *command.split(),
        *ARGUMENTS.get(command, []),
        "--json",
        REDIS_URL=f"redis://user:secret@{NOWHERE}",
        GRAPH_DB_URI=f"bolt://{NOWHERE}",
        VULN_DB_URI=f"mongodb://user:secret@{NOWHERE}/?serverSelectionTimeoutMS=500",
        DB_DEFAULT_QUERY_TIMEOUT_MS="900000",
        OSV_PATH=str(tmp_path / "none"),
    )
    document = json.loads(done.stdout)
    assert done.returncode != 0
    assert "secret" not in done.stdout + done.stderr
    if command not in {"status", "check"}:  # they report each server
        error = document["error"]
        assert error["exit_code"] == done.returncode
        assert error["message"] == done.stderr.strip()
        assert error["type"]


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_settings_and_usage_are_documents(run: Run, command: str) -> None:
    """An invalid setting, and an unknown option, give an error document."""
    arguments = [*command.split(), *ARGUMENTS.get(command, []), "--json"]
    done = run(*arguments, REDIS_PORT="tcp://10.0.0.1:6379")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["exit_code"], error["type"]) == (78, 78, "ConfigurationError")
    done = run(*arguments, "--no-such-option")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["exit_code"]) == (2, 2)
    assert "--no-such-option" in error["message"]


@pytest.mark.parametrize("command", COMMANDS)
async def test_times_are_iso(
    graph: None, state: State, run: Run, command: str, tmp_path: Path
) -> None:
    """All times are in ISO 8601, with a worker, a beat, a job, a run and a dead letter."""
    await dead_letter(state, "first")
    await beat(state.redis, worker_here(), running=1)
    await set_beat(state, leads=True)
    run("extract", "pkg:pypi/a")
    run("ingest", "npm")
    arguments = ARGUMENTS.get(command, [])
    if command == "jobs show":
        arguments = [json.loads(run("jobs", "list", "--json").stdout)[0]["id"]]
    if command == "runs show":
        arguments = [json.loads(run("runs", "list", "--json").stdout)[0]["run_id"]]
    if command == "dead-letters show":
        arguments = [json.loads(run("dead-letters", "list", "--json").stdout)[0]["id"]]
    done = run(*command.split(), *arguments, "--json", OSV_PATH=str(tmp_path))
    wrong = list(times_that_are_not_iso(json.loads(done.stdout)))
    assert not wrong, wrong


def times_that_are_not_iso(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Fields that are moments and no ISO text, and numbers that are Unix times."""
    match value:
        case dict():
            for key, each in value.items():
                yield from times_that_are_not_iso(each, key)
        case list():
            for each in value:
                yield from times_that_are_not_iso(each, name)
        case int() | float() if not isinstance(value, bool):
            if int(value) in PLAUSIBLE or int(value / 1000) in PLAUSIBLE:
                yield name, value
        case str() if IS_TIME.search(name):
            try:
                datetime.fromisoformat(value)
            except ValueError:
                yield name, value


async def test_outcome_and_exit_code_of_checks_agree(graph: None, state: State, run: Run) -> None:
    """Only a failed check has an exit code other than 0.

    The exit code of the command is one of these.
    """
    done = run("check", "--offline", "--json")
    found = json.loads(done.stdout)
    assert {check["outcome"] for check in found} >= {"ok", "failed"}
    for check in found:
        assert (check["outcome"] == "failed") == (check["exit_code"] != 0), check
    assert done.returncode in {check["exit_code"] for check in found}
    assert done.returncode != 0
