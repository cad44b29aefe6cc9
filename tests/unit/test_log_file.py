"""An unwritable ``LOG_FILE`` is refused before anything starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ssc_ingest.cli.program import program
from ssc_ingest.logs import check_log_file
from ssc_ingest.settings import load_settings

NOWHERE = {
    "REDIS_URL": "redis://127.0.0.1:9",
    "GRAPH_DB_URI": "bolt://127.0.0.1:9",
    "VULN_DB_URI": "mongodb://127.0.0.1:9",
}


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    """A file whose folder is a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "log"


def test_up_refuses(tmp_path: Path, log_file: Path) -> None:
    """The exit code is 78, and no server has been started."""
    data = tmp_path / "data"
    runner = CliRunner(env={"LOG_FILE": str(log_file), "DATA_DIR": str(data)})
    done = runner.invoke(program, ["up"])
    assert done.exit_code == 78
    assert f"LOG_FILE='{log_file}' cannot be written: its folder is a file" in done.stderr
    assert not data.exists()


@pytest.mark.parametrize("process", ["worker", "beat", "flower"])
def test_processes_refuse(process: str, log_file: Path) -> None:
    """Processes refuse the file before they connect to a server."""
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "workers", process],
        env={**os.environ, **NOWHERE, "LOG_FILE": str(log_file)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 78
    assert "LOG_FILE" in done.stderr


def test_a_new_folder_is_made(tmp_path: Path) -> None:
    """The first start needs no preparation."""
    log_file = tmp_path / "new" / "log"
    check_log_file(load_settings(None, log_file=log_file))
    assert log_file.exists()
