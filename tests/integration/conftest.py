"""Fixtures with the state in Redis, on the test server."""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio as redis

from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings


@pytest.fixture
async def state(
    clean_redis: None, settings: Settings, redis_servers: Servers
) -> AsyncIterator[State]:
    """The state database, empty."""
    async with open_state(settings, redis_servers) as state:
        yield state


@pytest.fixture
async def broker(clean_redis: None, redis_servers: Servers) -> AsyncIterator[redis.Redis]:
    """The database of the queues, empty."""
    async with redis.Redis.from_url(redis_servers.redis(1), decode_responses=True) as broker:
        yield broker
