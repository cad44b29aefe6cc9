"""What every test may ask for. Servers start only for tests that ask for them.

``SSC_TEST_STACK=<data directory>`` uses the embedded stack that is running there (start one with
``DATA_DIR=<data directory> python -m ssc_ingest.embedded``) instead of starting one for each
session. Its content is wiped.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from neo4j import GraphDatabase

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.endpoints import option_name, setting_names
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import Settings, load_settings

Cypher = Callable[..., list[dict[str, Any]]]

# These say where the jars of Neo4j and its Java come from, not how the program behaves.
KEPT = {"CACHE_DIR", "EMBEDDED_MAVEN_URL", "JAVA_HOME"}

MOST_CORES = 7
"""Cores for which ``-n auto`` starts a process; its servers take up to 3 GB."""


def pytest_configure() -> None:
    """Take the operator's settings out of the environment: tests state what they need."""
    names = {name.upper() for name in Settings.model_fields} - KEPT
    for name, ecosystem in ecosystems().items():
        for endpoint in ecosystem.identity.endpoints:
            names.update(setting_names(name, endpoint))
        names.update(option_name(name, option) for option in ecosystem.identity.options)
    for name in names:
        os.environ.pop(name, None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """``-n auto``: a process more than cores, since tests that kill and restart wait a lot.

    Not many, as each has servers of its own. (``-n logical`` is a process for each core.)
    """
    if "SSC_TEST_STACK" in os.environ:
        return 0  # one set of servers, which tests empty
    if config.option.numprocesses == "logical" or "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return min(psutil.cpu_count(logical=False) or 1, MOST_CORES) + 1


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAddresses]:
    """The three servers, real ones, for the whole session."""
    if running := os.environ.get("SSC_TEST_STACK"):
        if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
            pytest.fail("SSC_TEST_STACK is one set of servers, which tests empty: use -n 0")
        addresses = EmbeddedAddresses.read(Path(running))
        if addresses is None:
            pytest.fail(f"no embedded stack is running in SSC_TEST_STACK={running}")
        yield addresses
        return
    with EmbeddedStack(load_settings(None, data_dir=tmp_path_factory.mktemp("stack"))) as stack:
        yield stack.start()


@pytest.fixture(scope="session")
def settings(stack: EmbeddedAddresses, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a program that uses the test servers, and nothing of this machine."""
    return load_settings(
        None,
        graph_db_uri=stack.graph_uri,
        redis_url=stack.redis_url,
        vuln_db_uri=stack.vulnerabilities_uri,
        data_dir=tmp_path_factory.mktemp("data"),
        cache_dir=tmp_path_factory.mktemp("cache"),
    )


@pytest.fixture(scope="session")
def cypher(stack: EmbeddedAddresses) -> Iterator[Cypher]:
    """Run a query on the test graph: ``cypher("MATCH ... RETURN ...", name=...)`` -> rows."""
    assert stack.graph_uri
    with GraphDatabase.driver(stack.graph_uri) as driver:

        def run(query: str, **parameters: Any) -> list[dict[str, Any]]:
            return [row.data() for row in driver.execute_query(query, parameters).records]

        yield run


@pytest.fixture
def clean_graph(cypher: Cypher) -> None:
    """A graph without nodes; constraints and indexes stay."""
    cypher("MATCH (n) DETACH DELETE n")


@pytest.fixture
def clean_redis(stack: EmbeddedAddresses) -> None:
    """All databases of the test Redis empty."""
    assert stack.redis_url
    with redis.Redis.from_url(stack.redis_url) as client:
        client.flushall()


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded registry responses, which stands beside the clone.

    ``SSC_RECORDINGS`` names another place. Where there is none the test skips, or fails if
    ``SSC_REQUIRE_RECORDINGS=1``.
    """
    beside = Path(__file__).parents[2] / "shared" / "registry-fixtures"
    folder = Path(os.environ.get("SSC_RECORDINGS", beside))
    if not folder.is_dir():
        missing = f"recorded registry responses are not here: {folder} (SSC_RECORDINGS)"
        if os.environ.get("SSC_REQUIRE_RECORDINGS") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return folder
