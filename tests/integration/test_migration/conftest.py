"""A graph of the reference implementation, before and after its migration."""

from collections.abc import AsyncIterator, Iterator

import pytest
from neo4j import AsyncDriver

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.migration import migrate
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.conftest import Cypher
from tests.integration.test_migration.migrating import Migrated, Silent, empty
from tests.reference_graph import ReferenceGraph, build_reference_graph


@pytest.fixture(scope="module")
async def driver(servers: Servers, settings: Settings) -> AsyncIterator[AsyncDriver]:
    """The program's driver."""
    async with open_driver(servers, settings) as driver:
        yield driver


@pytest.fixture
def bare_graph(cypher: Cypher) -> Iterator[None]:
    """An empty graph without a schema."""
    empty(cypher)
    yield
    empty(cypher)


@pytest.fixture
def old(bare_graph: None, cypher: Cypher) -> ReferenceGraph:
    """A graph of the reference implementation."""
    return build_reference_graph(cypher)


@pytest.fixture(scope="module")
async def migrated(driver: AsyncDriver, cypher: Cypher) -> AsyncIterator[Migrated]:
    """A graph of the reference implementation after its migration, for tests that only read it."""
    empty(cypher)
    try:
        old, progress = build_reference_graph(cypher), Silent()
        await migrate(driver, ecosystems().values(), progress)
        yield Migrated(old.ids, progress.said)
    finally:
        empty(cypher)
