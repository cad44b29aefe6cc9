"""The pages that a run reads, in one form for all sources."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ssc_ingest.ecosystems.base import Change, Ecosystem

if TYPE_CHECKING:
    from ssc_ingest.runs.model import Run
    from ssc_ingest.runs.publisher import RunServices

PageT = TypeVar("PageT")


@dataclass(frozen=True, slots=True)
class Page:
    """The packages; those of a listing have a change with only the name."""

    changes: tuple[Change, ...]
    cursor: str
    """The cursor after this page."""
    total: int | None = None
    """Number of names in the whole listing, if known."""
    repeats: bool = False
    """Whether other pages of the listing may repeat its names."""
    versions_to_fill: int = 0
    """Maximum number of versions without facts that are read again for each package."""


@dataclass(frozen=True, slots=True)
class PageSource:
    """A source of pages for runs."""

    mode: str
    """The source's name in the records of runs."""
    pages: "Callable[[RunServices, Run], AsyncGenerator[Page, None]]"
    """The pages after the run's cursor; raises the errors of the registry's module or the graph.
    """


async def read_listing(ecosystem: Ecosystem, cursor: str | None) -> AsyncGenerator[Page, None]:
    """The pages of the whole listing after ``cursor``; raises the errors of ``list_names``."""
    async with closing(ecosystem.list_names(cursor)) as listing:
        async for names in listing:
            changes = (Change(name, hints=names.hints.get(name)) for name in names.names)
            yield Page(tuple(changes), names.cursor, names.total, names.repeats)


async def read_feed(ecosystem: Ecosystem, cursor: str) -> AsyncGenerator[Page, None]:
    """The pages of the feed after ``cursor``; raises the errors of ``list_changes``."""
    async with closing(ecosystem.list_changes(cursor)) as feed:
        async for part in feed:
            yield Page(part.changes, part.cursor)


def _stale(services: "RunServices", run: "Run") -> AsyncGenerator[Page, None]:
    # It imports the graph's driver, which a command that only lists runs does not use.
    from ssc_ingest.runs.staleness import StalePackages

    return StalePackages(services, run).pages()


def _unnamed(services: "RunServices", run: "Run") -> AsyncGenerator[Page, None]:
    from ssc_ingest.runs.backfill import read_unnamed

    return read_unnamed(services, run)


LISTING = PageSource("names", lambda services, run: read_listing(services.ecosystem, run.cursor))
FEED = PageSource("changes", lambda services, run: read_feed(services.ecosystem, run.cursor or ""))
STALE = PageSource("stale", _stale)
NAMES = PageSource("import names", _unnamed)


@asynccontextmanager
async def closing(pages: AsyncIterator[PageT]) -> AsyncIterator[AsyncIterator[PageT]]:
    """Close the listing's connections at the end of the block."""
    try:
        yield pages
    finally:
        if isinstance(pages, AsyncGenerator):
            await pages.aclose()
