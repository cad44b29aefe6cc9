"""The writer if the graph is unavailable, rejects data, or callers are cancelled."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from neo4j import AsyncDriver

from ssc_ingest.errors import ConfigurationError, GraphRefused, StoreUnavailable
from ssc_ingest.graph import writer as writer_module
from ssc_ingest.graph.driver import open_driver, ping
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import NOT_AVAILABLE, VersionName
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.acceptance.proxy import proxy_to as silent_proxy_to
from tests.conftest import Cypher
from tests.graph_truth import snapshot
from tests.integration.test_graph.packages import FETCHED, TOO_LONG, order, package
from tests.integration.test_graph.proxy import COMMIT, Proxy, proxy_to

NAMES = "MATCH (p:PyPIPackage) WHERE p.moment IS NOT NULL RETURN p.name AS name ORDER BY name"


@pytest.fixture
async def proxy(servers: Servers) -> AsyncIterator[Proxy]:
    """A connection to the graph that can be broken."""
    async with proxy_to(servers.graph_uri) as proxy:
        yield proxy


async def test_a_silent_connection_is_given_up(
    servers: Servers,
    settings: Settings,
    clean_graph: None,
    cypher: Cypher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half-open: it is never closed, and transports nothing; a later write uses another one."""
    monkeypatch.setattr(writer_module, "ANSWER_TIMEOUT", 0.5)
    with silent_proxy_to(servers.graph_uri) as proxy:
        beside = replace(servers, graph_uri=proxy.uri)
        async with (
            open_driver(beside, settings) as driver,
            GraphWriter(driver, timeout=10.0, retry_for=0.0) as writer,
        ):
            await writer.write(package("before", ["1.0"]), order=order)
            proxy.silence()
            with pytest.raises(StoreUnavailable):
                await writer.write(package("during", ["1.0"]), order=order)
            proxy.restore()
            await writer.write(package("after", ["1.0"]), order=order)
    assert [row["name"] for row in cypher(NAMES)] == ["after", "before"]


@pytest.mark.parametrize("bad", [TOO_LONG, "\ud800"], ids=["index key too large", "not Unicode"])
async def test_one_bad_package_is_refused_alone(
    writer: GraphWriter, cypher: Cypher, bad: str
) -> None:
    """The batch is halved until the rejected package is alone."""
    packages = [package(f"p{n:02d}", {"1.0": {"core": "any"}}) for n in range(20)]
    packages[13] = replace(packages[13], ref=replace(packages[13].ref, name=bad))

    outcomes = await asyncio.gather(
        *(writer.write(p, order=order) for p in packages), return_exceptions=True
    )

    refused = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, BaseException)]
    assert refused == [13]
    assert isinstance(outcomes[13], GraphRefused)
    assert writer.statistics.splits > 0
    written = [row["name"] for row in cypher(NAMES)]
    assert written == [f"p{n:02d}" for n in range(20) if n != 13]


