"""The connection to Neo4j: one driver per process and event loop; only this module opens it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from neo4j import READ_ACCESS, AsyncDriver, AsyncGraphDatabase, NotificationMinimumSeverity

from ssc_ingest.graph.errors import translated
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings

USER_AGENT = "ssc-ingest"

CONNECT_TIMEOUT = 5.0
"""Maximum seconds for the TCP handshake; a running server responds within milliseconds."""

ACQUISITION_TIMEOUT = 15.0
"""Maximum seconds to wait for a connection of the pool, including the time to connect."""

RETRY_TIME = 5.0
"""Seconds for which a read is retried while the server is unavailable; then its task is delayed."""

SERVER_COMPONENT = """
CALL dbms.components() YIELD name, versions, edition
WHERE name = 'Neo4j Kernel'
RETURN versions[0] AS version, edition
"""
"""The connected server."""

APOC_VERSION = """
SHOW FUNCTIONS YIELD name WHERE name = 'apoc.version' RETURN count(*) AS installed
"""
"""Whether APOC is installed; checked without calling it, which could fail."""


@dataclass(frozen=True, slots=True)
class GraphServer:
    """The server's version and edition."""

    version: str
    edition: str
    has_apoc: bool
    """The readers of the graph call APOC procedures."""


@asynccontextmanager
async def open_driver(servers: Servers, settings: Settings) -> AsyncIterator[AsyncDriver]:
    """A driver for the running event loop; connects on first use, closes at the end.

    Raises:
        ConfigurationError: the address is invalid.
    """
    with translated("the address of GRAPH_DB_URI"):
        driver = AsyncGraphDatabase.driver(
            servers.graph_uri,
            auth=servers.graph_auth,
            user_agent=USER_AGENT,
            max_connection_pool_size=settings.db_max_pool_size,
            connection_timeout=CONNECT_TIMEOUT,
            connection_acquisition_timeout=ACQUISITION_TIMEOUT,
            liveness_check_timeout=settings.db_max_idle_time_ms / 1000,
            max_transaction_retry_time=RETRY_TIME,
            initial_retry_delay=0.1,
            keep_alive=True,
            telemetry_disabled=True,
            notifications_min_severity=NotificationMinimumSeverity.OFF,
        )
    try:
        yield driver
    finally:
        await driver.close()


async def ping(driver: AsyncDriver) -> GraphServer:
    """Request the server's version, without retries.

    Raises:
        StoreUnavailable: the server does not respond.
        ConfigurationError: the server refuses access.
    """
    with translated("a request for its version"):
        async with driver.session(default_access_mode=READ_ACCESS) as session:
            kernel = await (await session.run(SERVER_COMPONENT)).single(strict=True)
            apoc = await (await session.run(APOC_VERSION)).single(strict=True)
    return GraphServer(
        version=kernel["version"],
        edition=kernel["edition"],
        has_apoc=bool(apoc["installed"]),
    )
