"""A connection to the test graph, with its schema, and a writer on it."""

from collections.abc import AsyncIterator

import pytest
from neo4j import AsyncDriver

from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.reader import GraphReader
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.integration.test_graph.packages import LABELS


@pytest.fixture(scope="session")
async def driver(servers: Servers, settings: Settings) -> AsyncIterator[AsyncDriver]:
    """The program's driver, on a graph with the program's schema."""
    async with open_driver(servers, settings) as driver:
        await ensure_schema(driver, LABELS.values())
        yield driver


@pytest.fixture
async def writer(clean_graph: None, driver: AsyncDriver) -> AsyncIterator[GraphWriter]:
    """A writer on an empty graph."""
    async with GraphWriter(driver) as writer:
        yield writer


@pytest.fixture
def reader(driver: AsyncDriver) -> GraphReader:
    """A reader."""
    return GraphReader(driver)
