"""Neo4j, Redis and MongoDB that demand passwords with special characters."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pymongo
import pytest
from neo4j import GraphDatabase
from redis import Redis

from ssc_ingest.embedded.process import ProcessGroup
from ssc_ingest.servers import Servers
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, wait_until
from tests.acceptance.guarded import (
    PASSWORD,
    QUOTED,
    GuardedNeo4j,
    guarded_mongo,
    guarded_neo4j,
)
from tests.acceptance.outages import OwnRedis
from tests.acceptance.test_flower import flower
from tests.acceptance.work import in_graph
from tests.conftest import Cypher
from tests.ports import unused_port
from tests.simulator.client import Simulator

WRONG = "not/the:pass@word"

SECRETS = {
    "GRAPH_DB_PASSWORD": "graph",
    "REDIS_PASSWORD": "redis",
    "VULN_DB_URI": "vulnerabilities",
}
"""The settings with passwords, and the names of their servers in ``check``."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers, whose addresses have no credentials but MongoDB's."""
    folder = tmp_path_factory.mktemp("guarded")
    with ExitStack() as stack:
        redis = OwnRedis(stack.enter_context(ProcessGroup()), folder / "valkey")
        with Redis.from_url(redis.uri) as client:
            client.config_set("requirepass", PASSWORD)
        yield Servers(
            stack.enter_context(guarded_neo4j(folder / "neo4j")),
            GuardedNeo4j.auth,
            redis.uri,
            stack.enter_context(guarded_mongo(folder / "mongo")),
        )


@pytest.fixture
def passwords(guarded: Servers) -> dict[str, str]:
    """The settings with passwords."""
    return {
        "GRAPH_DB_PASSWORD": PASSWORD,
        "REDIS_PASSWORD": PASSWORD,
        "VULN_DB_URI": guarded.vulnerabilities_uri,
    }


@pytest.fixture
def fleet(guarded: Servers, simulator: Simulator, tmp_path: Path) -> Iterator[Fleet]:
    """Workers of these servers, whose passwords are not set."""
    redis = urlsplit(guarded.redis_url)
    fleet = Fleet(guarded, simulator.environment(), tmp_path)
    del fleet.environment["REDIS_URL"], fleet.environment["VULN_DB_URI"]
    fleet.environment |= {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port)}
    yield fleet
    fleet.close()


@pytest.fixture
def cypher(guarded: Servers) -> Iterator[Cypher]:
    """Run a query on this graph."""
    with GraphDatabase.driver(guarded.graph_uri, auth=guarded.graph_auth) as driver:
        yield lambda query, **parameters: [
            row.data() for row in driver.execute_query(query, parameters).records
        ]


def check(fleet: Fleet, settings: Mapping[str, str]) -> tuple[int, dict[str, Any], str]:
    """The exit code of ``check``, its findings by subject, and everything that it wrote."""
    done = fleet.run("check", "--offline", "--json", **settings)
    shown = fleet.run("check", "--offline", **settings)
    assert shown.returncode == done.returncode
    findings = {found["subject"]: found for found in json.loads(done.stdout)}
    return done.returncode, findings, done.stdout + done.stderr + shown.stdout + shown.stderr


def assert_hidden(output: str) -> None:
    """Check that no password is shown, in none of its forms."""
    for secret in (PASSWORD, QUOTED, WRONG, "with@signs", "with%40signs"):
        assert secret not in output


