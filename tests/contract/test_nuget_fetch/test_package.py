"""Reads a NuGet package over HTTP: its contents and the number of requests."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import FetchRequest, NotModified
from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.models import VersionName
from tests.contract.fetching import read
from tests.contract.loopback import Loopback
from tests.contract.test_nuget_fetch.documents import (
    INDEX,
    NUSPEC,
    XML,
    index,
    inlined,
    leaf,
    nuspec,
)


async def test_package_is_read(nuget: NuGet, registry: Loopback) -> None:
    """Normalised versions in order, dates, requirements, links and unlisted versions."""
    package = (await read(nuget, "DEMO.core")).package
    assert package.ref == NuGet.ref("Demo.Core")
    assert [(v.name, v.purl, v.yanked) for v in package.versions] == [
        ("1.0.0", "pkg:nuget/demo.core@1.0.0", False),
        ("1.5.0", "pkg:nuget/demo.core@1.5.0", True),
        ("2.0.0-RC", "pkg:nuget/demo.core@2.0.0-RC", False),
    ]
    published = datetime(2024, 5, 6, 7, 8, 9, 10_101, UTC)
    assert [v.release_date for v in package.versions] == [published, None, published]
    first = package.versions[0].requirements
    assert first is not None
    assert [(r.package.purl, r.constraints) for r in first] == [
        ("pkg:nuget/other", "[6.0.0, )"),
        ("pkg:nuget/third", "any"),
    ]
    assert [v.requirements for v in package.versions[1:]] == [(), ()]
    assert package.latest == "1.0.0"
    assert (package.vendor, package.repository_url) == ("owner", "https://github.com/owner/demo")


@pytest.mark.parametrize(
    ("repository", "project", "vendor", "found"),
    [
        ("https://github.com/o/r", "https://github.com/p/q", "o", "https://github.com/o/r"),
        ("https://example.org", "https://github.com/p/q", "p", "https://github.com/p/q"),
        ("", None, "Ann Author", "n/a"),
        ("https://git.example.org/o/r.git", 5, "Ann Author", "https://git.example.org/o/r"),
    ],
)
async def test_where_the_repository_is(  # noqa: PLR0917
    nuget: NuGet, registry: Loopback, repository: str, project: Any, vendor: str, found: str
) -> None:
    """The nuspec's, otherwise the project's; the vendor is its owner or the first author."""
    registry.serve(INDEX, index(inlined(leaf("2.0.0-RC", projectUrl=project))))
    registry.serve(NUSPEC, nuspec(repository), media_type=XML)
    package = (await read(nuget, "demo.core")).package
    assert (package.vendor, package.repository_url) == (vendor, found)


async def test_without_authors_the_vendor_is_unknown(nuget: NuGet, registry: Loopback) -> None:
    """Without authors, the vendor has the value that the graph's readers expect."""
    registry.serve(INDEX, index(inlined(leaf("2.0.0-RC", authors=None))))
    assert (await read(nuget, "demo.core")).package.vendor == "n/a"


async def test_new_package_costs_two(nuget: NuGet, registry: Loopback) -> None:
    """One request is for the index and one for the latest version's nuspec."""
    assert (await read(nuget, "Demo.Core")).requests == 2
    assert registry.asked == dict.fromkeys(registry.answers, 1)


async def test_new_latest_version_costs_two(nuget: NuGet, registry: Loopback) -> None:
    """The nuspec of the new latest version may name another repository."""
    known = [VersionName("1.5.0"), VersionName("2.0.0-RC")]
    assert (await read(nuget, "Demo.Core", known=known)).requests == 2


@pytest.mark.parametrize("known", [["1.0.0"], ["1.0.0", "1.5.0", "2.0.0-RC"]])
async def test_no_new_latest_version_costs_one(
    nuget: NuGet, registry: Loopback, known: list[VersionName]
) -> None:
    """The graph keeps its links."""
    reading = await read(nuget, "Demo.Core", known=known)
    assert reading.requests == 1
    assert (reading.package.vendor, reading.package.repository_url) == (None, None)
    assert all(version.requirements is not None for version in reading.package.versions)


async def test_asked_by_name_the_links_are_read(nuget: NuGet, registry: Loopback) -> None:
    """A request by name reads the links, because an earlier reading may have missed them."""
    known = [VersionName("1.0.0"), VersionName("1.5.0"), VersionName("2.0.0-RC")]
    reading = await read(nuget, "Demo.Core", known=known, full=True)
    assert reading.requests == 2
    assert reading.package.vendor == "owner"


async def test_unchanged_package_costs_an_empty_answer(nuget: NuGet, registry: Loopback) -> None:
    """The request has the graph's validator."""
    package = (await read(nuget, "Demo.Core")).package
    registry.asked.clear()
    answer = await nuget.fetch(FetchRequest(nuget.ref("Demo.Core"), etag=package.etag))
    assert isinstance(answer, NotModified)
    assert answer.fetched_at >= package.fetched_at
    assert registry.asked == {INDEX: 1}
