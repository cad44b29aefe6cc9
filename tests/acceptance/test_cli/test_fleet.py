"""The state of the fleet in ``status`` and ``check``."""

import json
import time
from typing import Any

from ssc_ingest.monitoring.heartbeats import Worker, beat
from ssc_ingest.resources import State
from ssc_ingest.servers import Servers
from tests.acceptance.test_cli.content import dead_letter
from tests.acceptance.test_cli.running import NOWHERE, Run


async def test_status(graph: None, state: State, run: Run, servers: Servers) -> None:
    """Servers, workers, queues and counts, for people and for programs."""
    await dead_letter(state, "first")
    worker = Worker(
        hostname="worker@here",
        pid=1,
        queues=("pypi.urgent", "pypi.bulk", "control"),
        concurrency=8,
        started_at=time.time(),
    )
    await beat(state.redis, worker, running=3)
    run("extract", "pkg:pypi/a")
    found = json.loads(run("status", "--json").stdout)
    assert found["servers"]["graph"]["uri"] == servers.graph_uri
    assert found["servers"]["redis"]["uri"] == servers.redis_url
    assert found["servers"]["vulnerabilities"]["reachable"] is True
    assert found["queues"]["pypi.urgent"] == 1
    assert (found["dead_letters"], found["jobs_running"]) == (1, 1)
    assert found["workers"][0]["running"] == 3
    assert found["graph"]["pypi"]["packages"] == 1
    assert found["graph"]["pypi"]["stubs"] == 1
    assert found["graph"]["pypi"]["versions"] == 12
    assert found["graph"]["pypi"]["looked_at_every_days"] == 7
    text = run("status")
    assert text.returncode == 0
    assert "worker@here" in text.stdout
    assert "pypi.urgent 1" in text.stdout
    assert "every 7 days" in text.stdout
    assert "every" not in run("status", STALENESS_BUDGET="0").stdout


def test_status_without_a_server(clean_redis: None, run: Run) -> None:
    """An unavailable server is named, and the others are shown; no credentials appear."""
    done = run("status", "--json", REDIS_URL=f"redis://user:secret@{NOWHERE}")
    assert done.returncode == 69
    found = json.loads(done.stdout)
    assert found["servers"]["redis"]["reachable"] is False
    assert found["servers"]["graph"]["reachable"] is True
    assert "secret" not in done.stdout + done.stderr


def test_check_finds_nothing_wrong(graph: None, clean_redis: None, run: Run) -> None:
    """Every check has a line, and all of them are ok."""
    done = run("check", "--offline", "--json")
    outcomes = {(check["subject"], check["outcome"]) for check in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    for subject in ("graph", "APOC", "schema", "data", "redis", "redis memory", "vulnerabilities"):
        assert (subject, "ok") in outcomes
    assert "ok" in run("check", "--offline").stdout


def test_check_suggests_fixes(graph: None, clean_redis: None, run: Run, cypher: Any) -> None:
    """Wrong data fail the check; a missing contact is a warning; a missing server ends with 69."""
    cypher(
        "MATCH (:PyPIPackage {purl: 'pkg:pypi/example'})-[:HAVE]->(v:Version {name: '1.5'}) "
        "SET v.serial_number = 99"
    )
    done = run("check", "--offline", CONTACT="")
    assert done.returncode == 1
    assert "serial numbers have gaps (PyPIPackage), such as pkg:pypi/example" in done.stdout
    assert "set CONTACT" in done.stdout
    away = run("check", "--offline", VULN_DB_URI=f"mongodb://user:secret@{NOWHERE}")
    assert away.returncode == 69
    assert "VULN_DB_URI" in away.stdout
    assert "secret" not in away.stdout
    assert run("check", "--offline", GRAPH_DB_URI="").returncode == 78


def test_check_requests_the_registries(graph: None, run: Run, simulator: Any) -> None:
    """Each configured registry address gets one request; one that does not respond ends with 69."""
    registries = simulator.environment()
    done = run("check", **registries)
    assert done.returncode == 0, done.stdout
    assert "PyPI index" in done.stdout
    away = run("check", **{**registries, "NPM_REGISTRY_URL": f"http://{NOWHERE}"})
    assert away.returncode == 69
    assert f"failed  npm registry: http://{NOWHERE}" in away.stdout
