"""The state in Redis, on the test server."""

from collections.abc import AsyncIterator

import pytest

from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import EmbeddedAddresses, Servers
from ssc_ingest.settings import Settings


@pytest.fixture(scope="session")
def servers(stack: EmbeddedAddresses) -> Servers:
    """The test servers' addresses."""
    assert stack.graph_uri
    assert stack.redis_url
    assert stack.vulnerabilities_uri
    return Servers(stack.graph_uri, None, stack.redis_url, stack.vulnerabilities_uri)


@pytest.fixture
async def state(clean_redis: None, settings: Settings, servers: Servers) -> AsyncIterator[State]:
    """Empty state."""
    async with open_state(settings, servers) as state:
        yield state
