"""Lists NuGet and follows its catalog over HTTP, without losses and with few requests."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import Change, ChangesPage, FetchRequest, NamesPage
from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.ecosystems.nuget.catalog import Announced
from ssc_ingest.ecosystems.nuget.feed import CONCURRENCY
from ssc_ingest.errors import (
    CursorExpired,
    IngestError,
    MalformedMetadata,
    PackageNotFound,
    RateLimited,
    RegistryUnavailable,
    StaleAnswer,
)
from ssc_ingest.http.request_scope import RequestScope, request_scope
from ssc_ingest.settings import Settings
from tests.contract.fetching import as_truth, opened, read
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)

INDEX_ENDPOINT, PAGE_ENDPOINT = "nuget.catalog-index", "nuget.catalog-page"


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    """A registry of 400 packages; its catalog has 18 pages at first."""
    with Simulator.start(packages=400, versions="1-40", requirements="0-2") as simulator:
        yield simulator


@pytest.fixture
async def nuget(
    simulator: Simulator, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[NuGet]:
    """The ecosystem, reading that registry."""
    async with opened(NuGet, simulator, settings, redis_url) as ecosystem:
        yield ecosystem


async def names(nuget: NuGet, cursor: str | None = None) -> list[NamesPage]:
    """All pages of the listing from a cursor on."""
    return [page async for page in nuget.list_names(cursor)]


async def changes(nuget: NuGet, cursor: str) -> list[ChangesPage]:
    """All pages of changes since a cursor."""
    return [page async for page in nuget.list_changes(cursor)]


async def until_it_fails(
    pages: AsyncIterator[Any], error: type[IngestError]
) -> tuple[list[Any], IngestError]:
    """The pages before the error."""
    found = []
    try:
        async for page in pages:
            found.append(page)  # noqa: PERF401 - what came before the error counts
    except error as raised:
        return found, raised
    pytest.fail(f"{error.__name__} was not raised")


def listed(pages: list[NamesPage]) -> set[str]:
    """The names on some pages."""
    return {name for page in pages for name in page.names}


def changed(pages: list[ChangesPage]) -> set[str]:
    """The names of the changed packages."""
    return {change.name for page in pages for change in page.changes}


# The whole registry -------------------------------------------------------------------------


async def test_the_listing_is_the_registry(nuget: NuGet, simulator: Simulator) -> None:
    """All packages, also later ones; each page once, in the order of stamps."""
    simulator.add("nuget")
    truth = set(simulator.names("nuget"))
    simulator.reset_counts()
    pages = await names(nuget)
    assert listed(pages) == truth
    assert all(len({n.lower() for n in page.names}) == len(page.names) for page in pages)
    through = [json.loads(page.cursor)["through"] for page in pages]
    assert through == sorted(through)
    counts = simulator.counts().endpoints
    assert counts == {INDEX_ENDPOINT: 1, PAGE_ENDPOINT: len(pages)}


async def test_the_listing_goes_on_at_every_cursor(nuget: NuGet, simulator: Simulator) -> None:
    """The pages before a cursor and after it have all packages."""
    truth = set(simulator.names("nuget"))
    pages = await names(nuget)
    for position in range(len(pages)):
        rest = await names(nuget, pages[position].cursor)
        assert listed(pages[: position + 1]) | listed(rest) == truth
        assert len(rest) == len(pages) - position - 1
    assert await names(nuget, pages[-1].cursor) == []


async def test_who_lists_may_stop_anywhere(nuget: NuGet, simulator: Simulator) -> None:
    """Pages that were requested ahead are cancelled."""
    # Those of the first page and behind it are asked for at once, and answered in any order.
    simulator.fault("stall", endpoint=PAGE_ENDPOINT, after=CONCURRENCY, seconds=600)
    async with aclosing(nuget.list_names(None)) as pages:  # type: ignore[type-var]
        first = await anext(pages)
    assert first.names
    assert simulator.counts().endpoints[PAGE_ENDPOINT] <= CONCURRENCY + 1


# What has changed ---------------------------------------------------------------------------


async def test_nothing_has_changed(nuget: NuGet, simulator: Simulator) -> None:
    """If nothing has changed, an update costs one request, with an empty response."""
    end = await nuget.feed_end()
    simulator.reset_counts()
    assert await changes(nuget, end) == []
    (request,) = simulator.requests()
    assert (request["endpoint"], request["status"]) == (INDEX_ENDPOINT, 304)


async def test_the_end_of_the_listing_is_that_of_the_feed(nuget: NuGet) -> None:
    """The listing's cursor can be used for changes."""
    pages = await names(nuget)
    assert pages[-1].cursor == await nuget.feed_end()


