"""The stores that the commands about attribution need: graph, state and advisories."""

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from neo4j import AsyncDriver

    from ssc_ingest.graph.attributions import AttributionReader
    from ssc_ingest.resources import State
    from ssc_ingest.settings import Settings
    from ssc_ingest.vulnerabilities.attributor import Attributor
    from ssc_ingest.vulnerabilities.store import VulnerabilityStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Clients of the graph, the state and the advisories, with their services."""

    settings: "Settings"
    state: "State"
    driver: "AsyncDriver"
    reader: "AttributionReader"
    store: "VulnerabilityStore"
    attributor: "Attributor"


@asynccontextmanager
async def open_stores() -> "AsyncIterator[Stores]":
    """Open all stores for the block.

    Raises:
        StoreUnavailable: one of the stores does not respond.
    """
    from ssc_ingest.cli.connections import (
        advisory_store,
        configured,
        graph_store,
        state_store,
    )
    from ssc_ingest.graph.attributions import AttributionReader
    from ssc_ingest.graph.writer import GraphWriter
    from ssc_ingest.resources import open_attributor

    settings, servers = configured()
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(state_store(settings, servers))
        driver = await stack.enter_async_context(graph_store(settings, servers))
        writer = await stack.enter_async_context(GraphWriter(driver))
        store = await stack.enter_async_context(advisory_store(settings, servers))
        yield Stores(
            settings=settings,
            state=state,
            driver=driver,
            reader=AttributionReader(driver),
            store=store,
            attributor=open_attributor(settings, state, driver, writer, store),
        )
