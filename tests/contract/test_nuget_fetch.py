"""Reading NuGet packages over HTTP: which documents are asked for, and what becomes of them."""

import json
import math
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from ssc_ingest.ecosystems.base import NotModified
from ssc_ingest.ecosystems.nuget import MAX_NUSPEC, MAX_PAGES, NuGet
from ssc_ingest.ecosystems.nuget.catalog import stamp_of
from ssc_ingest.errors import (
    IngestError,
    MalformedMetadata,
    PackageNotFound,
    RateLimited,
    RegistryUnavailable,
    ResponseTooLarge,
    StaleAnswer,
)
from ssc_ingest.models import VersionName, now
from ssc_ingest.request_scope import RequestScope, request_scope
from ssc_ingest.servers import EmbeddedAddresses
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read
from tests.contract.loopback import Loopback, loopback, packed, reading
from tests.simulator.client import Simulator

INDEX = "/v3/registration/demo.core/index.json"
NUSPEC = "/v3/content/demo.core/2.0.0-rc/demo.core.nuspec"
XML = "application/xml"


def leaf(version: str, **fields: Any) -> dict[str, Any]:
    """A version of ``Demo.Core``."""
    entry = {
        "id": "Demo.Core",
        "version": version,
        "listed": True,
        "published": "2024-05-06T07:08:09.0101010+00:00",
        "authors": "Ann Author, Bob",
        "projectUrl": "https://demo.example",
        **fields,
    }
    return {"@id": "x", "catalogEntry": entry, "packageContent": "y"}


def inlined(*leaves: dict[str, Any]) -> dict[str, Any]:
    """A page within the index."""
    return {"@id": "https://api.nuget.org/x#page/1/2", "count": len(leaves), "items": leaves}


def index(*pages: dict[str, Any]) -> str:
    """A registration index."""
    return json.dumps({"count": len(pages), "items": pages})


def elsewhere(url: str) -> dict[str, Any]:
    """A page that is a document of its own."""
    return {"@id": url, "count": 2, "lower": "1.0.0", "upper": "2.0.0"}


def nuspec(url: str = "https://github.com/owner/demo.git") -> str:
    """A manifest with this repository."""
    return f'\ufeff<package><metadata><repository type="git" url="{url}"/></metadata></package>'


@pytest.fixture
async def registry() -> AsyncIterator[Loopback]:
    """A source with one package of three versions, all in its index."""
    async with loopback() as server:
        groups = [
            {"targetFramework": "net8.0", "dependencies": [{"id": "Other", "range": "[8.0, )"}]},
            {"dependencies": [{"id": "other", "range": "[6.0, )"}, {"id": "Third"}]},
        ]
        leaves = (
            leaf("1.0.0.0", dependencyGroups=groups),
            leaf("2.0.0-RC"),
            leaf("1.5", listed=False, published="1900-01-01T00:00:00+00:00"),
        )
        server.serve(INDEX, index(inlined(*leaves)))
        server.serve(NUSPEC.replace("2.0.0-rc", "1.0.0"), nuspec(), media_type=XML)
        yield server


@pytest.fixture
async def nuget(
    registry: Loopback, settings: Settings, stack: EmbeddedAddresses, clean_redis: None
) -> AsyncIterator[NuGet]:
    """The ecosystem, reading that source."""
    base = f"{registry.url}/v3"
    urls = {"registration": f"{base}/registration", "content": f"{base}/content"}
    async with reading(NuGet, settings, stack, **urls) as ecosystem:
        yield ecosystem


# What is read -------------------------------------------------------------------------------


async def test_package_is_read(nuget: NuGet, registry: Loopback) -> None:
    """Versions by their one name, in order; dates, requirements, links and who is unlisted."""
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
    """The nuspec's, else the project's; its owner is the vendor, else the first author."""
    registry.serve(INDEX, index(inlined(leaf("2.0.0-RC", projectUrl=project))))
    registry.serve(NUSPEC, nuspec(repository), media_type=XML)
    package = (await read(nuget, "demo.core")).package
    assert (package.vendor, package.repository_url) == (vendor, found)


async def test_without_authors_the_vendor_is_unknown(nuget: NuGet, registry: Loopback) -> None:
    """As the graph's readers expect it."""
    registry.serve(INDEX, index(inlined(leaf("2.0.0-RC", authors=None))))
    assert (await read(nuget, "demo.core")).package.vendor == "n/a"