async def test_exactly_the_changes(nuget: NuGet, simulator: Simulator) -> None:
    """Each changed package is reported with its newest version; none as gone."""
    end = await nuget.feed_end()
    found = [package.name for package in simulator.packages("nuget", 6, start=50)]
    published = simulator.publish("nuget", found[0])
    simulator.publish("nuget", found[1])
    deleted = simulator.truth("nuget", found[1]).versions[-1].name
    simulator.delete_version("nuget", found[1], deleted)
    yanked = simulator.truth("nuget", found[2]).versions[0].name
    simulator.yank("nuget", found[2], yanked)
    simulator.delete("nuget", found[3])
    added = simulator.add("nuget")
    simulator.reset_counts()
    pages = await changes(nuget, end)
    expected = {
        change.name: change.expected and Announced.read(change.expected).version
        for page in pages
        for change in page.changes
    }
    assert expected == {
        found[0]: published.versions[-1].name,
        found[1]: None,
        found[2]: yanked,
        found[3]: None,
        added.registry_name: added.versions[-1].name,
    }
    assert not any(change.deleted for page in pages for change in page.changes)
    assert simulator.counts().total == 1 + len(pages)
    assert await changes(nuget, pages[-1].cursor) == []


async def test_changes_are_what_the_packages_have(nuget: NuGet, simulator: Simulator) -> None:
    """Expected versions are read, and deleted packages are not found."""
    end = await nuget.feed_end()
    present, gone = [package.name for package in simulator.packages("nuget", 2, start=90)]
    simulator.publish("nuget", present)
    simulator.delete("nuget", gone)
    found: dict[str, Change] = {}
    for page in await changes(nuget, end):
        found.update({change.name: change for change in page.changes})
    package = (await read(nuget, present, expected=found[present].expected)).package
    assert as_truth(package) == simulator.truth("nuget", present)
    with pytest.raises(PackageNotFound):
        await nuget.fetch(FetchRequest(nuget.ref(gone), expected=found[gone].expected))


async def test_a_stale_registration_is_told(nuget: NuGet, simulator: Simulator) -> None:
    """The package's document lacks a version that the catalog announced."""
    end = await nuget.feed_end()
    (name,) = [package.name for package in simulator.packages("nuget", 1, start=20)]
    before = (await read(nuget, name)).package
    url = nuget.endpoints.url("registration", name.lower(), "index.json")
    body = (await nuget.client.get(url, max_bytes=10**7)).body
    simulator.publish("nuget", name)
    simulator.fault("body", path=f"/{name.lower()}/index.json", body=body, times=1)
    ((change,),) = [page.changes for page in await changes(nuget, end)]
    known = [version.name for version in before.versions]
    arguments: dict[str, Any] = {"known": known, "etag": before.etag, "expected": change.expected}
    with pytest.raises(StaleAnswer):
        await nuget.fetch(FetchRequest(nuget.ref(name), **arguments))
    assert len((await read(nuget, name, **arguments)).package.versions) == len(known) + 1


async def test_one_commit_on_several_pages(nuget: NuGet, simulator: Simulator) -> None:
    """Many versions are deleted at once, across pages; reading stops after each page."""
    end = await nuget.feed_end()
    many = [p.name for p in simulator.packages("nuget", 400)
            if len(simulator.truth("nuget", p.name).versions) > 30][:4]  # fmt: skip
    for name in many:
        simulator.delete("nuget", name)
    simulator.publish("nuget", last := next(iter(simulator.names("nuget"))))
    pages = await changes(nuget, end)
    assert len(pages) >= 5
    assert changed(pages) == {*many, last}
    for position, page in enumerate(pages):
        rest = await changes(nuget, page.cursor)
        assert changed(pages[: position + 1]) | changed(rest) == {*many, last}


async def test_the_registry_grows_while_it_is_read(nuget: NuGet, simulator: Simulator) -> None:
    """The next pass has the items added during a pass; together they have all."""
    end = await nuget.feed_end()
    found = [package.name for package in simulator.packages("nuget", 120)]
    for name in found[:60]:
        simulator.publish("nuget", name)
    seen: list[ChangesPage] = []
    async for page in nuget.list_changes(end):
        seen.append(page)
        simulator.publish("nuget", found[60 + len(seen)])
    assert changed(seen) == set(found[:60])
    then = await changes(nuget, seen[-1].cursor)
    assert changed(then) == set(found[61 : 61 + len(seen)])


# When it does not work ----------------------------------------------------------------------

REST = 1.2
"""Seconds, just longer than the host wants to be left alone."""

