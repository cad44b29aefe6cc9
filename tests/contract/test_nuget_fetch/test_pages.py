"""A registration in pages: those in its index, and those that are documents of their own."""

import json

import pytest

from ssc_ingest.ecosystems.nuget import MAX_PAGES, NuGet
from ssc_ingest.errors import IngestError, MalformedMetadata, RegistryUnavailable, ResponseTooLarge
from ssc_ingest.request_scope import RequestScope, request_scope
from tests.contract.fetching import read
from tests.contract.loopback import Loopback
from tests.contract.test_nuget_fetch.documents import INDEX, elsewhere, index, inlined, leaf


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
