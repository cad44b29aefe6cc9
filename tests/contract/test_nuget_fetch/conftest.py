"""A NuGet source with one package, and the ecosystem that reads it."""

from collections.abc import AsyncIterator

import pytest

from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.settings import Settings
from tests.contract.loopback import Loopback, loopback, reading
from tests.contract.test_nuget_fetch.documents import (
    INDEX,
    NUSPEC,
    XML,
    index,
    inlined,
    leaf,
    nuspec,
)


@pytest.fixture
async def registry() -> AsyncIterator[Loopback]:
    """A source with one package of three versions, all in its index."""
    async with loopback() as server:
        groups = [
            {"targetFramework": "net8.0", "dependencies": [{"id": "Other", "range": "[8.0, )"}]},
            {"dependencies": [{"id": "other", "range": "[6.0, )"}, {"id": "Third"}]},
        ]
        leaves = (
            leaf("1.0.0.0", dependencyGroups=groups),
            leaf("2.0.0-RC"),
            leaf("1.5", listed=False, published="1900-01-01T00:00:00+00:00"),
        )
        server.serve(INDEX, index(inlined(*leaves)))
        server.serve(NUSPEC.replace("2.0.0-rc", "1.0.0"), nuspec(), media_type=XML)
        yield server


@pytest.fixture
async def nuget(
    registry: Loopback, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[NuGet]:
    """The ecosystem, reading that source."""
    base = f"{registry.url}/v3"
    urls = {"registration": f"{base}/registration", "content": f"{base}/content"}
    async with reading(NuGet, settings, redis_url, **urls) as ecosystem:
        yield ecosystem
