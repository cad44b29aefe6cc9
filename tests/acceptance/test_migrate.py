"""``ssc-ingest migrate`` as operators use it: its output, and the workers' refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssc_ingest.monitoring.heartbeats import Worker, beat
from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, wait_until
from tests.acceptance.forks import run_forked
from tests.conftest import Cypher
from tests.integration.test_migration.migrating import drop_schema
from tests.reference_graph import build_reference_graph
from tests.simulator.client import Simulator

PROGRAM = str(Path(sys.executable).with_name("ssc-ingest"))

PLACE = "MATCH (s:SscIngestMigration) WHERE s.done > 1000 RETURN [s.step, s.done] AS place"


@pytest.fixture
def bare_graph(clean_graph: None, clean_redis: None, cypher: Cypher) -> Iterator[None]:
    """An empty graph without a schema; no workers."""
    drop_schema(cypher)
    yield
    cypher("MATCH (n) DETACH DELETE n")
    drop_schema(cypher)


@pytest.fixture
def old_graph(bare_graph: None, cypher: Cypher) -> None:
    """A graph of the reference implementation."""
    build_reference_graph(cypher)


@pytest.fixture
def environment(servers: Servers, tmp_path: Path) -> dict[str, str]:
    """Settings of a program that uses the test servers."""
    return {
        **os.environ,
        "GRAPH_DB_URI": servers.graph_uri,
        "REDIS_URL": servers.redis_url,
        "VULN_DB_URI": servers.vulnerabilities_uri,
        "DATA_DIR": str(tmp_path / "data"),
    }


def migrate(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return run_forked(
        "migrate",
        *options,
        environment=environment,
        folder=Path(environment["DATA_DIR"]).parent,
        timeout=LONG_ENOUGH,
    )


def test_a_worker_starts_after_the_migration_and_not_before(
    old_graph: None,
    environment: dict[str, str],
    *,
    servers: Servers,
    simulator: Simulator,
    tmp_path: Path,
    cypher: Cypher,
) -> None:
    """Before the migration, a worker exits with code 78 and names the remedy.

    The remedy is sufficient.
    """
    fleet = Fleet(servers, simulator.environment(), tmp_path)
    try:
        refused = fleet.run("-A", "workers", "worker", "--without-mingle", program="celery")
        assert refused.returncode == 78
        assert "run `ssc-ingest migrate` first" in refused.stdout + refused.stderr

        foreseen = migrate(environment, "--dry-run", "--json")
        assert json.loads(foreseen.stdout)["counts"]["packages_merged"] == 3
        said = migrate(environment, "--dry-run").stdout
        assert " 3  packages were duplicates and became one with an older node" in said
        assert "nothing was written" in said
        assert cypher("MATCH (p:PyPIPackage) WHERE p.purl IS NOT NULL RETURN p") == []
        done = migrate(environment)
        assert done.returncode == 0, done.stderr
        assert "the graph is correct" in done.stdout
        assert " 3  packages were duplicates and became one with an older node" in done.stdout
        assert "is not a valid package name of PyPI" in done.stderr
        again = migrate(environment, "--json")
        counts = json.loads(again.stdout)["counts"]
        assert {key for key, n in counts.items() if n} == {"packages_invalid", "packages_twins"}

        fleet.start()
    finally:
        fleet.close()


async def test_it_refuses_beside_workers(
    bare_graph: None,
    environment: dict[str, str],
    *,
    settings: Settings,
    servers: Servers,
    cypher: Cypher,
) -> None:
    """Workers would write to nodes that were already migrated; --force overrides the refusal."""
    cypher("CREATE (:PyPIPackage {name: 'old'})")
    async with open_state(settings, servers) as state:
        await _worker_is_there(state)

        refused = migrate(environment)

        assert refused.returncode == 1
        assert "1 worker would write to the graph during the migration: busy@host" in refused.stderr
        assert migrate(environment, "--dry-run").returncode == 0
        assert migrate(environment, "--force").returncode == 0


async def _worker_is_there(state: State) -> None:
    worker = Worker(
        hostname="busy@host", pid=1, queues=("pypi.bulk",), concurrency=1, started_at=time.time()
    )
    await beat(state.redis, worker, running=1)


def test_it_continues_where_it_was_interrupted(
    old_graph: None, environment: dict[str, str], cypher: Cypher
) -> None:
    """After Ctrl-C and after kill -9, at any moment, the next run continues; the last completes."""
    cypher(
        "UNWIND range(1, 10000) AS n CREATE (:NPMPackage {name: 'p' + n, moment: localdatetime()})"
        "-[:HAVE]->(:Version {name: '1.' + n, serial_number: 0})"
    )
    place: list[object] = []

    def is_further() -> bool:
        found = cypher(PLACE)
        return bool(found) and found[0]["place"] != place

    for end, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        with subprocess.Popen(
            [PROGRAM, "migrate"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            wait_until(lambda: is_further() or process.poll() is not None, LONG_ENOUGH)
            process.send_signal(end)
            _, said = process.communicate(timeout=LONG_ENOUGH)
        assert process.returncode == status, said.decode()
        assert (b"`ssc-ingest migrate` continues from here" in said) == (end is signal.SIGINT)
        assert is_further()
        ((place,),) = (row.values() for row in cypher(PLACE))

    completed = migrate(environment)

    assert completed.returncode == 0, completed.stderr
    assert "an earlier migration stopped at npm: " in completed.stderr
    assert cypher("MATCH (v:Version) WHERE v.purl IS NULL RETURN count(v) AS n") == [{"n": 0}]