@pytest.mark.parametrize("in_files", [False, True], ids=["settings", "files"])
async def test_right_passwords(
    fleet: Fleet,
    passwords: dict[str, str],
    simulator: Simulator,
    cypher: Cypher,
    tmp_path: Path,
    *,
    in_files: bool,
) -> None:
    """A worker and the commands work; no log and no output has a password."""
    if in_files:
        for name, secret in passwords.items():
            file = tmp_path / name
            file.write_text(f"{secret}\n")
            fleet.environment[f"{name}_FILE"] = str(file)
    else:
        fleet.environment |= passwords
    package = simulator.packages("npm", 2, start=90)[in_files]
    worker = fleet.start()
    extract = fleet.run("extract", package.purl, "--dependencies", "none", "--wait")
    assert extract.returncode == 0, extract.stderr
    await in_graph(cypher, package.purl)
    outputs = [extract.stdout, extract.stderr]
    for command in (
        ["status"],
        ["status", "--json"],
        ["show", package.purl],
    ):
        done = fleet.run(*command)
        assert done.returncode == 0 or "status" in command, done.stderr  # beat is not running
        outputs += [done.stdout, done.stderr]
    report = fleet.run("-A", "workers", "report", program="celery")
    assert report.returncode == 0, report.stderr
    outputs += [report.stdout, report.stderr]
    _, findings, output = check(fleet, {})
    for subject in SECRETS.values():
        assert findings[subject]["outcome"] == "ok"
    log = worker.log.read_text()
    assert "store_unavailable" not in log
    assert_hidden("\n".join([*outputs, output, log]))
    uri = passwords["VULN_DB_URI"]
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(uri)
    with client:
        assert len(client["vulnerabilities"]["vulnerabilities"].index_information()) > 1


def test_flower_shows_no_password(fleet: Fleet, passwords: dict[str, str], tmp_path: Path) -> None:
    """Its pages about workers and the broker, and its log, have none, nor has its command line."""
    port = unused_port()
    credentials = {"FLOWER_USER": "ops", "FLOWER_PASSWORD": WRONG}
    fleet.environment |= {**passwords, **credentials, "FLOWER_PORT": str(port)}
    worker = fleet.start()
    with (
        flower(tmp_path, fleet.environment, forks=False) as shown,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            auth=("ops", WRONG),
            trust_env=False,
            timeout=LONG_ENOUGH,
        ) as browser,
    ):
        shown.wait_until_it_listens()
        configuration = f"/worker/{worker.name}"
        wait_until(
            lambda: "broker_url" in browser.get(configuration).text, LONG_ENOUGH, lambda: shown.log
        )
        pages = [browser.get(path) for path in (configuration, "/workers", "/broker", "/tasks")]
        assert [page.status_code for page in pages] == [200] * len(pages)
        arguments = " ".join(psutil.Process(shown.process.pid).cmdline())
        texts = [page.text for page in pages]
    assert_hidden("\n".join([*texts, arguments, shown.log, worker.log.read_text()]))


@pytest.mark.parametrize(("setting", "subject"), SECRETS.items(), ids=SECRETS.values())
def test_a_wrong_password(
    fleet: Fleet, passwords: dict[str, str], setting: str, subject: str
) -> None:
    """``check`` names the server and the setting; the other servers are all right."""
    wrong = {**passwords, setting: passwords[setting].replace(QUOTED, "wrong%2Fone")}
    if setting != "VULN_DB_URI":
        wrong[setting] = WRONG
    code, findings, output = check(fleet, wrong)
    assert code == 78
    assert findings[subject]["outcome"] == "failed"
    assert findings[subject]["exit_code"] == 78
    assert setting in findings[subject]["remedy"]
    assert setting in output
    for other in set(SECRETS.values()) - {subject}:
        assert findings[other]["outcome"] == "ok"
    assert_hidden(output)
    assert "wrong%2Fone" not in output


def test_missing_passwords(fleet: Fleet, guarded: Servers) -> None:
    """They are a matter of configuration, too."""
    address = guarded.vulnerabilities_uri.rpartition("@")[2]
    code, findings, output = check(fleet, {"VULN_DB_URI": f"mongodb://{address}"})
    assert code == 78
    for setting, subject in SECRETS.items():
        assert findings[subject]["exit_code"] == 78
        assert setting in findings[subject]["remedy"]
    assert_hidden(output)


