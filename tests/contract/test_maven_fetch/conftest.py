"""Fixtures for reading the test repository."""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio as redis
from aiohttp import web

from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.http.document_cache import DocumentCache
from ssc_ingest.settings import Settings
from tests.contract.test_maven_fetch.repository import Repository
from tests.limiters import open_limiter


@pytest.fixture
def repository() -> Repository:
    """An empty repository."""
    return Repository()


@pytest.fixture
async def cache(redis_url: str, clean_redis: None) -> AsyncIterator[redis.Redis]:
    """The cache that workers share."""
    async with redis.Redis.from_url(redis_url, db=3) as client:
        yield client


@pytest.fixture
async def base_url(repository: Repository) -> AsyncIterator[str]:
    """The repository's address."""
    application = web.Application()
    application.router.add_get("/maven2/{path:.*}", repository.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/maven2"
    await runner.cleanup()


@pytest.fixture
async def workers(
    base_url: str, redis_url: str, settings: Settings, cache: redis.Redis
) -> AsyncIterator[list[Maven]]:
    """The ecosystem in two processes."""
    endpoints = Endpoints({"repository": base_url}, {"repository": 5})
    async with open_limiter(redis_url) as limiter, open_transport(settings) as transport:
        yield [
            Maven(
                RegistryClient(transport, limiter, endpoints.hosts, DocumentCache(cache)), endpoints
            )
            for _ in range(2)
        ]


@pytest.fixture
def maven(workers: list[Maven]) -> Maven:
    """The ecosystem of one process."""
    return workers[0]
