"""Reads crates over HTTP from the simulated registry and compares them with its data."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from ssc_ingest.ecosystems.crates import Crates
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """A registry of 400 crates; some require crates that it does not have."""
    with Simulator.start(packages=400, missing=0.02, versions="1-40") as simulator:
        yield simulator


@pytest.fixture
async def crates(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Crates]:
    """The ecosystem, reading the simulated registry."""
    async with opened(Crates, simulator, settings, redis_url) as crates:
        yield crates


def any_name(simulator: Simulator, *traits: str) -> str:
    """The name of a crate with these traits."""
    (found,) = simulator.packages("cargo", 1, traits=traits)
    return found.name


# What is read -------------------------------------------------------------------------------


async def test_every_crate_is_read_as_it_is(crates: Crates, simulator: Simulator) -> None:
    """Spellings, links, order, dates, yanks and requirements of 60 crates.

    Each takes one request to the index, and one for the crate file that has the links.
    """
    for found in simulator.packages("cargo", 60):
        reading = await read(crates, found.name, full=True)
        assert as_truth(reading.package) == simulator.truth("cargo", found.name)
        assert reading.requests == 2


@pytest.mark.parametrize(
    "trait",
    [
        "capitals", "yanked", "prerelease", "decoy", "backport", "requires-missing",
        "requires-upward", "form:twice", "form:renamed", "form:build", "form:null-kind",
        "form:target", "form:optional",
    ],
)  # fmt: skip
async def test_special_crates_are_read_as_they_are(
    crates: Crates, simulator: Simulator, trait: str
) -> None:
    """Each special case occurs in the registry, and is read correctly."""
    name = any_name(simulator, trait)
    package = (await read(crates, name, full=True)).package
    assert as_truth(package) == simulator.truth("cargo", name)


async def test_short_names_have_folders_of_their_own(crates: Crates, simulator: Simulator) -> None:
    """Crates with names of one, two and three letters are found."""
    lengths = {len(found.name) for found in simulator.packages("cargo", 400)}
    assert {1, 2} <= lengths
    for found in simulator.packages("cargo", 400):
        if len(found.name) <= 3:
            assert (await read(crates, found.name)).package.ref.purl == found.purl


async def test_name_is_found_in_any_case(crates: Crates, simulator: Simulator) -> None:
    """Another spelling is the same package, with the registry's spelling."""
    name = any_name(simulator, "capitals")
    for spelling in (name.lower(), name.upper()):
        ref = (await read(crates, spelling)).package.ref
        assert (ref.registry_name, ref.name) == (name, name.lower())


async def test_index_alone_does_not_know_the_links(crates: Crates, simulator: Simulator) -> None:
    """Without the second request, vendor and repository keep the graph's values."""
    name = any_name(simulator, "repository")
    reading = await read(crates, name)
    assert (reading.package.vendor, reading.package.repository_url) == (None, None)
    assert reading.requests == 1
    truth = simulator.truth("cargo", name)
    package = replace(reading.package, vendor=truth.vendor, repository_url=truth.repository_url)
    assert as_truth(package) == truth


async def test_what_was_published_is_read(crates: Crates, simulator: Simulator) -> None:
    """A new version and a yank are seen at the next fetch."""
    name = any_name(simulator, "requirements")
    first = (await read(crates, name)).package
    published = simulator.publish("cargo", name)
    answer = await read(crates, name, etag=first.etag, full=True)
    assert as_truth(answer.package) == published
    yanked = simulator.yank("cargo", name, published.versions[-1].name)
    assert as_truth((await read(crates, name, full=True)).package) == yanked


# What is not there ------------------------------------------------------------------------------


# What goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 429, "retry_after": "7"},
        {"kind": "status", "status": 500},
        {"kind": "truncate"},
        {"kind": "body", "body": "not the announced file", "media_type": "application/gzip"},
        {"kind": "oversized", "megabytes": 30},
        {"kind": "empty"},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_crate_file_is_not_essential(
    crates: Crates, simulator: Simulator, fault: dict[str, Any]
) -> None:
    """Without the file of the links, the crate is read without them, with a warning."""
    name = any_name(simulator, "repository", "requirements")
    simulator.fault(endpoint="cargo.crate", **fault)
    with capture_logs() as logs:
        package = (await read(crates, name, full=True)).package
    assert (package.vendor, package.repository_url) == (None, None)
    assert len(package.versions) == len(simulator.truth("cargo", name).versions)
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["repository_unknown"]
