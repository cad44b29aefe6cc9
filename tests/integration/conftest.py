"""The state in Redis, on the test server."""

from collections.abc import AsyncIterator

import pytest

from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings


@pytest.fixture
async def state(
    clean_redis: None, settings: Settings, redis_servers: Servers
) -> AsyncIterator[State]:
    """Empty state."""
    async with open_state(settings, redis_servers) as state:
        yield state
