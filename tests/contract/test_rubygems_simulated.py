"""Reads gems from the simulated registry and compares them with its data."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.rubygems import RubyGems
from ssc_ingest.errors import (
    PackageNotFound,
)
from ssc_ingest.models import VersionName
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read
from tests.simulator.client import Simulator


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """A registry of 400 packages, some without versions, some with unknown requirements."""
    with Simulator.start(packages=400, missing=0.02, empty=0.02, versions="1-40") as simulator:
        yield simulator


@pytest.fixture
async def simulated(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[RubyGems]:
    """The ecosystem, reading the simulated registry."""
    async with opened(RubyGems, simulator, settings, redis_url) as ecosystem:
        yield ecosystem


async def test_every_gem_is_read_as_it_is(simulated: RubyGems, simulator: Simulator) -> None:
    """Spellings, links, order, dates, platforms and requirements of 60 gems are correct.

    Each costs two or three requests; a gem with capitals costs one more.
    """
    for found in simulator.packages("rubygems", 60):
        truth = simulator.truth("rubygems", found.name)
        if truth.versions:
            reading = await read(simulated, found.name)
            assert as_truth(reading.package) == truth
            assert reading.requests - (not found.name.islower()) in {2, 3}


async def test_what_was_published_is_read(simulated: RubyGems, simulator: Simulator) -> None:
    """A new version costs two requests, an unchanged gem one with an empty response."""
    (found,) = simulator.packages("rubygems", 1, traits=("requirements",))
    first = (await read(simulated, found.name)).package
    published = simulator.publish("rubygems", found.name)
    known = [version.name for version in first.versions]
    reading = await read(simulated, found.name, etag=first.etag, known=known)
    assert reading.requests <= 2
    versions = [version.name for version in reading.package.versions]
    assert versions == [version.name for version in published.versions]
    dated = {v.name: v.release_date for v in reading.package.versions}
    new = published.versions[-1]
    assert dated[VersionName(new.name)] == new.release_date
    etag = reading.package.etag
    assert isinstance(
        await simulated.fetch(FetchRequest(simulated.ref(found.name), etag=etag)), NotModified
    )


async def test_empty_gem_is_not_found(simulated: RubyGems, simulator: Simulator) -> None:
    """A gem whose versions were all yanked is not found."""
    (found,) = simulator.packages("rubygems", 1, traits=("empty",))
    with pytest.raises(PackageNotFound):
        await simulated.fetch(FetchRequest(simulated.ref(found.name)))