BROKEN: list[tuple[dict[str, Any], type[IngestError]]] = [
    ({"kind": "status", "status": 500}, RegistryUnavailable),
    ({"kind": "status", "status": 404}, RegistryUnavailable),
    ({"kind": "status", "status": 429, "retry_after": "1"}, RateLimited),
    ({"kind": "reset"}, RegistryUnavailable),
    ({"kind": "reset", "at": "body"}, RegistryUnavailable),
    ({"kind": "truncate"}, RegistryUnavailable),
    ({"kind": "html"}, MalformedMetadata),
    ({"kind": "empty"}, MalformedMetadata),
    ({"kind": "not-json"}, MalformedMetadata),
    ({"kind": "missing-keys", "keys": ["items"]}, MalformedMetadata),
    ({"kind": "wrong-types", "keys": ["commitTimeStamp"]}, MalformedMetadata),
    ({"kind": "body", "body": "{}"}, MalformedMetadata),
]


@pytest.mark.parametrize(("fault", "error"), BROKEN, ids=lambda value: str(value)[:40])
async def test_a_page_that_fails_loses_nothing(
    nuget: NuGet, simulator: Simulator, fault: dict[str, Any], error: type[IngestError]
) -> None:
    """Earlier pages are returned, the cursor stays before it, later all others follow."""
    truth = set(simulator.names("nuget"))
    number = simulator.fault(**fault, path=r"/page9\.json")
    before, _ = await until_it_fails(nuget.list_names(None), error)
    assert 0 < len(before) < 18
    again, _ = await until_it_fails(nuget.list_names(before[-1].cursor), error)
    assert again == []
    simulator.clear_faults(number)
    await asyncio.sleep(REST if error is RateLimited else 0)
    rest = await names(nuget, before[-1].cursor)
    assert len(before) + len(rest) == 18
    assert listed(before) | listed(rest) == truth


@pytest.mark.parametrize(("fault", "error"), BROKEN, ids=lambda value: str(value)[:40])
async def test_an_index_that_fails_is_no_end(
    nuget: NuGet, simulator: Simulator, fault: dict[str, Any], error: type[IngestError]
) -> None:
    """A failing index is an error of the listing and of the feed."""
    end = await nuget.feed_end()
    simulator.publish("nuget", next(iter(simulator.names("nuget"))))
    simulator.fault(**fault, endpoint=INDEX_ENDPOINT)
    assert (await until_it_fails(nuget.list_names(None), error))[0] == []
    assert (await until_it_fails(nuget.list_changes(end), error))[0] == []
    with pytest.raises(error):
        await nuget.feed_end()


async def test_a_stale_index_is_told(nuget: NuGet, simulator: Simulator) -> None:
    """An index from a lagging cache is stale, and the same cursor works later."""
    simulator.publish("nuget", name := next(iter(simulator.names("nuget"))))
    cursor = await nuget.feed_end()
    simulator.stale("nuget")
    found, error = await until_it_fails(nuget.list_changes(cursor), StaleAnswer)
    assert found == []
    assert error.url  # type: ignore[attr-defined]
    simulator.stale("nuget", on=False)
    simulator.publish("nuget", name)
    assert changed(await changes(nuget, cursor)) == {name}


async def test_a_stale_page_is_told(nuget: NuGet, simulator: Simulator) -> None:
    """The index announces something newer."""
    end = await nuget.feed_end()
    url = nuget.endpoints.url("catalog", "page17.json")
    body = (await nuget.client.get(url, max_bytes=10**7)).body
    simulator.publish("nuget", name := next(iter(simulator.names("nuget"))))
    simulator.fault("body", path=r"/page17\.json", body=body, times=1)
    await until_it_fails(nuget.list_changes(end), StaleAnswer)
    assert changed(await changes(nuget, end)) == {name}


async def test_a_catalog_that_was_begun_anew(nuget: NuGet, simulator: Simulator) -> None:
    """If a catalog was begun anew, only the whole listing shows the changes since the cursor."""
    end = await nuget.feed_end()
    simulator.reset_sequence("nuget")
    await until_it_fails(nuget.list_changes(end), CursorExpired)
    pages = await names(nuget)
    assert listed(pages) == set(simulator.names("nuget"))
    assert await changes(nuget, await nuget.feed_end()) == []


async def test_entries_that_the_feed_loses(nuget: NuGet, simulator: Simulator) -> None:
    """Entries that the feed loses only move the end."""
    end = await nuget.feed_end()
    kept, lost = [package.name for package in simulator.packages("nuget", 2)]
    simulator.publish("nuget", kept)
    simulator.publish("nuget", lost)
    simulator.drop_feed_entries("nuget", 1)
    pages = await changes(nuget, end)
    assert changed(pages) == {kept}
    assert await changes(nuget, pages[-1].cursor) == []


async def test_requests_count_as_the_run_s_own(nuget: NuGet) -> None:
    """Requests that are sent ahead count, too."""
    with request_scope(RequestScope()) as scope:
        await names(nuget)
    assert scope.requests == 19
