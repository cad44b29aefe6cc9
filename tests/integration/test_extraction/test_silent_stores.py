"""A store is silent until the time limit of an extraction has passed: the error names it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.errors import StoreUnavailable
from ssc_ingest.extraction.extract import Attempt
from ssc_ingest.models import Package
from ssc_ingest.resources import Resources
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage
from tests.acceptance.proxy import Proxy, proxy_to
from tests.integration.scripted import package_of, resources_with

REQUEST = ExtractPackage(ecosystem="pypi", name="single", dependencies="none")


@pytest.fixture
def proxies(servers: Servers) -> Iterator[dict[str, Proxy]]:
    """A proxy before each store."""
    with (
        proxy_to(servers.graph_uri) as graph,
        proxy_to(servers.redis_url) as redis,
        proxy_to(servers.vulnerabilities_uri) as vulnerabilities,
    ):
        yield {"graph": graph, "redis": redis, "vulnerabilities": vulnerabilities}


class Single(PyPI):
    """A registry with one package; a store falls silent while it is read."""

    reads_import_names = False
    silenced: Proxy
    asks: Any = None
    """Is awaited after that, as a part of the reading."""

    async def fetch(self, *_: Any, **__: Any) -> Package:
        """Read the package ``single``."""
        self.silenced.silence()
        if self.asks:
            await self.asks()
        return package_of(self.ref("single"), ["1"])


@pytest.fixture
async def resources(
    clean_redis: None,
    clean_graph: None,
    settings: Settings,
    servers: Servers,
    proxies: dict[str, Proxy],
) -> AsyncIterator[Resources]:
    """Clients of the stores behind their proxies, with a short time limit."""
    servers = replace(
        servers,
        graph_uri=proxies["graph"].uri,
        redis_url=proxies["redis"].uri,
        vulnerabilities_uri=proxies["vulnerabilities"].uri,
    )
    hasty = settings.model_copy(update={"task_timeout": 1.0})
    async with resources_with(Single, hasty, servers) as resources:
        yield resources
        for proxy in proxies.values():
            proxy.restore()
            proxy.cut()


@pytest.mark.parametrize("store", ["graph", "redis", "vulnerabilities"])
async def test_the_silent_store_is_named(
    resources: Resources, proxies: dict[str, Proxy], store: str
) -> None:
    """It falls silent between the reading and the writing."""
    single = resources.ecosystems["pypi"]
    assert isinstance(single, Single)
    single.silenced = proxies[store]
    with pytest.raises(StoreUnavailable, match=f"the {store} store does not respond") as caught:
        await resources.extractor().extract(REQUEST, Attempt(urgent=True, requested=True))
    assert caught.value.store == store


async def test_redis_is_silent_while_the_registry_is_read(
    resources: Resources, proxies: dict[str, Proxy]
) -> None:
    """The limits of requests are in Redis; the attempt does not count against the package."""
    single = resources.ecosystems["pypi"]
    assert isinstance(single, Single)
    single.silenced = proxies["redis"]
    single.asks = partial(resources.state.limiter.held, "pypi")
    with pytest.raises(StoreUnavailable) as caught:
        await resources.extractor().extract(REQUEST, Attempt(urgent=True, requested=True))
    assert caught.value.store == "redis"
