"""A graph of the reference implementation, without a schema."""

from collections.abc import AsyncIterator, Iterator

import pytest
from neo4j import AsyncDriver

from ssc_ingest.graph.driver import open_driver
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.conftest import Cypher
from tests.integration.test_migration.migrating import drop_schema
from tests.reference_graph import ReferenceGraph, build_reference_graph


@pytest.fixture(scope="module")
async def driver(servers: Servers, settings: Settings) -> AsyncIterator[AsyncDriver]:
    """The program's driver."""
    async with open_driver(servers, settings) as driver:
        yield driver


@pytest.fixture
def bare_graph(clean_graph: None, cypher: Cypher) -> Iterator[None]:
    """An empty graph without a schema."""
    drop_schema(cypher)
    yield
    cypher("MATCH (n) DETACH DELETE n")
    drop_schema(cypher)


@pytest.fixture
def old(bare_graph: None, cypher: Cypher) -> ReferenceGraph:
    """A graph of the reference implementation."""
    return build_reference_graph(cypher)