# How many requests --------------------------------------------------------------------------


async def test_new_package_costs_two(nuget: NuGet, registry: Loopback) -> None:
    """The index and the latest version's nuspec."""
    assert (await read(nuget, "Demo.Core")).requests == 2
    assert registry.asked == dict.fromkeys(registry.answers, 1)


async def test_new_latest_version_costs_two(nuget: NuGet, registry: Loopback) -> None:
    """Its nuspec may name another repository."""
    known = [VersionName("1.5.0"), VersionName("2.0.0-RC")]
    assert (await read(nuget, "Demo.Core", known=known)).requests == 2


@pytest.mark.parametrize("known", [["1.0.0"], ["1.0.0", "1.5.0", "2.0.0-RC"]])
async def test_no_new_latest_version_costs_one(
    nuget: NuGet, registry: Loopback, known: list[VersionName]
) -> None:
    """What the graph has of the links is left as it is."""
    reading = await read(nuget, "Demo.Core", known=known)
    assert reading.requests == 1
    assert (reading.package.vendor, reading.package.repository_url) == (None, None)
    assert all(version.requirements is not None for version in reading.package.versions)


async def test_asked_by_name_the_links_are_read(nuget: NuGet, registry: Loopback) -> None:
    """They may have been missed by an earlier reading."""
    known = [VersionName("1.0.0"), VersionName("1.5.0"), VersionName("2.0.0-RC")]
    reading = await read(nuget, "Demo.Core", known=known, thorough=True)
    assert reading.requests == 2
    assert reading.package.vendor == "owner"


async def test_unchanged_package_costs_an_empty_answer(nuget: NuGet, registry: Loopback) -> None:
    """With the validator of what the graph has, the source need not send it again."""
    package = (await read(nuget, "Demo.Core")).package
    registry.asked.clear()
    answer = await nuget.fetch(nuget.ref("Demo.Core"), etag=package.etag)
    assert isinstance(answer, NotModified)
    assert answer.fetched_at >= package.fetched_at
    assert registry.asked == {INDEX: 1}


# Pages ----------------------------------------------------------------------------------------


@pytest.fixture
def paged(registry: Loopback) -> Loopback:
    """The package has two pages of its own, around one that is in the index."""
    base = "/v3/registration/demo.core/page"
    registry.serve(
        INDEX,
        index(
            elsewhere(f"{registry.url}{base}/0.1.0/0.2.0-b.json"),
            inlined(leaf("1.0.0")),
            # as a mirror copies it
            elsewhere("https://api.nuget.org/v3/reg5-gz/demo.core/page/2.0.0/3.0.0.json"),
        ),
    )
    first = {"items": [leaf("0.1.0"), leaf("0.2.0-b")]}
    registry.serve(f"{base}/0.1.0/0.2.0-b.json", json.dumps(first))
    registry.serve(
        f"{base}/2.0.0/3.0.0.json", json.dumps({"items": [leaf("2.0.0"), leaf("3.0.0")]})
    )
    return registry


async def test_pages_are_read_where_they_are(nuget: NuGet, paged: Loopback) -> None:
    """Each on its own: none that is not in the index is lost, none that is there is asked for."""
    reading = await read(nuget, "Demo.Core")
    assert [version.name for version in reading.package.versions] == [
        "0.1.0", "0.2.0-b", "1.0.0", "2.0.0", "3.0.0",
    ]  # fmt: skip
    assert reading.requests == 1 + 2 + 1


async def test_page_that_is_not_there_is_tried_again_later(nuget: NuGet, paged: Loopback) -> None:
    """The index was replaced meanwhile; its versions are not "none"."""
    del paged.answers["/v3/registration/demo.core/page/2.0.0/3.0.0.json"]
    with pytest.raises(RegistryUnavailable, match="page"):
        await nuget.fetch(nuget.ref("Demo.Core"))


@pytest.mark.parametrize(
    ("body", "error"),
    [("{}", MalformedMetadata), ("<html>", MalformedMetadata), ("", MalformedMetadata)],
)
async def test_broken_page_breaks_the_package(
    nuget: NuGet, paged: Loopback, body: str, error: type[IngestError]
) -> None:
    """A package without some of its versions would be wrong."""
    paged.serve("/v3/registration/demo.core/page/2.0.0/3.0.0.json", body)
    with pytest.raises(error):
        await nuget.fetch(nuget.ref("Demo.Core"))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/secret", "https://evil.example/v3/demo.core/page/../../x.json", "file:///x",
     "/relative", ""],
)  # fmt: skip
async def test_page_elsewhere_is_not_followed(nuget: NuGet, registry: Loopback, url: str) -> None:
    """No other host is asked, whatever an index says."""
    registry.serve(INDEX, index(elsewhere(url)))
    with request_scope(RequestScope()) as scope, pytest.raises(IngestError):
        await nuget.fetch(nuget.ref("Demo.Core"))
    assert scope.requests == 1


