"""The documents of vanished records are removed last, when no version refers to them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.removal import remove_vanished
from tests.conftest import Cypher
from tests.integration.test_vulnerabilities.conftest import LocalRecords, Syncing, advisory

NOW = timedelta(0)


@pytest.fixture
async def reader(
    clean_graph: None, servers: Servers, settings: Settings
) -> AsyncIterator[GraphReader]:
    """The reader of an empty graph."""
    async with open_driver(servers, settings) as driver:
        await ensure_schema(driver, [cls.identity.label for cls in ecosystems().values()])
        yield GraphReader(driver)


async def test_documents_leave_after_their_ids(
    syncing: Syncing, local: LocalRecords, reader: GraphReader, cypher: Cypher
) -> None:
    """A version with the id, as a vulnerability or a notice, keeps the document."""
    local.write([advisory(f"PYSEC-{n}", f"Package_{n}") for n in range(5)])
    await syncing.sync()
    cypher(
        "CREATE (:PyPIPackage {purl: 'pkg:pypi/package-1'})-[:HAVE]->"
        "(:Version {purl: 'pkg:pypi/package-1@1', vulnerabilities: ['X', 'PYSEC-1']}) "
        "CREATE (:PyPIPackage {purl: 'pkg:pypi/package-2'})-[:HAVE]->"
        "(:Version {purl: 'pkg:pypi/package-2@1', vulnerabilities: [], notices: ['PYSEC-2']}) "
        "CREATE (:PyPIPackage {purl: 'pkg:pypi/package-3'})-[:HAVE]->"
        "(:Version {purl: 'pkg:pypi/package-3@1', vulnerabilities: []})"
    )
    local.write([advisory("PYSEC-0", "Package_0")])
    assert (await syncing.sync()).vanished == 4
    documents = syncing.store._advisories

    async def ids() -> set[str]:
        return {row["id"] async for row in documents.find({}, {"id": 1})}

    assert await remove_vanished(syncing.store, reader) == 0  # not yet: the grace period
    assert await remove_vanished(syncing.store, reader, grace=NOW) == 2
    assert await ids() == {"PYSEC-0", "PYSEC-1", "PYSEC-2"}
    cypher("MATCH (v:Version) SET v.vulnerabilities = [], v.notices = null")
    assert await remove_vanished(syncing.store, reader, grace=NOW) == 2
    assert await ids() == {"PYSEC-0"}
    assert (await syncing.store.bookkeeping.rows(["PYSEC-1", "PYSEC-0"])).keys() == {"PYSEC-0"}


async def test_a_record_that_comes_back_is_new(
    syncing: Syncing, local: LocalRecords, reader: GraphReader
) -> None:
    """A record comes back before and after the removal of its document."""
    both = [advisory("PYSEC-0", "a"), advisory("PYSEC-1", "b")]
    for removed in (False, True):
        local.write(both)
        await syncing.sync()
        local.write(both[:1])
        assert (await syncing.sync()).vanished == 1
        if removed:
            assert await remove_vanished(syncing.store, reader, grace=NOW) == 1
        local.write(both)
        await syncing.queued()
        await syncing.sync(full=True)
        assert await syncing.queued() == ["b"]
        assert await syncing.store.documents.get("PYSEC-1")
        assert await syncing.store.bookkeeping.naming(["PyPI:b"])
