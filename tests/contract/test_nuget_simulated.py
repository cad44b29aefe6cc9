"""Reads packages of a simulated NuGet source and compares them with its data."""

import math
from collections.abc import AsyncIterator, Iterator

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """A registry of 400 packages, some without versions, some with unknown requirements."""
    with Simulator.start(packages=400, missing=0.02, empty=0.02, versions="1-300") as simulator:
        yield simulator


@pytest.fixture
async def simulated(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[NuGet]:
    """The ecosystem, reading the simulated registry."""
    async with opened(NuGet, simulator, settings, redis_url) as ecosystem:
        yield ecosystem


async def test_every_package_is_read_as_it_is(simulated: NuGet, simulator: Simulator) -> None:
    """Spellings, links, order, dates, pages and requirements of 60 packages are correct.

    Each costs two requests; those with 128 versions and more, one more per 64 versions.
    """
    pages = 0
    for found in simulator.packages("nuget", 60):
        truth = simulator.truth("nuget", found.name)
        if truth.versions:
            reading = await read(simulated, found.name)
            assert as_truth(reading.package) == truth
            own = math.ceil(len(truth.versions) / 64) if len(truth.versions) >= 128 else 0
            assert reading.requests == 1 + own + 1
            pages += own
    assert pages > 4


async def test_what_was_published_is_read(simulated: NuGet, simulator: Simulator) -> None:
    """A new latest version costs two requests, and an unchanged package one."""
    (found,) = simulator.packages("nuget", 1, traits=("requirements",))
    first = (await read(simulated, found.name)).package
    published = simulator.publish("nuget", found.name)
    known = [version.name for version in first.versions]
    with request_scope(RequestScope()) as scope:
        package = await simulated.fetch(
            FetchRequest(simulated.ref(found.name), etag=first.etag, known=known)
        )
    assert not isinstance(package, NotModified)
    versions = [version.name for version in package.versions]
    assert versions == [version.name for version in published.versions]
    assert scope.requests <= 2 + len(versions) // 64 + 1
    etag = package.etag
    assert isinstance(
        await simulated.fetch(FetchRequest(simulated.ref(found.name), etag=etag)), NotModified
    )
