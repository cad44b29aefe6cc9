"""Fixtures for all tests. Servers start only for tests that use them.

``SSC_TEST_STACK=<data directory>`` uses a running embedded stack instead of starting one per
session (start it with ``DATA_DIR=<data directory> python -m ssc_ingest.embedded``). Its contents
are deleted.
"""

import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import psutil
import pytest
import redis
from neo4j import Driver, GraphDatabase

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.endpoints import option_name, setting_names
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.embedded import neo4j as embedded_neo4j
from ssc_ingest.servers import EmbeddedAddresses, Servers
from ssc_ingest.settings import Settings, load_settings
from ssc_ingest.vulnerabilities.store import VulnerabilityStore, open_store
from tests.both_ends import FromBothEnds
from tests.sockets import close_unconnected

pytest.register_assert_rewrite(
    "tests.acceptance.outages", "tests.acceptance.work", "tests.graph_truth"
)

Cypher = Callable[..., list[dict[str, Any]]]

# These say where the jars of Neo4j and its Java come from, not how the program behaves.
KEPT = {"CACHE_DIR", "EMBEDDED_MAVEN_URL", "JAVA_HOME"}

ELSEWHERE: dict[str, tuple[str, Any]] = {
    "graph_uri": ("graph_db_uri", "bolt://graph.invalid"),
    "redis_url": ("redis_url", "redis://redis.invalid"),
    "vulnerabilities_uri": ("vuln_db_uri", "mongodb://mongo.invalid"),
}
"""The settings that keep a stack from starting a server, by the field of its address."""

PLANS_STAY = "dbms.cypher.min_replan_interval=1h\n"
"""The graph of the tests is empty again and again. By default, Neo4j plans its statements anew each
time: two hundred in ten minutes, of up to a second each."""

IS_SHORT = os.environ.get("SOAK", "short") == "short"
"""Whether tests that endure (the marker ``soak``) take minutes, as for CI, and not an hour."""

MEMORY = 3 * 1024**3
"""Bytes that a process of tests and its servers take at most."""

COLLECT_EVERY = 100_000
"""New objects after which Python looks for garbage. By default it does so after 700, which
takes a third of the time in which thousands of tests are collected."""


# CI tries the same many examples each time, a developer's runs few and different ones. Many in each
# run took half the time of the tests without servers.
hypothesis.settings.register_profile(
    "tests",
    max_examples=100 if "CI" in os.environ else 25,  # some properties: several times as many
    deadline=None,  # how fast something is, is measured by benchmarks, on a machine that is quiet
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize="CI" in os.environ,  # what fails there fails here
)
hypothesis.settings.load_profile("tests")
hypothesis.settings.register_profile(
    "fuzz",  # for minutes: pytest --hypothesis-profile=fuzz
    hypothesis.settings.get_profile("tests"),
    max_examples=1000,
    derandomize=False,
)