@pytest.mark.parametrize(
    ("process", "setting"),
    [
        ("worker", "GRAPH_DB_PASSWORD"),
        ("worker", "REDIS_PASSWORD"),
        ("beat", "REDIS_PASSWORD"),
    ],
)
def test_a_process_with_a_wrong_password(
    fleet: Fleet, passwords: dict[str, str], process: str, setting: str
) -> None:
    """It does not start, says why, and is not to be started again."""
    wrong = {**passwords, setting: WRONG}
    done = fleet.run("-A", "workers", process, program="celery", **wrong)
    assert done.returncode == 78, done.stderr
    assert setting in done.stdout + done.stderr
    assert_hidden(done.stdout + done.stderr)


KILL = """
CALL dbms.listConnections() YIELD connectionId, userAgent
WHERE userAgent STARTS WITH 'ssc-ingest'
WITH collect(connectionId) AS ids
CALL dbms.killConnections(ids) YIELD connectionId
RETURN count(connectionId) AS killed
"""


async def test_a_password_is_changed_while_a_worker_runs(
    fleet: Fleet, passwords: dict[str, str], guarded: Servers, simulator: Simulator
) -> None:
    """Work waits until the password is right again; nothing becomes a dead letter."""
    fleet.environment |= passwords
    package = simulator.packages("npm", 1, start=95)[0]
    worker = fleet.start()
    change = "ALTER USER neo4j SET PASSWORD $password CHANGE NOT REQUIRED"
    with GraphDatabase.driver(guarded.graph_uri, auth=guarded.graph_auth) as driver:
        driver.execute_query(change, password=WRONG, database_="system")
        try:
            with GraphDatabase.driver(guarded.graph_uri, auth=("neo4j", WRONG)) as changed:
                assert changed.execute_query(KILL).records[0]["killed"]
            arguments = ("extract", package.purl, "--dependencies", "none")
            assert fleet.run(*arguments).returncode == 0
            worker.wait_for_log("package_delayed")
        finally:
            with GraphDatabase.driver(guarded.graph_uri, auth=("neo4j", WRONG)) as changed:
                changed.execute_query(change, password=PASSWORD, database_="system")
    with GraphDatabase.driver(guarded.graph_uri, auth=guarded.graph_auth) as driver:

        def cypher(query: str, **parameters: Any) -> list[dict[str, Any]]:
            return [row.data() for row in driver.execute_query(query, parameters).records]

        await in_graph(cypher, package.purl)
    letters = fleet.run("dead-letters", "list", "--json")
    assert json.loads(letters.stdout) == []
    assert "refuses access" in worker.log.read_text()
    assert_hidden(worker.log.read_text())


async def test_redis_changes_its_password_while_a_worker_runs(
    fleet: Fleet,
    passwords: dict[str, str],
    guarded: Servers,
    simulator: Simulator,
    cypher: Cypher,
) -> None:
    """The worker says which settings are wrong, and goes on when they are right again."""
    fleet.environment |= passwords
    purls = [package.purl for package in simulator.packages("npm", 40, start=100)]
    worker = fleet.start()
    simulator.latency(500)
    extract = fleet.run("extract", *purls, "--dependencies", "none", "--json")
    assert extract.returncode == 0, extract.stderr
    await in_graph(cypher, purls[0])
    with Redis.from_url(guarded.redis_url, password=PASSWORD) as redis:
        redis.config_set("requirepass", WRONG)
        try:
            for kind in ("normal", "pubsub"):  # Redis asks only new connections
                assert redis.client_kill_filter(_type=kind, skipme=True)
            worker.wait_for_log("the redis store refuses access")
        finally:
            redis.config_set("requirepass", PASSWORD)
    simulator.latency(0)
    for purl in purls:
        await in_graph(cypher, purl)
    job_id = json.loads(extract.stdout)["job_id"]

    def job() -> dict[str, Any]:
        return dict(json.loads(fleet.run("jobs", "show", job_id, "--json").stdout))

    wait_until(lambda: job()["finished"], LONG_ENOUGH)
    assert job()["counts"]["extracted"] == len(purls), job()
    letters = fleet.run("dead-letters", "list", "--json")
    assert json.loads(letters.stdout) == []
    log = worker.log.read_text()
    assert "correct REDIS_USERNAME and REDIS_PASSWORD" in log
    assert_hidden(log)
