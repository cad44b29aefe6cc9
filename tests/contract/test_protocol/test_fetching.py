"""Packages are read correctly, and each failure is the right typed error."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Ecosystem, FetchRequest
from ssc_ingest.errors import (
    IngestError,
    MalformedMetadata,
    PackageNotFound,
    RateLimited,
    RegistryError,
    RegistryUnavailable,
    ResponseTooLarge,
)
from ssc_ingest.models import now
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read, version_as_truth
from tests.contract.test_protocol.registries import REGISTRIES
from tests.simulator.client import Simulator
from tests.simulator.registries import open_registry

pytest_plugins = ("tests.simulator.fixtures",)

READ = 40
"""Packages that are read and compared with the truth."""


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """Registries with all rare cases; some requirements are unknown to them."""
    with Simulator.start(packages=200, missing=0.02, empty=0.02, versions="1-30") as simulator:
        yield simulator


@pytest.fixture
async def reader(
    name: str, simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Ecosystem]:
    """The ecosystem, reading its simulated registry."""
    async with opened(ecosystem(name), simulator, settings, redis_url) as reader:
        yield reader


async def test_packages_are_read_as_they_are(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Names, links, versions in order, dates and requirements are correct."""
    begin, compared = now(), 0
    for found in simulator.packages(name, READ):
        truth = simulator.truth(name, found.name)
        if truth.versions:
            package = (await read(reader, found.name, full=True)).package
            assert as_truth(package) == truth
            assert package.etag
            assert begin <= package.fetched_at <= now()
            compared += 1
    assert compared >= READ * 0.9


async def test_releases_at_run_time_are_read(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A new version is found although the old document's validator was sent."""
    (found,) = simulator.packages(name, 1, start=50, traits=("requirements",))
    first = (await read(reader, found.name)).package
    truth = simulator.publish(name, found.name, requirements=2)
    known = [version.name for version in first.versions]
    second = (await read(reader, found.name, etag=first.etag, known=known)).package
    assert [version.name for version in second.versions] == [v.name for v in truth.versions]
    assert second.latest == truth.latest
    assert second.etag != first.etag
    assert version_as_truth(second.versions[-1]) == truth.versions[-1]


async def test_known_versions_are_not_read_again(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Only new versions are requested; known versions are left out or correct."""
    (found,) = simulator.packages(name, 1, start=20, traits=("requirements",))
    whole = (await read(reader, found.name)).package
    truth = {version.name: version for version in simulator.truth(name, found.name).versions}
    known = {version.name for version in whole.versions[::2]}
    part = await read(reader, found.name, known=known)
    for version in part.package.versions:
        if version.name not in known or version.requirements is not None:
            assert version_as_truth(version).requirements == truth[version.name].requirements
    everything = await read(reader, found.name, known=[v.name for v in whole.versions])
    assert everything.requests <= part.requests
    assert [v.name for v in everything.package.versions] == list(truth)


async def test_unknown_packages_are_not_found(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A name that never existed, and one that was deleted; the error names the package."""
    never = reader.ref(open_registry(name).ecosystem.missing_name(7))
    with pytest.raises(PackageNotFound, match=re.escape(never.purl)):
        await reader.fetch(FetchRequest(never))
    (found,) = simulator.packages(name, 1, start=30)
    simulator.delete(name, found.name)
    with pytest.raises(PackageNotFound):
        await reader.fetch(FetchRequest(reader.ref(found.name)))


Errors = type[IngestError] | tuple[type[IngestError], ...]

FAULTS: list[tuple[dict[str, Any], Errors]] = [
    ({"kind": "status", "status": 404}, PackageNotFound),
    ({"kind": "status", "status": 410}, PackageNotFound),
    ({"kind": "status", "status": 451}, PackageNotFound),
    ({"kind": "html"}, MalformedMetadata),
    ({"kind": "empty"}, MalformedMetadata),
    ({"kind": "body", "body": "{}"}, MalformedMetadata),
    ({"kind": "body", "body": "[]"}, MalformedMetadata),
    ({"kind": "body", "body": "null"}, MalformedMetadata),
    ({"kind": "body", "body": "<a>" * 100_000}, MalformedMetadata),
    ({"kind": "body", "body": "[" * 100_000}, MalformedMetadata),
    ({"kind": "body", "body": b"\xff\xfe\x00\x01"}, MalformedMetadata),
    ({"kind": "body", "body": "no", "headers": {"Content-Encoding": "gzip"}}, RegistryUnavailable),
    # The index of RubyGems announces its digest: what does not have it was damaged on the way.
    ({"kind": "missing-keys"}, (MalformedMetadata, RegistryUnavailable)),
    ({"kind": "wrong-types"}, (MalformedMetadata, RegistryUnavailable)),
    ({"kind": "bomb", "megabytes": 120}, ResponseTooLarge),
    ({"kind": "oversized", "megabytes": 120}, ResponseTooLarge),
    ({"kind": "oversized", "megabytes": 120, "chunked": True}, ResponseTooLarge),
    ({"kind": "truncate"}, RegistryUnavailable),
    ({"kind": "reset", "at": "head"}, RegistryUnavailable),
    ({"kind": "reset", "at": "body"}, RegistryUnavailable),
    ({"kind": "redirect"}, RegistryUnavailable),
    ({"kind": "redirect", "location": "http://registry.example/x"}, RegistryError),
    ({"kind": "redirect", "location": "file:///etc/passwd"}, RegistryError),
    ({"kind": "status", "status": 429, "retry_after": "7"}, RateLimited),
    ({"kind": "status", "status": 503}, RateLimited),
    ({"kind": "status", "status": 500}, RegistryUnavailable),
]  # fmt: skip


def described(value: Any) -> str:
    """A short description of a fault."""
    if not isinstance(value, dict):
        return ""
    return "-".join(ascii(part).strip("'")[:20] for part in value.values())


@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=described)
async def test_failures_are_typed(
    reader: Ecosystem,
    name: str,
    simulator: Simulator,
    fault: dict[str, Any],
    error: Errors,
) -> None:
    """Each failure of the main document raises the right error."""
    (found,) = simulator.packages(name, 1, traits=("requirements",))
    simulator.fault(**fault, endpoint=REGISTRIES[name].main)
    with pytest.raises(error):
        await reader.fetch(FetchRequest(reader.ref(found.name)))


async def test_half_a_document_is_not_taken_for_a_whole_one(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A complete HTTP response with a truncated document would lack versions."""
    (found,) = simulator.packages(name, 1, traits=("requirements",))
    simulator.fault("not-json", endpoint=REGISTRIES[name].main)
    with pytest.raises((MalformedMetadata, RegistryUnavailable)):
        await reader.fetch(FetchRequest(reader.ref(found.name)))
