"""The pages that a run reads, in one shape wherever they come from."""

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
    """Some packages; of the listing each with a change that says nothing but its name."""

    changes: tuple[Change, ...]
    cursor: str
    """Where to go on behind it."""
    total: int | None = None
    """Names in the whole listing, where it tells."""
    repeats: bool = False
    """Whether its names may be on other pages of the listing as well."""
    versions_to_fill: int = 0
    """Most versions without facts of each package that are read again."""


@dataclass(frozen=True, slots=True)
class PageSource:
    """Where the pages of a run come from."""

    mode: str
    """Its name in the records of runs."""
    pages: "Callable[[RunServices, Run], AsyncGenerator[Page, None]]"
    """The pages behind the run's cursor; raises what the registry's or the graph's reader raises.
    """


async def read_listing(ecosystem: Ecosystem, cursor: str | None) -> AsyncGenerator[Page, None]:
    """The pages of the whole listing behind ``cursor``; raises what ``list_names`` raises."""
    async with closing(ecosystem.list_names(cursor)) as listing:
        async for names in listing:
            changes = (Change(name, hints=names.hints.get(name)) for name in names.names)
            yield Page(tuple(changes), names.cursor, names.total, names.repeats)


async def read_feed(ecosystem: Ecosystem, cursor: str) -> AsyncGenerator[Page, None]:
    """The pages of the feed behind ``cursor``; raises what ``list_changes`` raises."""
    async with closing(ecosystem.list_changes(cursor)) as feed:
        async for part in feed:
            yield Page(part.changes, part.cursor)


LISTING = PageSource("names", lambda services, run: read_listing(services.ecosystem, run.cursor))
FEED = PageSource("changes", lambda services, run: read_feed(services.ecosystem, run.cursor or ""))


@asynccontextmanager
async def closing(pages: AsyncIterator[PageT]) -> AsyncIterator[AsyncIterator[PageT]]:
    """What a listing holds open is closed with the block, also when it stops in the middle."""
    try:
        yield pages
    finally:
        if isinstance(pages, AsyncGenerator):
            await pages.aclose()
