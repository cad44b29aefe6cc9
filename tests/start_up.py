"""The modules that a command imports, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HEAVY = {
    *("celery", "kombu", "flower", "neo4j", "pymongo", "aiohttp", "httpx", "numpy", "docker"),
    *("lxml", "tree_sitter", "yaml", "cvss", "univers", "packaging", "ijson", "psutil"),
    *("prometheus_client", "concurrent_log_handler", "tenacity", "structlog"),
    *("ssc_ingest.ecosystems.pypi", "ssc_ingest.embedded", "ssc_ingest.resources.process"),
}
"""Modules that cost tens or hundreds of milliseconds each."""

SERVICES = {"redis", "pydantic_settings", "ssc_ingest.settings"}
"""What only a command that reads settings or opens a connection uses."""

PROBE = """
import sys
from ssc_ingest.cli import main

report = sys.argv.pop(1)
try:
    main()
finally:
    open(report, "w").write("\\n".join(sys.modules))
"""


def imported(
    *arguments: str, folder: Path, environment: Mapping[str, str] = os.environ
) -> tuple[int, set[str]]:
    """The exit code of a command, and the modules that its process imported."""
    report = folder / "modules"
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(report), *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stderr
    return done.returncode, set(report.read_text().splitlines())
