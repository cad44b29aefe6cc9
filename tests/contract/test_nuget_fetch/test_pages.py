"""A registration in pages: inside its index, and in separate documents."""

import json
from collections.abc import AsyncIterator

import pytest

from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.ecosystems.nuget.fetch import MAX_PAGES
from ssc_ingest.errors import (
    InconsistentAnswers,
    IngestError,
    MalformedMetadata,
    RegistryUnavailable,
    ResponseTooLarge,
    StaleAnswer,
)
from ssc_ingest.extraction.extract import Attempt
from ssc_ingest.http.checkpoint import FetchCheckpoint
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.resources import Resources
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.arguments import ExtractPackage
from tests.conftest import Cypher
from tests.contract.fetching import extracting, read
from tests.contract.loopback import Loopback
from tests.contract.test_nuget_fetch.documents import INDEX, elsewhere, index, inlined, leaf, page

BASE = "/v3/registration/demo.core/page"
FIRST, SECOND = f"{BASE}/0.1.0/0.2.0-b.json", f"{BASE}/2.0.0/3.0.0.json"


@pytest.fixture
def paged(registry: Loopback) -> Loopback:
    """A package with two separate pages around one inside the index."""
    registry.serve(
        INDEX,
        index(
            elsewhere(f"{registry.url}{FIRST}"),
            inlined(leaf("1.0.0")),
            # as a mirror copies it
            elsewhere("https://api.nuget.org/v3/reg5-gz/demo.core/page/2.0.0/3.0.0.json"),
        ),
    )
    registry.serve(FIRST, page(leaf("0.1.0"), leaf("0.2.0-b")))
    registry.serve(SECOND, page(leaf("2.0.0"), leaf("3.0.0")))
    return registry


async def test_pages_are_read_where_they_are(nuget: NuGet, paged: Loopback) -> None:
    """Separate pages are requested, pages inside the index are not."""
    reading = await read(nuget, "Demo.Core")
    assert [version.name for version in reading.package.versions] == [
        "0.1.0", "0.2.0-b", "1.0.0", "2.0.0", "3.0.0",
    ]  # fmt: skip
    assert reading.requests == 1 + 2 + 1


async def test_page_that_is_not_there_is_tried_again_later(nuget: NuGet, paged: Loopback) -> None:
    """The index was replaced in between; its versions are not "none"."""
    del paged.answers[SECOND]
    with pytest.raises(InconsistentAnswers, match="page"):
        await nuget.fetch(FetchRequest(nuget.ref("Demo.Core")))


@pytest.mark.parametrize("versions", [("2.0.0",), ("2.0.0", "2.5.0", "3.0.0")])
async def test_page_of_another_time_than_the_index_is_tried_again_later(
    nuget: NuGet, paged: Loopback, versions: tuple[str, ...]
) -> None:
    """A page's address has only its first and last version; the index has their number."""
    paged.serve(SECOND, page(*map(leaf, versions)))
    with pytest.raises(InconsistentAnswers, match=f"{len(versions)} versions"):
        await nuget.fetch(FetchRequest(nuget.ref("Demo.Core")))


async def test_index_need_not_count(nuget: NuGet, paged: Loopback) -> None:
    """Without a number, a page is accepted unchanged."""
    document = json.loads(paged.answers[INDEX].body)
    for each in document["items"]:
        del each["count"]
    paged.serve(INDEX, json.dumps(document))
    assert len((await read(nuget, "Demo.Core")).package.versions) == 5


@pytest.mark.parametrize(
    ("body", "error"),
    [("{}", MalformedMetadata), ("<html>", MalformedMetadata), ("", MalformedMetadata)],
)
async def test_broken_page_breaks_the_package(
    nuget: NuGet, paged: Loopback, body: str, error: type[IngestError]
) -> None:
    """A package without some of its versions would be wrong."""
    paged.serve(SECOND, body)
    with pytest.raises(error):
        await nuget.fetch(FetchRequest(nuget.ref("Demo.Core")))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/secret", "https://evil.example/v3/demo.core/page/../../x.json", "file:///x",
     "/relative", ""],
)  # fmt: skip
async def test_page_elsewhere_is_not_followed(nuget: NuGet, registry: Loopback, url: str) -> None:
    """An index cannot direct requests to another host."""
    registry.serve(INDEX, index(elsewhere(url)))
    with request_scope(RequestScope()) as scope, pytest.raises(IngestError):
        await nuget.fetch(FetchRequest(nuget.ref("Demo.Core")))
    assert scope.requests == 1


async def test_too_many_pages_are_refused(nuget: NuGet, registry: Loopback) -> None:
    """No page is requested."""
    registry.serve(INDEX, index(*[elsewhere("x")] * (MAX_PAGES + 1)))
    with pytest.raises(ResponseTooLarge):
        await nuget.fetch(FetchRequest(nuget.ref("Demo.Core")))