async def test_a_bug_of_an_ecosystem_reaches_its_own_caller(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """An error of the ordering reaches only its caller; the others are written."""
    await writer.write(package("broken", ["1.0", "2.0"]), order=order)

    def broken(versions: Iterable[tuple[VersionName, str | None]]) -> list[VersionName]:
        found = list(versions)
        if len(found) > 1:
            raise ZeroDivisionError
        return [name for name, _ in found]

    newer = package("broken", ["3.0"], fetched_at=FETCHED + timedelta(days=1))
    failed, written = await asyncio.gather(
        writer.write(newer, order=broken),
        writer.write(package("web", ["1.0"]), order=order),
        return_exceptions=True,
    )

    assert isinstance(failed, ZeroDivisionError)
    assert not isinstance(written, BaseException)
    assert cypher("MATCH (:PyPIPackage {name: 'broken'})-[:HAVE]->(v) RETURN count(v) AS n") == [
        {"n": 2}
    ]


async def test_a_version_of_somebody_else_is_refused(writer: GraphWriter, cypher: Cypher) -> None:
    """A version node without package (broken data) is not overwritten silently."""
    cypher("CREATE (:Version {purl: 'pkg:pypi/web@1.0', name: '1.0'})")

    with pytest.raises(GraphRefused, match=r"pkg:pypi/web.*already exists"):
        await writer.write(package("web", ["1.0"]), order=order)

    assert cypher("MATCH (p:PyPIPackage) RETURN p") == []


async def test_a_commit_whose_answer_is_lost_counts_once(
    clean_graph: None, proxy: Proxy, servers: Servers, settings: Settings, cypher: Cypher
) -> None:
    """The batch is repeated, finds itself written, and returns the first attempt's outcomes."""
    async with (
        open_driver(replace(servers, graph_uri=proxy.uri), settings) as driver,
        GraphWriter(driver) as writer,
    ):
        await writer.write(package("first", ["1.0"]), order=order)
        proxy.cut_after(COMMIT)
        outcome = await writer.write(package("web", {"1.0": {"core": "any"}}), order=order)

    assert proxy.cuts == 1
    assert writer.statistics.retries >= 1
    assert (outcome.stale, outcome.new_versions, outcome.requirements_written) == (False, 1, 1)
    assert cypher("MATCH (v:Version) RETURN v.purl AS purl ORDER BY purl") == [
        {"purl": "pkg:pypi/first@1.0"},
        {"purl": "pkg:pypi/web@1.0"},
    ]


async def test_a_broken_connection_is_a_new_attempt(
    clean_graph: None, proxy: Proxy, servers: Servers, settings: Settings, cypher: Cypher
) -> None:
    """A connection that is lost in the middle of the rows only costs time."""
    async with (
        open_driver(replace(servers, graph_uri=proxy.uri), settings) as driver,
        GraphWriter(driver) as writer,
    ):
        proxy.cut_after(b"requirements_digest")
        outcome = await writer.write(package("web", ["1.0"]), order=order)

    assert proxy.cuts == 1
    assert outcome.new_versions == 1
    assert cypher("MATCH (v:Version) RETURN count(v) AS n") == [{"n": 1}]


async def test_a_graph_that_is_away_is_told_to_every_waiter(
    servers: Servers, settings: Settings
) -> None:
    """After the time for retries all waiting tasks get the typed error; the writer continues."""
    nowhere = replace(servers, graph_uri="bolt://127.0.0.1:1")
    async with (
        open_driver(nowhere, settings) as driver,
        GraphWriter(driver, retry_for=0.2) as writer,
    ):
        outcomes = await asyncio.gather(
            *(writer.write(package(f"p{n}", ["1.0"]), order=order) for n in range(5)),
            return_exceptions=True,
        )
        with pytest.raises(StoreUnavailable):
            await ping(driver)

    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    assert "graph" in str(outcomes[0])


async def test_a_time_limit_of_the_server_is_not_the_packages_fault(
    writer: GraphWriter, driver: AsyncDriver, cypher: Cypher
) -> None:
    """A transaction that the server ended, here because of a lock, may be retried."""
    await writer.write(package("core", ["1.0"]), order=order)
    async with (
        driver.session() as session,
        await session.begin_transaction() as blocker,
        GraphWriter(driver, timeout=0.1, retry_for=0.1) as impatient,
    ):
        await blocker.run("MATCH (p {name: 'core'}) SET p.blocked = true")
        with pytest.raises(StoreUnavailable):
            await impatient.write(package("web", {"1.0": {"core": "any"}}), order=order)
        await blocker.rollback()

    assert [row["name"] for row in cypher(NAMES)] == ["core"]


async def test_an_address_that_makes_no_sense_is_a_setting(
    servers: Servers, settings: Settings
) -> None:
    """The process refuses to start, and names the setting."""
    with pytest.raises(ConfigurationError, match="GRAPH_DB_URI"):
        async with open_driver(replace(servers, graph_uri="mysql://localhost"), settings):
            pass


async def test_a_waiter_that_gives_up_does_not_disturb_the_batch(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """Cancelling one submitter does not affect the others' packages."""
    waiters = [
        asyncio.create_task(writer.write(package(f"p{n}", ["1.0"]), order=order)) for n in range(9)
    ]
    await asyncio.sleep(0.005)
    waiters[4].cancel()
    outcomes = await asyncio.gather(*waiters, return_exceptions=True)

    cancelled = [n for n, o in enumerate(outcomes) if isinstance(o, asyncio.CancelledError)]
    assert cancelled == [4]
    names = {row["name"] for row in cypher(NAMES)}
    assert names >= {f"p{n}" for n in range(9) if n != 4}


async def test_closing_writes_what_was_submitted(driver: AsyncDriver, cypher: Cypher) -> None:
    """All accepted submissions are written; later ones are rejected."""
    cypher("MATCH (n) DETACH DELETE n")
    writer = GraphWriter(driver)
    waiters = [
        asyncio.create_task(writer.write(package(f"p{n}", ["1.0"]), order=order)) for n in range(5)
    ]
    await asyncio.sleep(0)
    await writer.close()

    assert all(waiter.done() and not waiter.cancelled() for waiter in waiters)
    await asyncio.gather(*waiters)
    assert len(cypher(NAMES)) == 5
    with pytest.raises(StoreUnavailable, match="closed"):
        await writer.write(package("late", ["1.0"]), order=order)


async def test_a_refused_transaction_leaves_no_trace(writer: GraphWriter, cypher: Cypher) -> None:
    """Even the stubs of a rejected package are rolled back."""
    bad = package("bad", {"1.0": {"core": "any"}}, vendor=NOT_AVAILABLE)
    bad = replace(bad, ref=replace(bad.ref, name=TOO_LONG))

    with pytest.raises(GraphRefused):
        await writer.write(bad, order=order)

    assert snapshot(cypher) == ([], [])
