"""Reads npm packages over HTTP from the simulated registry and compares them with its data."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.npm import Npm
from ssc_ingest.errors import (
    MalformedMetadata,
    PackageNotFound,
)
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """A registry of 400 packages, some without versions, some with unknown requirements."""
    with Simulator.start(packages=400, missing=0.02, empty=0.02, versions="1-40") as simulator:
        yield simulator


@pytest.fixture
async def npm(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Npm]:
    """The ecosystem, reading the simulated registry."""
    async with opened(Npm, simulator, settings, redis_url) as npm:
        yield npm


def any_name(simulator: Simulator, *traits: str) -> str:
    """The name of a package with these traits."""
    (found,) = simulator.packages("npm", 1, traits=traits)
    return found.name


def serve(simulator: Simulator, name: str, **document: Any) -> None:
    """Let the registry respond with this document for a package."""
    body = json.dumps({"name": name, **document})
    simulator.fault("body", package=Npm.ref(name).purl, body=body, media_type="application/json")


# What is read -------------------------------------------------------------------------------


async def test_every_package_is_read_as_it_is(npm: Npm, simulator: Simulator) -> None:
    """Spellings, links, order, dates and requirements of 200 packages.

    Each takes one request; those with capitals one more, for a twin in lower case.
    """
    for found in simulator.packages("npm", 200):
        truth = simulator.truth("npm", found.name)
        if truth.versions:
            reading = await read(npm, found.name)
            assert as_truth(reading.package) == truth
            assert reading.requests == (1 if found.name.islower() else 2)


@pytest.mark.parametrize(
    "trait",
    [
        "scoped", "capitals", "prerelease", "unparsable", "decoy", "backport", "form:deprecated",
        "requires-itself", "requires-missing", "requires-upward",
    ],
)  # fmt: skip
async def test_special_packages_are_read_as_they_are(
    npm: Npm, simulator: Simulator, trait: str
) -> None:
    """Each special case occurs in the registry, and is read correctly."""
    name = any_name(simulator, trait)
    assert as_truth((await read(npm, name)).package) == simulator.truth("npm", name)


async def test_what_was_published_is_read(npm: Npm, simulator: Simulator) -> None:
    """The next fetch has the new version and lacks the unpublished one."""
    name = any_name(simulator, "requirements")
    first = (await read(npm, name)).package
    published = simulator.publish("npm", name)
    assert as_truth((await read(npm, name, etag=first.etag)).package) == published
    deleted = simulator.delete_version("npm", name, published.versions[-1].name)
    assert as_truth((await read(npm, name)).package) == deleted


# Names with capitals --------------------------------------------------------------------------


async def test_capitals_without_a_twin_are_found_in_lower_case(
    npm: Npm, simulator: Simulator
) -> None:
    """The graph's readers find it by its lower-case name."""
    serve(simulator, "BigName", versions={"1.0.0": {}})
    reading = await read(npm, "BigName")
    assert (reading.package.ref.name, reading.package.ref.registry_name) == ("bigname", "BigName")
    assert reading.package.ref.purl == "pkg:npm/BigName"
    assert reading.requests == 2


async def test_capitals_with_a_twin_keep_their_spelling(npm: Npm, simulator: Simulator) -> None:
    """The lower-case name belongs to the package with that spelling."""
    serve(simulator, "BigName", versions={"1.0.0": {}})
    serve(simulator, "bigname", versions={"2.0.0": {}})
    twins = [(await read(npm, name)).package for name in ("BigName", "bigname")]
    assert [twin.ref.name for twin in twins] == ["BigName", "bigname"]
    assert [twin.latest for twin in twins] == ["1.0.0", "2.0.0"]
    assert twins[0].ref.purl != twins[1].ref.purl


# What mirrors leave out -------------------------------------------------------------------------


async def test_links_stand_in_the_latest_version_too(npm: Npm, simulator: Simulator) -> None:
    """If the document has no links, those of the latest version count."""
    old, new = {"repository": "a/old"}, {"repository": {"url": "git+https://github.com/a/new.git"}}
    serve(simulator, "@a/mirrored", versions={"2.0.0": new, "10.0.0-rc.1": old, "1.0.0": old})
    package = (await read(npm, "@a/mirrored")).package
    assert (package.vendor, package.repository_url) == ("a", "https://github.com/a/new")
    assert package.latest == "2.0.0"
    assert [version.name for version in package.versions] == ["1.0.0", "2.0.0", "10.0.0-rc.1"]


async def test_scope_is_the_vendor_of_last_resort(npm: Npm, simulator: Simulator) -> None:
    """Without a repository the scope is the vendor; without a scope it is unknown."""
    for name, vendor in (("@acme/thing", "@acme"), ("thing", "n/a")):
        serve(simulator, name, versions={"1.0.0": {}}, homepage="https://example.org")
        package = (await read(npm, name)).package
        assert (package.vendor, package.repository_url) == (vendor, "n/a")


# What is not there ------------------------------------------------------------------------------


async def test_unpublished_package_is_not_found(npm: Npm, simulator: Simulator) -> None:
    """A package without versions cannot be installed."""
    name = any_name(simulator, "empty")
    with pytest.raises(PackageNotFound):
        await npm.fetch(FetchRequest(npm.ref(name)))


# What goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [{"kind": "wrong-types", "keys": ["versions"]}, {"kind": "missing-keys", "keys": ["name"]}],
    ids=lambda fault: fault["kind"],
)
async def test_what_must_be_there_is_asked_for(
    npm: Npm, simulator: Simulator, fault: dict[str, Any]
) -> None:
    """A document without a name or without versions is no package."""
    name = any_name(simulator, "requirements")
    simulator.fault(**fault)
    with pytest.raises(MalformedMetadata):
        await npm.fetch(FetchRequest(npm.ref(name)))


async def test_wrong_types_inside_are_tolerated(npm: Npm, simulator: Simulator) -> None:
    """Fields with a wrong type in old documents count as absent."""
    name = any_name(simulator, "repository", "requirements")
    truth = simulator.truth("npm", name)
    simulator.fault("wrong-types", keys=["time", "repository", "homepage", "bugs"])
    package = (await read(npm, name)).package
    assert {version.name for version in package.versions} == {v.name for v in truth.versions}
    assert {version.release_date for version in package.versions} == {None}
