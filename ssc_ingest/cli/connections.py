"""Connections of commands, each closed when the command no longer needs it.

If a server does not respond, the command fails at once with one sentence.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ssc_ingest.resources.state import State, open_state
from ssc_ingest.servers import Servers, locate
from ssc_ingest.settings import Settings, load_settings
from ssc_ingest.work.redis_errors import translated

if TYPE_CHECKING:
    from neo4j import AsyncDriver

    from ssc_ingest.vulnerabilities.store import VulnerabilityStore

CONNECT_TIMEOUT = 3.0


def configured() -> tuple[Settings, Servers]:
    """The settings and the addresses of the servers.

    Raises:
        ConfigurationError: a setting is wrong, or a server has no address.
    """
    settings = load_settings()
    return settings, locate(settings)


@asynccontextmanager
async def state_store(settings: Settings, servers: Servers) -> AsyncIterator[State]:
    """Queues, jobs and dead letters.

    Raises:
        StoreUnavailable: Redis does not respond, or its connection breaks during the block.
        ConfigurationError: Redis rejects our credentials.
    """
    with translated():
        async with probe(settings, servers) as redis:
            await redis.ping()
        async with open_state(settings, servers) as state:
            yield state


@asynccontextmanager
async def probe(settings: Settings, servers: Servers) -> AsyncIterator[Redis]:
    """A client of the state database that does not retry."""
    client = Redis.from_url(
        servers.redis(settings.redis_state_db),
        decode_responses=True,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=CONNECT_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def graph_store(settings: Settings, servers: Servers) -> "AsyncIterator[AsyncDriver]":
    """The graph.

    Raises:
        StoreUnavailable: the graph does not respond.
        ConfigurationError: the graph rejects our credentials.
    """
    from ssc_ingest.graph.driver import open_driver, ping

    async with open_driver(servers, settings) as driver:
        await ping(driver)
        yield driver


@asynccontextmanager
async def advisory_store(
    settings: Settings, servers: Servers
) -> "AsyncIterator[VulnerabilityStore]":
    """The advisories in MongoDB.

    Raises:
        StoreUnavailable: MongoDB does not respond.
        StoreRefusesAccess: MongoDB rejects our credentials.
        ConfigurationError: the driver does not accept the address.
    """
    from ssc_ingest.vulnerabilities.store import open_store

    async with open_store(servers.vulnerabilities_uri, settings) as store:
        await store.ping()
        yield store


async def configured_stores_answer(settings: Settings, servers: Servers) -> None:
    """Check that Redis and the graph respond, before processes start that depend on them.

    Raises:
        StoreUnavailable: a store does not respond.
        ConfigurationError: a store rejects our credentials.
    """
    with translated():
        async with probe(settings, servers) as redis:
            await redis.ping()
    async with graph_store(settings, servers):
        pass
