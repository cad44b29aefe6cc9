"""The connection to Neo4j: one driver per process and event loop, opened here and only here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from neo4j import READ_ACCESS, AsyncDriver, AsyncGraphDatabase, NotificationMinimumSeverity

from ssc_ingest.graph.errors import translated
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings

USER_AGENT = "ssc-ingest"

CONNECT_TIMEOUT = 5.0
"""Seconds for the TCP handshake; a server that is up answers in milliseconds."""

ACQUISITION_TIMEOUT = 15.0
"""Seconds to wait for a free connection of the pool, connecting included."""

RETRY_TIME = 5.0
"""Seconds that a read is repeated while the server is away; then its task waits elsewhere."""

SERVER_COMPONENT = """
CALL dbms.components() YIELD name, versions, edition
WHERE name = 'Neo4j Kernel'
RETURN versions[0] AS version, edition
"""
"""What we are connected to."""

APOC_VERSION = """
SHOW FUNCTIONS YIELD name WHERE name = 'apoc.version' RETURN count(*) AS installed
"""
"""Whether APOC is there (calling it where it is not would be an error)."""


@dataclass(frozen=True, slots=True)
class GraphServer:
    """What answered."""

    version: str
    edition: str
    has_apoc: bool
    """The readers of the graph call APOC procedures."""


@asynccontextmanager
async def open_driver(servers: Servers, settings: Settings) -> AsyncIterator[AsyncDriver]:
    """A driver for the running event loop; connects on first use, closes at the end.

    Raises:
        ConfigurationError: the address makes no sense.
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
    """Ask the server who it is, once.

    Raises:
        StoreUnavailable: it does not answer.
        ConfigurationError: it does not let us in.
    """
    with translated("a question for its version"):
        async with driver.session(default_access_mode=READ_ACCESS) as session:
            kernel = await (await session.run(SERVER_COMPONENT)).single(strict=True)
            apoc = await (await session.run(APOC_VERSION)).single(strict=True)
    return GraphServer(
        version=kernel["version"],
        edition=kernel["edition"],
        has_apoc=bool(apoc["installed"]),
    )
