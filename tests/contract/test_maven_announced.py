"""Versions that Maven Central's index announces before the package's own list has them."""

from collections.abc import AsyncIterator

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.maven import Maven
from ssc_ingest.errors import PackageNotFound
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read
from tests.contract.listing import followed
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)


@pytest.fixture
async def maven(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Maven]:
    """The ecosystem, reading the simulated registry."""
    async with opened(Maven, simulator, settings, redis_url) as maven:
        yield maven


def without(simulator: Simulator, name: str, version: str) -> None:
    """Remove a version from the package's own list."""
    group, _, artifact = name.partition(":")
    versions = [v.name for v in simulator.truth("maven", name).versions if v.name != version]
    listed = "".join(f"<version>{v}</version>" for v in versions)
    body = (
        f"<metadata><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<versioning><versions>{listed}</versions></versioning></metadata>"
    )
    purl = f"pkg:maven/{group}/{artifact}"
    simulator.fault("body", endpoint="maven.metadata", package=purl, body=body)


async def test_a_version_that_only_the_index_has(maven: Maven, simulator: Simulator) -> None:
    """A version that only the index has counts, although the package's list lags."""
    end = await maven.feed_end()
    (package,) = simulator.packages("maven", 1, start=60)
    truth = simulator.publish("maven", package.name)
    assert truth.latest
    without(simulator, package.name, truth.latest)
    lagging = (await read(maven, package.name)).package
    assert truth.latest not in {version.name for version in lagging.versions}
    (change,) = (await followed(maven, end)).changes
    assert change.name == package.name
    assert as_truth((await read(maven, package.name, expected=change.expected)).package) == truth


async def test_an_unchanged_list_hides_no_version(maven: Maven, simulator: Simulator) -> None:
    """304 means an old list, not that there are no new versions."""
    (package,) = simulator.packages("maven", 1, start=60)
    first = (await read(maven, package.name)).package
    truth = simulator.publish("maven", package.name)
    simulator.fault("status", endpoint="maven.metadata", status=304)
    known = [version.name for version in first.versions]
    second = (
        await read(maven, package.name, known=known, etag=first.etag, expected=truth.latest)
    ).package
    assert [v.name for v in second.versions] == [v.name for v in truth.versions]
    assert [v.name for v in second.versions if v.requirements is not None] == [truth.latest]
    known.append(second.versions[-1].name)
    ref = maven.ref(package.name)
    for expected in (None, truth.latest, "9999.7", "not a version"):
        answer = await maven.fetch(
            FetchRequest(ref, known=known, etag=first.etag, expected=expected)
        )
        assert isinstance(answer, NotModified)


async def test_a_package_that_only_the_index_has(maven: Maven, simulator: Simulator) -> None:
    """If a package has no list, the index's versions count if their POMs exist."""
    (package,) = simulator.packages("maven", 1, start=60)
    truth = simulator.truth("maven", package.name)
    simulator.fault("status", endpoint="maven.metadata", status=404)
    with pytest.raises(PackageNotFound):
        await read(maven, package.name)
    with pytest.raises(PackageNotFound):
        await read(maven, package.name, expected="9999.7")
    expected = "|".join(version.name for version in truth.versions)
    assert as_truth((await read(maven, package.name, expected=expected)).package) == truth
