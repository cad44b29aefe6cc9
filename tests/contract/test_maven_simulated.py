"""Reads packages of the simulated Maven Central and compares them with its data."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """A registry of 200 packages, some with unknown requirements."""
    with Simulator.start(packages=200, missing=0.02, versions="1-20") as simulator:
        yield simulator


@pytest.fixture
async def maven(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Maven]:
    """The ecosystem, reading the simulated registry."""
    async with opened(Maven, simulator, settings, redis_url) as maven:
        yield maven


def asked(simulator: Simulator, name: str) -> tuple[int, int, int]:
    """Distinct requests since the last reset: lists, the package's POMs, other POMs."""
    requests = simulator.requests()
    paths = [request["path"] for request in requests if request["status"] == 200]
    assert len(paths) == len(set(paths))
    group, _, artifact = name.partition(":")
    own = f"/{group.replace('.', '/')}/{artifact}/"
    lists = sum(path.endswith("/maven-metadata.xml") for path in paths)
    poms = [path for path in paths if path.endswith(".pom")]
    mine = sum(own in path for path in poms)
    return lists, mine, len(poms) - mine


async def test_every_package_is_read_as_it_is(maven: Maven, simulator: Simulator) -> None:
    """Spellings, links, order, dates and requirements of many packages are correct.

    They cost one request for the list, one per version, and one per new parent or bill of
    materials.
    """
    read_before = 0
    for found in simulator.packages("maven", 60):
        truth = simulator.truth("maven", found.name)
        if not truth.versions:
            continue
        simulator.reset_counts()
        assert as_truth((await read(maven, found.name)).package) == truth
        lists, own, others = asked(simulator, truth.registry_name)
        assert lists in {1, 2}
        assert lists == 1 or truth.registry_name.lower() != truth.registry_name
        assert own == len(truth.versions)
        read_before += others
    assert read_before


async def test_what_was_published_is_read(maven: Maven, simulator: Simulator) -> None:
    """An update costs the list and the new POM; no change costs an empty response."""
    (found,) = simulator.packages("maven", 1, traits=("requirements",))
    first = (await read(maven, found.name)).package
    simulator.publish("maven", found.name)
    known = [version.name for version in first.versions]
    simulator.reset_counts()
    second = (await read(maven, found.name, known=known, etag=first.etag)).package
    new = [version for version in second.versions if version.requirements is not None]
    assert len(new) == 1
    lists, own, parents = asked(simulator, found.name)
    assert (lists, own) == (1, 1)
    assert parents <= 1  # the parent that was released with it
    known = [version.name for version in second.versions]
    simulator.reset_counts()
    answer = await maven.fetch(FetchRequest(maven.ref(found.name), known=known, etag=second.etag))
    assert isinstance(answer, NotModified)
    assert simulator.counts().total == 1