def pytest_configure() -> None:
    """Remove the operator's settings from the environment."""
    gc.set_threshold(COLLECT_EVERY)
    close_unconnected()
    if threading.current_thread() is threading.main_thread():
        # A shell's background jobs ignore Ctrl-C, and would their children, which tests interrupt.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    names = {name.upper() for name in Settings.model_fields} - KEPT
    for name, ecosystem in ecosystems().items():
        for endpoint in ecosystem.identity.endpoints:
            names.update(setting_names(name, endpoint))
        names.update(option_name(name, option) for option in ecosystem.identity.options)
    for name in names:
        os.environ.pop(name, None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """``-n auto``: three processes more than cores, because many tests wait.

    Not more, because each has its own servers. (``-n logical`` is one process per core.)
    """
    if "SSC_TEST_STACK" in os.environ:
        return 0  # one set of servers, which tests empty
    if config.option.numprocesses == "logical" or "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    wanted = (psutil.cpu_count(logical=False) or 1) + 3
    return max(1, min(wanted, psutil.virtual_memory().total // MEMORY))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FromBothEnds | None:
    """``--dist loadfile``: tests that wait run beside tests that compute."""
    return FromBothEnds(config, log) if config.option.dist == "loadfile" else None


@pytest.fixture
def hangups() -> Iterator[list[int]]:
    """The SIGHUPs that the tests receive.

    Because there is a handler, programs that they start react to SIGHUP, also under ``nohup``.
    """
    received: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _: received.append(number))
    yield received
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def running_stack() -> EmbeddedAddresses | None:
    """The servers of ``SSC_TEST_STACK``."""
    running = os.environ.get("SSC_TEST_STACK")
    if running is None:
        return None
    if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
        pytest.fail("SSC_TEST_STACK is one set of servers, which tests empty: use -n 0")
    addresses = EmbeddedAddresses.read(Path(running))
    if addresses is None:
        pytest.fail(f"no embedded stack is running in SSC_TEST_STACK={running}")
    return addresses


@contextmanager
def _server(running: EmbeddedAddresses | None, field: str, data_dir: Path) -> Iterator[str]:
    """The address of one of the three servers, which is started if needed."""
    if running is None:
        others = {option: address for name, (option, address) in ELSEWHERE.items() if name != field}
        configuration = embedded_neo4j.CONFIGURATION + PLANS_STAY
        with EmbeddedStack(load_settings(None, data_dir=data_dir, **others)) as stack:
            with mock.patch.object(embedded_neo4j, "CONFIGURATION", configuration):
                started = stack.start()
            yield getattr(started, field)
    else:
        yield getattr(running, field)


@pytest.fixture(scope="session")
def redis_url(
    running_stack: EmbeddedAddresses | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Valkey, without a database number."""
    with _server(running_stack, "redis_url", tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def graph_uri(
    running_stack: EmbeddedAddresses | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Neo4j, which takes 10 s to start."""
    with _server(running_stack, "graph_uri", tmp_path_factory.mktemp("neo4j")) as uri:
        yield uri


@pytest.fixture(scope="session")
def vulnerabilities_uri(
    running_stack: EmbeddedAddresses | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The MongoDB-protocol server."""
    with _server(running_stack, "vulnerabilities_uri", tmp_path_factory.mktemp("mongo")) as uri:
        yield uri


@pytest.fixture
async def store(vulnerabilities_uri: str, settings: Settings) -> AsyncIterator[VulnerabilityStore]:
    """The vulnerability store, with its indexes and no documents.

    It is empty afterwards, too: other tests are about a graph that is not synced. Its database is
    not dropped: for that, the embedded server writes to the disk once per key, which takes minutes
    after a test of thousands of advisories where the disk is slow.
    """
    async with open_store(vulnerabilities_uri, settings) as store:
        await store.ensure_indexes()
        await _delete_documents(store)
        yield store
        await _delete_documents(store)


async def _delete_documents(store: VulnerabilityStore) -> None:
    for name in await store.database.list_collection_names():
        await store.database[name].delete_many({})


@pytest.fixture(scope="session")
def servers(graph_uri: str, redis_url: str, vulnerabilities_uri: str) -> Servers:
    """All three servers."""
    return Servers(graph_uri, None, redis_url, vulnerabilities_uri)


@pytest.fixture(scope="session")
def redis_servers(redis_url: str) -> Servers:
    """Only Redis; the other two servers are unreachable."""
    return Servers("bolt://graph.invalid", None, redis_url, "mongodb://mongo.invalid")


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a program without servers, independent of this machine."""
    return load_settings(
        None,
        data_dir=tmp_path_factory.mktemp("data"),
        cache_dir=tmp_path_factory.mktemp("cache"),
        import_names_read="none",  # the tests of import names turn it on
    )


@pytest.fixture(scope="session")
def graph_driver(graph_uri: str) -> Iterator[Driver]:
    """A driver of the test graph."""
    with GraphDatabase.driver(graph_uri) as driver:
        yield driver


@pytest.fixture(scope="session")
def cypher(graph_driver: Driver) -> Cypher:
    """Run a query on the test graph: ``cypher("MATCH ... RETURN ...", name=...)`` -> rows."""

    def run(query: str, **parameters: Any) -> list[dict[str, Any]]:
        return [row.data() for row in graph_driver.execute_query(query, parameters).records]

    return run


@pytest.fixture
def clean_graph(graph_driver: Driver) -> None:
    """A graph without nodes; constraints and indexes stay."""
    # One transaction can hold some hundred thousand nodes and edges.
    statement = "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS"
    with graph_driver.session() as session:
        session.run(statement).consume()


@pytest.fixture
def clean_redis(redis_url: str) -> None:
    """Empty all databases of the test Redis."""
    empty(redis_url)


def empty(redis_url: str) -> None:
    """Empty all databases of a Redis."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


def _beside_the_clone(name: str, setting: str, what: str) -> Path:
    folder = Path(os.environ.get(setting, Path(__file__).parents[2] / "shared" / name))
    if not folder.is_dir():
        missing = f"{what} are not here: {folder} ({setting})"
        if os.environ.get("SSC_REQUIRE_RECORDINGS") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded registry responses, beside the clone.

    ``SSC_RECORDINGS`` names another folder. Without the folder the test skips, or fails if
    ``SSC_REQUIRE_RECORDINGS=1``.
    """
    return _beside_the_clone("registry-fixtures", "SSC_RECORDINGS", "recorded registry responses")


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of inputs that once caused errors, beside the clone (``SSC_CASES``)."""
    return _beside_the_clone("cases", "SSC_CASES", "inputs that went wrong")


@pytest.fixture(scope="session")
def version_order() -> Path:
    """The folder of truth tables of version orders beside the clone (``SSC_VERSION_ORDER``)."""
    return _beside_the_clone("version-order", "SSC_VERSION_ORDER", "truth tables of version orders")


@pytest.fixture(scope="session")
def advisories() -> Path:
    """The folder of real advisories beside the clone (``SSC_ADVISORIES``), as an OSV dump."""
    return _beside_the_clone("advisories", "SSC_ADVISORIES", "real advisories")
