"""Rules for every listing and feed of a registry.

One suite over all ecosystems with a row in :data:`LISTINGS`. No fault loses a package: an error
is never taken for the end, and reading continues at the last cursor.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.ecosystems.base import Change, ChangesPage, Ecosystem, FetchRequest, NamesPage
from ssc_ingest.errors import CursorExpired, RegistryError, RegistryUnavailable
from ssc_ingest.models import Package
from ssc_ingest.settings import Settings
from tests.contract.fetching import opened
from tests.simulator.client import Simulator

pytest_plugins = ("tests.simulator.fixtures",)

PAGE = 100
"""Names or changes on a page, where the size of a page is ours."""


Page = TypeVar("Page", NamesPage, ChangesPage)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The properties of an ecosystem's listing and feed."""

    page: str | None
    """The constant that holds how many are on a page (``module.NAME``), if there is one."""
    listing: tuple[str, ...]
    """The simulator's endpoints that a listing reads."""
    feed: tuple[str, ...]
    """The simulator's endpoints that are read for changes when there are some."""
    idle: int
    """Requests for changes when nothing has changed."""
    untold: frozenset[str] = frozenset()
    """Kinds of events that the feed does not tell (see :mod:`tests.simulator.history`)."""
    numbered: bool = True
    """Whether the feed counts in a sequence, which can begin anew."""
    tells_twice: bool = False
    """Whether a second source tells what the feed has lost."""
    notices_gaps: bool = False
    """Whether a feed that has lost its last entry is found out; else the staleness sweep heals."""
    no_cursor: frozenset[str] = frozenset({""})
    """Texts with which a listing begins, as without a cursor."""
    is_history: bool = False
    """Whether the listing is all that ever happened: names come again, and deleted ones stay."""

    def names(self, pages: list[NamesPage]) -> list[str]:
        """The names on all pages, sorted; those of a history without duplicates."""
        found = names_on(pages)
        return sorted(set(found) if self.is_history else found)


LISTINGS = {
    "pypi": Listed(
        no_cursor=frozenset({"", "{}"}),
        page="ssc_ingest.ecosystems.pypi.listing.PAGE_SIZE",
        listing=("pypi.projects",),
        feed=("pypi.projects",),
        idle=1,
        untold=frozenset({"delete"}),  # the project is no longer in the list, and that is all
    ),
    "npm": Listed(
        page="ssc_ingest.ecosystems.npm.feed.LIMIT",
        listing=("npm.database", "npm.changes"),
        feed=("npm.database", "npm.changes"),
        idle=1,
    ),
    "maven": Listed(
        page="ssc_ingest.ecosystems.maven.listing.PAGE_SIZE",
        listing=("maven.properties", "maven.index"),
        # For a chunk that is gone there is the index: see test_maven_listing.py.
        feed=("maven.properties",),
        idle=1,
        untold=frozenset({"yank"}),  # Maven has no such thing
        tells_twice=True,
    ),
    "nuget": Listed(
        no_cursor=frozenset({"", "{}"}),
        page=None,
        listing=("nuget.catalog-index", "nuget.catalog-page"),
        feed=("nuget.catalog-index", "nuget.catalog-page"),
        idle=1,
        is_history=True,
    ),
    "cargo": Listed(
        no_cursor=frozenset(),
        page="ssc_ingest.ecosystems.crates.listing.PAGE_SIZE",
        listing=("cargo.dump",),
        feed=("cargo.dump", "cargo.feed"),
        idle=2,
        numbered=False,
        tells_twice=True,
    ),
    "rubygems": Listed(
        no_cursor=frozenset(),
        page="ssc_ingest.ecosystems.rubygems.listing.PAGE_SIZE",
        listing=("rubygems.names",),
        feed=("rubygems.list",),
        idle=1,
        numbered=False,
    ),
}


@pytest.fixture(params=LISTINGS)
def name(request: pytest.FixtureRequest, clean_redis: None) -> str:
    """The ecosystem's name."""
    return str(request.param)


SetPageSize = Callable[[int], None]


@pytest.fixture
def page_size(name: str, monkeypatch: pytest.MonkeyPatch) -> SetPageSize:
    """Set the number of names or changes per page, if the program decides it."""

    def set_page_size(size: int) -> None:
        if page := LISTINGS[name].page:
            monkeypatch.setattr(page, size)

    set_page_size(PAGE)
    return set_page_size