async def test_too_many_pages_are_refused(nuget: NuGet, registry: Loopback) -> None:
    """Before one of them is asked for."""
    registry.serve(INDEX, index(*[elsewhere("x")] * (MAX_PAGES + 1)))
    with pytest.raises(ResponseTooLarge):
        await nuget.fetch(nuget.ref("Demo.Core"))


async def test_pages_are_not_read_twice(nuget: NuGet, paged: Loopback) -> None:
    """When the work ends half-way, the next execution goes on."""
    first, second = (path for path in paged.answers if "/page/" in path)
    page = paged.answers[second]
    paged.serve(second, "", status=500)
    with request_scope(RequestScope()):
        with pytest.raises(RegistryUnavailable):
            await nuget.fetch(nuget.ref("Demo.Core"))
        paged.answers[second] = page
        await nuget.fetch(nuget.ref("Demo.Core"))
    assert paged.asked[first] == 1


# What is not there ------------------------------------------------------------------------------


@pytest.mark.parametrize("pages", [[], [inlined()]])
async def test_package_without_versions_is_not_found(
    nuget: NuGet, registry: Loopback, pages: list[dict[str, Any]]
) -> None:
    """Nobody can install it."""
    registry.serve(INDEX, index(*pages))
    with pytest.raises(PackageNotFound):
        await nuget.fetch(nuget.ref("Demo.Core"))


# What goes wrong ----------------------------------------------------------------------------------

# What the catalog has announced -------------------------------------------------------------

COMMIT, AN_HOUR_AFTER, LATER = (
    f"2026-03-01T{hour}0000000" for hour in ("10:00:00.00", "11:00:00.00", "11:00:01.00")
)


@pytest.mark.parametrize("expected", ["2.0.0-rc", f"1.0.0.0+build {COMMIT}", None])
async def test_announced_version_is_there(nuget: NuGet, expected: str | None) -> None:
    """In whatever spelling the catalog has it."""
    package = (await read(nuget, "Demo.Core", expected=expected)).package
    assert len(package.versions) == 3


@pytest.mark.parametrize(
    ("expected", "written", "is_stale"),
    [
        (f"3.0 {COMMIT}", COMMIT, True),
        (f"3.0 {COMMIT}", AN_HOUR_AFTER, True),
        (f"3.0 {COMMIT}", LATER, False),
        (f"3.0 {COMMIT}", None, True),
        (f"3.0 {COMMIT}", "yesterday", True),
        ("3.0", LATER, True),
    ],
)
async def test_a_registration_without_the_announced_version_is_stale(
    nuget: NuGet,
    registry: Loopback,
    expected: str,
    written: str | None,
    is_stale: bool,  # noqa: FBT001
) -> None:
    """Unless it was written long after: then the version has been taken away again."""
    document = json.loads(index(inlined(leaf("1.0.0"))))
    registry.serve(INDEX, json.dumps({**document, "commitTimeStamp": written}))
    if is_stale:
        with pytest.raises(StaleAnswer, match=r"3\.0 is not there yet"):
            await nuget.fetch(nuget.ref("Demo.Core"), expected=expected)
    else:
        assert len((await read(nuget, "Demo.Core", expected=expected)).package.versions) == 1


async def test_not_modified_does_not_hide_that_the_version_is_missing(
    nuget: NuGet, registry: Loopback
) -> None:
    """A stale registration has the ETag that the graph was filled with."""
    package = (await read(nuget, "Demo.Core")).package
    known = [version.name for version in package.versions]
    ref, etag = package.ref, package.etag
    with pytest.raises(StaleAnswer):
        await nuget.fetch(ref, known=known, etag=etag, expected=f"3.0 {COMMIT}")
    found = await nuget.fetch(ref, known=known, etag=etag, expected=f"1.5 {COMMIT}")
    assert isinstance(found, NotModified)


