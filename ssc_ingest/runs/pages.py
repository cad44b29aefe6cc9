"""The pages that a run reads: of the whole listing or of the feed, in one shape."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from ssc_ingest.ecosystems.base import Change, Ecosystem
from ssc_ingest.runs.model import Mode

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


async def read_pages(
    ecosystem: Ecosystem, mode: Mode, cursor: str | None
) -> AsyncGenerator[Page, None]:
    """The pages behind ``cursor``; raises what the ecosystem's methods raise."""
    if mode == "changes":
        async with closing(ecosystem.list_changes(cursor or "")) as feed:
            async for part in feed:
                yield Page(part.changes, part.cursor)
    else:
        async with closing(ecosystem.list_names(cursor)) as listing:
            async for names in listing:
                changes = (Change(name, hints=names.hints.get(name)) for name in names.names)
                yield Page(tuple(changes), names.cursor, names.total, names.repeats)


@asynccontextmanager
async def closing(pages: AsyncIterator[PageT]) -> AsyncIterator[AsyncIterator[PageT]]:
    """What a listing holds open is closed with the block, also when it stops in the middle."""
    try:
        yield pages
    finally:
        if isinstance(pages, AsyncGenerator):
            await pages.aclose()