@pytest.fixture
async def reader(
    name: str,
    page_size: SetPageSize,
    simulator: Simulator,
    settings: Settings,
    redis_url: str,
) -> AsyncIterator[Ecosystem]:
    """The ecosystem, reading its simulated registry in small pages."""
    async with opened(ecosystem(name), simulator, settings, redis_url) as reader:
        yield reader


async def first(pages: AsyncIterator[Page]) -> Page:
    """Read only the first page."""
    assert isinstance(pages, AsyncGenerator)
    async with aclosing(pages):
        return await anext(pages)


async def listing(reader: Ecosystem, cursor: str | None = None) -> list[NamesPage]:
    """All pages of a listing."""
    return [page async for page in reader.list_names(cursor)]


async def changing(reader: Ecosystem, cursor: str) -> list[ChangesPage]:
    """All pages of changes."""
    return [page async for page in reader.list_changes(cursor)]


def names_on(pages: list[NamesPage]) -> list[str]:
    """The names on all pages."""
    return [name for page in pages for name in page.names]


def changes_on(pages: list[ChangesPage]) -> dict[str, Change]:
    """The changes on all pages, by name."""
    return {change.name: change for page in pages for change in page.changes}


def last_cursor(pages: list[ChangesPage], before: str) -> str:
    """The cursor after these pages."""
    return pages[-1].cursor if pages else before


def publish(simulator: Simulator, name: str, start: int, count: int = 1) -> set[str]:
    """Release a version of some packages; returns their names."""
    packages = simulator.packages(name, count, start=start)
    for package in packages:
        simulator.publish(name, package.name)
    return {package.name for package in packages}


# All names ----------------------------------------------------------------------------------


async def test_all_names_are_listed(reader: Ecosystem, name: str, simulator: Simulator) -> None:
    """Each existing name occurs once, in the registry's spelling; the total is announced."""
    row = LISTINGS[name]
    deleted = simulator.packages(name, 1, start=7)[0].name
    simulator.delete(name, deleted)
    simulator.add(name)
    pages = await listing(reader)
    found = row.names(pages)
    assert found == sorted([*simulator.names(name), *([deleted] if row.is_history else [])])
    assert len(set(found)) == len(found) == 1000 + row.is_history
    assert all(len(set(page.names)) == len(page.names) for page in pages)
    assert all(page.total is None or abs(page.total - 1000) < 10 for page in pages)
    assert {page.repeats for page in pages} == {row.is_history}


async def test_a_listing_goes_on_at_every_cursor(
    reader: Ecosystem,
    name: str,
    simulator: Simulator,
    settings: Settings,
    redis_url: str,
) -> None:
    """Another process with a page's cursor lists exactly the remaining names."""
    pages = await listing(reader)
    assert len(pages) > 1
    for number, page in enumerate(pages):
        async with opened(ecosystem(name), simulator, settings, redis_url) as other:
            rest = names_on(await listing(other, page.cursor))
        assert rest == names_on(pages[number + 1 :])