@pytest.mark.parametrize("body", [None, index(inlined())], ids=["404", "empty"])
async def test_a_new_package_may_be_late(
    nuget: NuGet, registry: Loopback, body: str | None
) -> None:
    """Just announced, it is not there yet; announced long ago, it is gone."""
    if body:
        registry.serve(INDEX, json.dumps({**json.loads(body), "commitTimeStamp": stamp_of(now())}))
    else:
        del registry.answers[INDEX]
    ref = nuget.ref("Demo.Core")
    with pytest.raises(StaleAnswer):
        await nuget.fetch(ref, expected=f"1.0.0 {stamp_of(now())}")
    with pytest.raises(PackageNotFound):
        await nuget.fetch(ref, expected=f"1.0.0 {COMMIT}")
    with pytest.raises(PackageNotFound):
        await nuget.fetch(ref)


ZIPPED = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    "body",
    ['{"items": {"a": 1}}', '{"count": 0}', index(inlined(leaf("1.0", id="Other")))],
    ids=["wrong-types", "missing-keys", "another"],
)
async def test_registration_that_is_none_is_malformed(
    nuget: NuGet, registry: Loopback, body: str
) -> None:
    """JSON of another shape, or of another package, is not taken for this package."""
    registry.serve(INDEX, body)
    with pytest.raises(MalformedMetadata):
        await nuget.fetch(nuget.ref("Demo.Core"))


@pytest.mark.parametrize(
    ("answer", "is_known"),
    [
        ({"body": "", "status": 404}, True),
        ({"body": ""}, True),
        ({"body": "<!DOCTYPE html><html>", "media_type": "text/html"}, True),
        ({"body": "<package>"}, True),
        ({"body": packed(MAX_NUSPEC // 2**20 + 1), "headers": ZIPPED}, True),
        ({"body": "", "status": 500}, False),
        ({"body": "<package>", "promised": 100}, False),
    ],
    ids=["gone", "empty", "html", "broken", "bomb", "error", "truncated"],
)
async def test_package_is_taken_without_what_the_nuspec_cannot_tell(
    nuget: NuGet,
    registry: Loopback,
    answer: dict[str, Any],
    is_known: bool,  # noqa: FBT001
) -> None:
    """Where a retry cannot help, the project's URL has to do; else the graph's links stay."""
    registry.serve(INDEX, index(inlined(leaf("2.0.0-RC", projectUrl="https://github.com/p/q"))))
    registry.serve(NUSPEC, **answer)
    with capture_logs() as logs:
        package = (await read(nuget, "Demo.Core")).package
    assert [log["event"] for log in logs] == ["repository_unknown"]
    expected = ("p", "https://github.com/p/q") if is_known else (None, None)
    assert (package.vendor, package.repository_url) == expected


async def test_waiting_for_the_nuspec_is_no_failure(nuget: NuGet, registry: Loopback) -> None:
    """Else a busy hour would leave packages without a repository."""
    path = NUSPEC.replace("2.0.0-rc", "1.0.0")
    registry.serve(path, "", status=429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimited):
        await nuget.fetch(nuget.ref("Demo.Core"))


# The simulated registry --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def universe() -> Iterator[Simulator]:
    """A registry of 400 packages, some without versions, some requirements unknown to it."""
    with Simulator.start(packages=400, missing=0.02, empty=0.02, versions="1-300") as simulator:
        yield simulator


@pytest.fixture
def simulator(universe: Simulator) -> Simulator:
    """The registry as it was at the beginning, without faults."""
    universe.reset()
    return universe


@pytest.fixture
async def simulated(
    simulator: Simulator, settings: Settings, stack: EmbeddedAddresses, clean_redis: None
) -> AsyncIterator[NuGet]:
    """The ecosystem, reading the simulated registry."""
    async with opened(NuGet, simulator, settings, stack) as ecosystem:
        yield ecosystem


async def test_every_package_is_read_as_it_is(simulated: NuGet, simulator: Simulator) -> None:
    """Spellings, links, order, dates, pages and requirements of 60 packages.

    Each takes two requests; those with 128 versions and more, one for each 64 besides.
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
        package = await simulated.fetch(simulated.ref(found.name), etag=first.etag, known=known)
    assert not isinstance(package, NotModified)
    versions = [version.name for version in package.versions]
    assert versions == [version.name for version in published.versions]
    assert scope.requests <= 2 + len(versions) // 64 + 1
    etag = package.etag
    assert isinstance(await simulated.fetch(simulated.ref(found.name), etag=etag), NotModified)
