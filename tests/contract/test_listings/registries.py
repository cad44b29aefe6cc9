"""What the listing and the feed of each registry promise, and how tests read them."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from ssc_ingest.ecosystems.base import Change, ChangesPage, Ecosystem, NamesPage
from tests.simulator.client import Simulator

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