async def test_a_listing_goes_on_although_the_registry_has_changed(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Packages that existed all the time are listed, or the cursor expires."""
    begin = await first(reader.list_names(None))
    gone = [found.name for found in simulator.packages(name, 5, start=3)]
    for each in gone:
        simulator.delete(name, each)
    publish(simulator, name, 500, 3)
    simulator.add(name)
    try:
        rest = await listing(reader, begin.cursor)
    except CursorExpired:
        rest = await listing(reader)
    found = {*begin.names, *names_on(rest)}
    stayed = {package.name for package in simulator.packages(name, 995) if package.name not in gone}
    assert stayed - found == set()


# Changes ------------------------------------------------------------------------------------


async def test_nothing_has_changed(reader: Ecosystem, name: str, simulator: Simulator) -> None:
    """If nothing has changed, an update costs few requests and returns no changes."""
    cursor = await reader.feed_end()
    for _ in range(2):
        simulator.reset_counts()
        pages = await changing(reader, cursor)
        assert changes_on(pages) == {}
        assert simulator.counts().total <= LISTINGS[name].idle
        cursor = last_cursor(pages, cursor)


async def test_exactly_what_has_changed(reader: Ecosystem, name: str, simulator: Simulator) -> None:
    """Every kind of event in the feed is reported, and nothing else."""
    untold = LISTINGS[name].untold
    published, yanked, shrunk, deleted = (
        found.name for found in simulator.packages(name, 4, start=200, traits=("many-versions",))
    )
    cursor = await reader.feed_end()
    simulator.publish(name, published)
    simulator.yank(name, yanked, simulator.truth(name, yanked).versions[-1].name)
    simulator.delete_version(name, shrunk, simulator.truth(name, shrunk).versions[0].name)
    simulator.delete(name, deleted)
    added = simulator.add(name).registry_name
    happened = {
        "publish": published, "yank": yanked, "delete-version": shrunk, "delete": deleted,
        "add": added,
    }  # fmt: skip
    assert happened.keys() == {event.kind for event in simulator.history(name)}

    pages = await changing(reader, cursor)
    found = changes_on(pages)
    assert found.keys() == {each for kind, each in happened.items() if kind not in untold}
    assert {each for each, change in found.items() if change.deleted} <= {deleted}
    assert changes_on(await changing(reader, last_cursor(pages, cursor))) == {}


async def test_what_is_expected_is_there(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A package has the announced state, so its response is not stale."""
    (found,) = simulator.packages(name, 1, start=60, traits=("requirements",))
    before = await reader.fetch(FetchRequest(reader.ref(found.name)))
    cursor = await reader.feed_end()
    truth = simulator.publish(name, found.name)
    (change,) = changes_on(await changing(reader, cursor)).values()
    assert isinstance(before, Package)
    after = await reader.fetch(
        FetchRequest(reader.ref(change.name), etag=before.etag, expected=change.expected)
    )
    assert isinstance(after, Package)
    assert [version.name for version in after.versions] == [v.name for v in truth.versions]


async def test_changes_go_on_at_every_cursor(
    reader: Ecosystem, name: str, simulator: Simulator, page_size: SetPageSize
) -> None:
    """Each page's cursor leads to the rest, with at most one repeated page."""
    page_size(10)
    cursor = await reader.feed_end()
    changed = publish(simulator, name, 100, 35)
    pages = await changing(reader, cursor)
    assert changes_on(pages).keys() == changed
    size = max(len(page.changes) for page in pages)
    for number, page in enumerate(pages):
        rest = changes_on(await changing(reader, page.cursor)).keys()
        before = changes_on(pages[: number + 1]).keys()
        assert before | rest == changed
        assert len(before & rest) <= size


async def test_changes_while_changes_are_read(
    reader: Ecosystem, name: str, simulator: Simulator, page_size: SetPageSize
) -> None:
    """Later changes are found from a page's cursor."""
    page_size(10)
    cursor = await reader.feed_end()
    changed = publish(simulator, name, 100, 35)
    for moment in range(3):
        page = await first(reader.list_changes(cursor))
        changed -= {change.name for change in page.changes}
        again = publish(simulator, name, 100, 5) | publish(simulator, name, 300 + moment)
        cursor, changed = page.cursor, changed | again
    assert changed <= changes_on(await changing(reader, cursor)).keys()


async def test_a_sequence_that_begins_anew(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """The cursor expires; the feed's new end and a listing replace it."""
    cursor = await reader.feed_end()
    changed = publish(simulator, name, 100)
    simulator.reset_sequence(name)
    if not LISTINGS[name].numbered:
        assert changes_on(await changing(reader, cursor)).keys() == changed
        return
    with pytest.raises(CursorExpired):
        await changing(reader, cursor)
    cursor = await reader.feed_end()
    assert LISTINGS[name].names(await listing(reader)) == sorted(simulator.names(name))
    changed = publish(simulator, name, 200)
    assert changes_on(await changing(reader, cursor)).keys() == changed


async def test_a_stale_page_loses_nothing(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """Changes that a cache hides are found later from the earlier cursor."""
    begin = await reader.feed_end()
    changed = publish(simulator, name, 100, 3)
    simulator.stale(name)
    cursor = begin
    with suppress(RegistryUnavailable):
        cursor = last_cursor(await changing(reader, cursor), cursor)
    simulator.stale(name, on=False)
    assert changes_on(await changing(reader, cursor)).keys() == changed


async def test_a_page_from_before_the_cursor(
    reader: Ecosystem, name: str, simulator: Simulator
) -> None:
    """A cache older than the cursor neither moves it back nor ends the feed."""
    publish(simulator, name, 100, 3)
    cursor = await reader.feed_end()
    simulator.stale(name)
    with suppress(RegistryUnavailable):
        pages = await changing(reader, cursor)
        assert changes_on(pages) == {}
        cursor = last_cursor(pages, cursor)
    simulator.stale(name, on=False)
    changed = publish(simulator, name, 200)
    assert changes_on(await changing(reader, cursor)).keys() == changed


async def test_dropped_entries(reader: Ecosystem, name: str, simulator: Simulator) -> None:
    """A feed with lost entries is detected, or continues with later entries.

    If it is not detected, a staleness run finds the package.
    """
    cursor = await reader.feed_end()
    dropped = publish(simulator, name, 100)
    simulator.drop_feed_entries(name)
    changed = publish(simulator, name, 200, 2)
    if LISTINGS[name].notices_gaps:
        with pytest.raises(CursorExpired):
            await changing(reader, cursor)
        return
    pages = await changing(reader, cursor)
    healed = dropped if LISTINGS[name].tells_twice else set()
    assert changes_on(pages).keys() == changed | healed
    (lost,) = dropped
    changed = publish(simulator, name, 300)
    pages = await changing(reader, last_cursor(pages, cursor))
    assert changes_on(pages).keys() == changed
    answer = await reader.fetch(FetchRequest(reader.ref(lost)))
    assert isinstance(answer, Package)
    assert len(answer.versions) == len(simulator.truth(name, lost).versions)


FOREIGN = ("", "{}", "[]", "17", "{", '"x"', "nonsense", "\x00", '{"since": []}', '{"serial": "x"}',
           '{"serial": []}', '{"after": 1}', '{"chain": 1}', '{"head": 1}',
           '{"compared": "yesterday"}')  # fmt: skip
"""Texts that are not a cursor, or the cursor of another ecosystem."""


async def test_a_foreign_cursor_expires(reader: Ecosystem, name: str) -> None:
    """A text that is no cursor of this ecosystem requires a new listing."""
    for cursor in FOREIGN:
        with pytest.raises(CursorExpired):
            await changing(reader, cursor)
        if cursor not in LISTINGS[name].no_cursor:
            with pytest.raises(CursorExpired):
                await listing(reader, cursor)


# What goes wrong ------------------------------------------------------------------------------

FAULTS: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "404": {"kind": "status", "status": 404},
    "error page": {"kind": "html"},
    "empty": {"kind": "empty"},
    "empty object": {"kind": "body", "body": "{}"},
    "empty array": {"kind": "body", "body": "[]"},
    "null": {"kind": "body", "body": "null"},
    "deep": {"kind": "body", "body": "[" * 100_000},
    "no text": {"kind": "body", "body": b"\xff\xfe\x00\x01"},
    "half a document": {"kind": "not-json"},
    "broken off": {"kind": "truncate", "keep": 0.7},
    "reset": {"kind": "reset", "at": "body"},
    "fields are missing": {"kind": "missing-keys"},
    "fields are wrong": {"kind": "wrong-types"},
    "elsewhere": {"kind": "redirect", "location": "http://registry.example/x"},
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_no_failure_is_the_end(
    reader: Ecosystem,
    name: str,
    simulator: Simulator,
    fault: dict[str, Any],
) -> None:
    """Each failure is an error of listing and feed; without it both are complete."""
    cursor = await reader.feed_end()
    changed = publish(simulator, name, 100, 3)
    row = LISTINGS[name]
    for endpoint in row.listing:
        number = simulator.fault(**fault, endpoint=endpoint)
        with pytest.raises(RegistryError):
            await listing(reader)
        simulator.clear_faults(number)
    for endpoint in row.feed:
        number = simulator.fault(**fault, endpoint=endpoint)
        with pytest.raises(RegistryError) as caught:
            await changing(reader, cursor)
        assert not isinstance(caught.value, CursorExpired)
        simulator.clear_faults(number)
    assert row.names(await listing(reader)) == sorted(simulator.names(name))
    assert changes_on(await changing(reader, cursor)).keys() == changed
