"""The program on the test servers, and a graph and queues for its commands."""

import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from ssc_ingest.cli.program import program
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.graph.changes import Order
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.acceptance.test_cli.content import package
from tests.acceptance.test_cli.running import Done, Run


@pytest.fixture(scope="module")
def environment(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of a program that uses the test servers."""
    folder = tmp_path_factory.mktemp("cli")
    return {
        **os.environ,
        "COLUMNS": "120",  # pytest-xdist sets that of its own terminal
        "GRAPH_DB_URI": servers.graph_uri,
        "REDIS_URL": servers.redis_url,
        "VULN_DB_URI": servers.vulnerabilities_uri,
        "DATA_DIR": str(folder / "data"),
        "CONTACT": "ops@example.org",
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program: ``run("show", purl, REDIS_URL=...)``.

    In this process, since each start of another one costs seconds; what only a process of its
    own shows is tested with :func:`running.run_process`.
    """
    monkeypatch.chdir(tmp_path)  # no .env there

    def run(*arguments: str, stdin: str = "", **settings: str) -> Done:
        runner = CliRunner(env={**environment, **settings})
        with ThreadPoolExecutor(1) as thread:  # an event loop of its own
            result = thread.submit(runner.invoke, program, arguments, input=stdin).result()
        structlog.reset_defaults()  # the command has configured its own log
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
async def state(
    clean_redis: None, settings: Settings, redis_servers: Servers
) -> AsyncIterator[State]:
    """Empty queues and jobs."""
    async with open_state(settings, redis_servers) as state:
        yield state


@pytest.fixture
async def graph(clean_graph: None, settings: Settings, servers: Servers) -> None:
    """A package of 12 versions; the newest requires a stub."""
    pypi = ecosystems()["pypi"]
    ref, required = pypi.ref("example"), pypi.ref("required")
    order: Order = pypi.order
    async with open_driver(servers, settings) as driver:
        await ensure_schema(driver, [cls.identity.label for cls in ecosystems().values()])
        writer = GraphWriter(driver)
        await writer.write(package(ref, required), order=order)
        await writer.close()
