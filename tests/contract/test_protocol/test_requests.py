"""The number of requests of a package: new, with a new version, and unchanged."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest, NotModified
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened, read
from tests.contract.test_protocol.registries import REGISTRIES, VERSIONS
from tests.simulator.client import Simulator
from tests.simulator.registries import open_registry

PLAIN: dict[str, Any] = {
    "packages": 60, "plain": True, "versions": str(VERSIONS), "requirements": "3",
}  # fmt: skip


@pytest.fixture(scope="module")
def plain_universe() -> Iterator[Simulator]:
    """Registries whose number of requests is easy to compute."""
    with Simulator.start(**PLAIN) as simulator:
        yield simulator


@pytest.fixture
async def counted(
    name: str,
    plain_universe: Simulator,
    settings: Settings,
    redis_url: str,
    clean_redis: None,
) -> AsyncIterator[Ecosystem]:
    """The ecosystem, reading such a registry."""
    plain_universe.reset()
    async with opened(ecosystem(name), plain_universe, settings, redis_url) as reader:
        yield reader


def typical(name: str) -> str:
    """The name of a package with the expected number of requests."""
    plain = open_registry(name, **PLAIN)
    packages = map(plain.universe.package, range(PLAIN["packages"]))
    is_typical = REGISTRIES[name].typical
    return next(p.name for p in packages if is_typical(p, plain.page(p)))


async def test_requests_of_a_package(
    counted: Ecosystem, name: str, plain_universe: Simulator
) -> None:
    """A new package, one with a new version, and an unchanged one cost the expected requests."""
    package_name, expected = typical(name), REGISTRIES[name]
    reading = await read(counted, package_name)
    assert plain_universe.counts().endpoints == expected.new
    assert reading.requests == sum(expected.new.values())

    known = [version.name for version in reading.package.versions]
    plain_universe.publish(name, package_name)
    plain_universe.reset_counts()
    updated = await read(counted, package_name, known=known, etag=reading.package.etag)
    assert plain_universe.counts().endpoints == expected.update
    assert updated.requests == sum(expected.update.values())

    known = [version.name for version in updated.package.versions]
    plain_universe.reset_counts()
    again = await read(counted, package_name, known=known)
    assert plain_universe.counts().endpoints == {expected.main: 1}
    assert [version.name for version in again.package.versions] == known

    plain_universe.reset_counts()
    answer = await counted.fetch(FetchRequest(counted.ref(package_name), etag=again.package.etag))
    assert isinstance(answer, NotModified)
    assert answer.fetched_at >= again.package.fetched_at
    counts = plain_universe.counts()
    assert (counts.endpoints, counts.statuses) == ({expected.main: 1}, {"304": 1})
