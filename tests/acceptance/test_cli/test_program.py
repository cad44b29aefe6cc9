"""The program itself: its help, its exit codes, and its error messages."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ssc_ingest.errors import IngestError
from tests.acceptance.test_cli.running import NOWHERE, Run, run_process, tables_fit


def test_help_teaches_every_command(run: Run) -> None:
    """Every command has a description with examples, and the exit codes are listed."""
    overview = run("--help", COLUMNS="80")
    assert overview.returncode == 0
    assert "Exit codes" in overview.stdout
    assert tables_fit(overview.stdout, 80)
    for command in ("up", "extract", "show", "query", "status", "check"):
        assert command in overview.stdout
        assert f"ssc-ingest {command}" in run(command, "--help").stdout
    for command in ("list", "show", "replay", "purge", "export"):
        assert f"ssc-ingest dead-letters {command}" in run("dead-letters", command, "--help").stdout
    assert re.fullmatch(r"ssc-ingest \d+\.\d+\.\d+\n", run("--version").stdout)


def test_help_loads_no_clients(environment: dict[str, str]) -> None:
    """``--help`` is fast because it imports no client of a server."""
    code = (
        "import sys\n"
        "from ssc_ingest.cli.program import program\n"
        "heavy = {'neo4j', 'pymongo', 'httpx', 'redis', 'celery', 'univers'}\n"
        "sys.exit(str(heavy & set(sys.modules) or ''))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False, text=True,
                          capture_output=True)  # fmt: skip
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"GRAPH_DB_URI": f"bolt://{NOWHERE}"}, 69, "GRAPH_DB_URI"),
        ({"GRAPH_DB_URI": ""}, 78, "ssc-ingest up"),
        ({"GRAPH_DB_URI": "http://x"}, 78, "GRAPH_DB_URI"),
        ({"REDIS_PORT": "tcp://10.0.0.1:6379"}, 78, "REDIS_PORT"),
    ],
)
def test_a_missing_graph_is_one_sentence(
    run: Run, settings: Mapping[str, str], code: int, said: str
) -> None:
    """The message names an unavailable server and its setting, without a traceback."""
    done = run("show", "pkg:pypi/example", **settings)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(IngestError):
        run("--debug", "show", "pkg:pypi/example", **settings)


def test_a_process_ends_with_the_code(environment: dict[str, str], tmp_path: Path) -> None:
    """The process has the exit code; a traceback is shown only on request."""
    settings = {**environment, "GRAPH_DB_URI": "http://x"}
    done = run_process(settings, "show", "pkg:pypi/example")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("GRAPH_DB_URI")
    assert "Traceback" not in done.stderr
    assert "Traceback" in run_process(settings, "--debug", "show", "pkg:pypi/example").stderr


def test_missing_redis_is_one_sentence(run: Run) -> None:
    """Commands that need Redis report that it is unavailable."""
    for command in (["jobs", "list"], ["extract", "pkg:pypi/x"], ["dead-letters", "list"]):
        done = run(*command, REDIS_URL=f"redis://user:secret@{NOWHERE}")
        assert done.returncode == 69
        assert "REDIS_URL" in done.stderr
        assert "secret" not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr


def test_wrong_usage_ends_with_2(run: Run) -> None:
    """Unknown commands, options, package URLs and ecosystems are the caller's mistakes."""
    assert run("no-such-command").returncode == 2
    assert run("show").returncode == 2
    assert run("extract", "pkg:pypi/x", "--dependencies", "some").returncode == 2
    assert run("up", "pkg:pypi/x").returncode == 2
    done = run("extract", "pypi/rich", "rich==1.0", "pkg:golang/x")
    assert done.returncode == 2
    assert "did you mean pkg:pypi/rich?" in done.stderr
    assert "did you mean pkg:pypi/rich@1.0?" in done.stderr
    assert "'golang'" in done.stderr
    assert run("dead-letters", "list", "--ecosystem", "golang").returncode == 2