@pytest.fixture
async def resources(
    nuget: NuGet, settings: Settings, servers: Servers, clean_graph: None
) -> AsyncIterator[Resources]:
    """The resources of extractions from that source."""
    async with extracting(nuget, settings, servers) as resources:
        yield resources


async def test_pages_are_not_read_twice(
    nuget: NuGet, paged: Loopback, resources: Resources
) -> None:
    """After an interruption, the next execution continues."""
    answer = paged.answers[SECOND]
    paged.serve(SECOND, "", status=500)
    ref, checkpoint, cache = nuget.ref("Demo.Core"), FetchCheckpoint(), resources.state.cache
    with request_scope(RequestScope(checkpoint=checkpoint)), pytest.raises(RegistryUnavailable):
        await nuget.fetch(FetchRequest(ref))
    await checkpoint.save(cache, ref.purl)
    paged.answers[SECOND] = answer
    checkpoint = await FetchCheckpoint.load(cache, ref.purl)
    with request_scope(RequestScope(checkpoint=checkpoint)):
        await nuget.fetch(FetchRequest(ref))
    assert (paged.asked[INDEX], paged.asked[FIRST]) == (1, 1)


async def carried_out(resources: Resources, expected: str | None = None) -> None:
    """One execution of an extraction, delayed or not."""
    request = ExtractPackage(ecosystem="nuget", name="Demo.Core", expected=expected)
    await resources.extractor().extract(request, Attempt(urgent=True, requested=True, resume=True))


YANKED = "MATCH (v:Version) WHERE v.yanked RETURN v.name AS name"
MOMENT = "MATCH (p:NuGetPackage) WHERE p.moment IS NOT NULL RETURN p.moment AS moment"
VERSIONS = "MATCH (v:Version) RETURN v.name AS name ORDER BY v.serial_number"


async def test_what_does_not_belong_together_is_read_anew(
    resources: Resources, paged: Loopback, cypher: Cypher
) -> None:
    """Index and pages are requested again, including those of the checkpoint."""
    del paged.answers[SECOND]
    with pytest.raises(InconsistentAnswers):
        await carried_out(resources)
    paged.serve(FIRST, page(leaf("0.1.0", listed=False), leaf("0.2.0-b")))
    last = elsewhere(f"{paged.url}{BASE}/2.0.0/4.0.0.json")
    paged.serve(INDEX, index(elsewhere(f"{paged.url}{FIRST}"), last))
    paged.serve(f"{BASE}/2.0.0/4.0.0.json", page(leaf("2.0.0"), leaf("4.0.0")))
    await carried_out(resources)
    assert [row["name"] for row in cypher(VERSIONS)] == ["0.1.0", "0.2.0-b", "2.0.0", "4.0.0"]
    assert [row["name"] for row in cypher(YANKED)] == ["0.1.0"]


async def test_pages_that_were_stale_are_read_anew(
    resources: Resources, paged: Loopback, cypher: Cypher
) -> None:
    """A changed version inside a page does not change the page's address."""
    with pytest.raises(StaleAnswer):
        await carried_out(resources, expected="0.1.5")
    document = json.loads(paged.answers[INDEX].body)
    document["items"][0]["count"] = 3
    paged.serve(INDEX, json.dumps(document))
    paged.serve(FIRST, page(leaf("0.1.0"), leaf("0.1.5"), leaf("0.2.0-b")))
    paged.serve(SECOND, page(leaf("2.0.0", listed=False), leaf("3.0.0")))
    await carried_out(resources, expected="0.1.5")
    assert len(cypher(VERSIONS)) == 6
    assert [row["name"] for row in cypher(YANKED)] == ["2.0.0"]


async def test_an_answer_of_an_earlier_attempt_does_not_undo_a_newer_reading(
    resources: Resources, paged: Loopback, cypher: Cypher
) -> None:
    """An attempt with an older checkpoint ends after a newer reading of another task."""

    async def read(*, carried: bool) -> None:
        request = ExtractPackage(ecosystem="nuget", name="Demo.Core", refresh=True)
        attempt = Attempt(urgent=True, requested=True, resume=carried)
        await resources.extractor().extract(request, attempt)

    answer = paged.answers[SECOND]
    paged.serve(SECOND, "", status=500)
    with pytest.raises(RegistryUnavailable):
        await read(carried=True)
    paged.answers[SECOND] = answer
    paged.serve(FIRST, page(leaf("0.1.0", listed=False), leaf("0.2.0-b")))
    await read(carried=False)
    assert [row["name"] for row in cypher(YANKED)] == ["0.1.0"]
    moment = cypher(MOMENT)
    asked = paged.asked[FIRST]
    await read(carried=True)
    assert paged.asked[FIRST] == asked, "it went on with what it had read"
    assert [row["name"] for row in cypher(YANKED)] == ["0.1.0"]
    assert cypher(MOMENT) == moment
