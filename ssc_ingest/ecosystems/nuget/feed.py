"""Reads NuGet's catalog from a given time: the whole registry, or its changes.

A pass reads the index, and then the pages with new items, ordered by their stamps; it requests some
pages ahead. A page's stamp is that of its newest item, but older items may be on a later page. So a
cursor has two stamps:

``since``    all items up to it had been processed when the pass started;
``through``  all pages up to it have been processed in this pass.

A continued pass reads the pages after ``through``, and from them all items after ``since``. So no
item is lost, in any distribution of the items. At the end of a pass both are the index's stamp.
With the index's ETag, the next pass costs one request if nothing has changed. The next pass also
handles items that were added to a page after the index was read.

An index that is older than the cursor is stale. If it is more than a day older, the catalog was
started over, and only a whole listing can find the changes.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator

from ssc_ingest.ecosystems.base import ChangesPage, NamesPage
from ssc_ingest.ecosystems.concurrency import in_order, off_loop
from ssc_ingest.ecosystems.cursors import Cursor
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.nuget.catalog import (
    CatalogIndex,
    CatalogPage,
    Item,
    PageEntry,
    changes_of,
    check_stamp,
    moment_of,
    names_of,
    parse,
)
from ssc_ingest.errors import CursorExpired, RegistryUnavailable, ResourceNotFound, StaleAnswer
from ssc_ingest.http.responses import Response

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

MAX_INDEX = 64 * 1024 * 1024
"""Bytes of the catalog's index; NuGet.org's has some 25,000 pages and 7 MB."""

MAX_PAGE = 16 * 1024 * 1024
"""Bytes of a page; those of NuGet.org have 250 KB."""

CONCURRENCY = 8
"""Number of concurrent requests for pages."""

CACHE_LAG = timedelta(days=1)
"""Maximum age difference between a cached index and an earlier one."""

JSON = "application/json"

_PATH = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.json", re.ASCII)

Stamp = Annotated[str, AfterValidator(check_stamp)]


class FeedCursor(Cursor):
    """The position in the catalog; without stamps, its beginning."""

    registry = "NuGet"

    since: Stamp | None = None
    through: Stamp | None = None
    etag: str | None = None
    """The index's validator, if all of its pages have been processed."""


class CatalogNames(NamesPage):
    """The packages of a catalog page; a package is repeated for each of its commits."""

    __slots__ = ()
    repeats: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Pass:
    """The plan of one pass."""

    pages: tuple[PageEntry, ...]
    """The pages after the cursor, by stamp."""
    base: str
    """The base URL of the index, according to the index."""
    end: FeedCursor
    """The cursor at the end of the pass."""

    def new(self, page: CatalogPage, cursor: FeedCursor) -> list[Item]:
        """The items of a page that are new for a pass from ``cursor``."""
        start, end = cursor.since or "", self.end.since or ""
        return [item for item in page.items if start < item.stamp <= end]


def plan_pass(cursor: FeedCursor, body: bytes, etag: str | None, url: str) -> Pass:
    """The pass from a cursor to the end of the index.

    Raises:
        StaleAnswer: the index is older than the cursor.
        CursorExpired: the index is so much older that no cache can be the reason.
        MalformedMetadata, RegistryUnavailable: see :func:`.catalog.parse`.
    """
    index = parse(CatalogIndex, body, url)
    newest = max([index.stamp, *(entry.stamp for entry in index.items)])
    if cursor.through and newest < cursor.through:
        lag = moment_of(cursor.through) - moment_of(newest)
        text = f"the catalog's index is from {newest}, an earlier one was from {cursor.through}"
        if lag > CACHE_LAG:
            raise CursorExpired(text, url=url)
        raise StaleAnswer(text, url=url)
    pages = (entry for entry in index.items if entry.stamp > (cursor.through or ""))
    return Pass(
        pages=tuple(sorted(pages, key=lambda entry: (entry.stamp, entry.url))),
        base=index.url.rpartition("/")[0],
        end=FeedCursor(since=newest, through=newest, etag=etag),
    )


def cursors_behind(cursor: FeedCursor, plan: Pass) -> Iterator[FeedCursor]:
    """The cursor after each page; it moves after the last page with the same stamp."""
    for entry, following in pairwise(plan.pages):
        if entry.stamp < following.stamp:
            cursor = FeedCursor(since=cursor.since, through=entry.stamp)
        yield cursor
    yield plan.end


class Feed:
    """The catalog of one source."""

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
        self._client = client
        self._endpoints = endpoints

    async def end(self) -> str:
        """The cursor at the catalog's current end."""
        return (await self._look(FeedCursor())).end.write()

    async def names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """The packages on the pages after a cursor."""
        start = FeedCursor.read(cursor) if cursor else FeedCursor()
        async with aclosing(self._pages(start)) as pages:
            async for items, behind in pages:
                yield CatalogNames(names_of(items), behind.write())

    async def changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Changes since a cursor."""
        start = FeedCursor.read(cursor)
        if start.since is None:
            raise CursorExpired(f"not a cursor of changes: {cursor[:100]!r}")
        async with aclosing(self._pages(start)) as pages:
            async for items, behind in pages:
                yield ChangesPage(changes_of(items), behind.write())

    async def _pages(self, cursor: FeedCursor) -> AsyncGenerator[tuple[list[Item], FeedCursor]]:
        """The new items of each page, and the cursor after the page."""
        plan = await self._look(cursor)
        cursors = cursors_behind(cursor, plan)

        async def read(entry: PageEntry) -> CatalogPage:
            return await self._page(entry, plan.base)

        async with aclosing(in_order(read, plan.pages, CONCURRENCY)) as pages:
            async for page in pages:
                yield plan.new(page, cursor), next(cursors)
        if not plan.pages and plan.end.since != cursor.since:
            yield [], plan.end

    async def _look(self, cursor: FeedCursor) -> Pass:
        """Read the index."""
        url = self._endpoints.url("catalog", "index.json")
        response = await self._get(url, MAX_INDEX, etag=cursor.etag)
        if response.not_modified:
            return Pass((), "", cursor)
        body = response.body
        return await off_loop(len(body), plan_pass, cursor, body, response.etag, response.url)

    async def _page(self, entry: PageEntry, base: str) -> CatalogPage:
        """Read a page that is at least as new as the index says."""
        url, path = entry.url, entry.url.removeprefix(f"{base}/")
        if path != url and _PATH.fullmatch(path):
            # At the configured base URL, since a mirror may have copied the index.
            url = self._endpoints.url("catalog", path)
        body = (await self._get(url, MAX_PAGE)).body
        page: CatalogPage = await off_loop(len(body), parse, CatalogPage, body, url)
        if page.stamp < entry.stamp:
            raise StaleAnswer(
                f"the page is from {page.stamp}, but from {entry.stamp} according to the index"
            )
        return page

    async def _get(self, url: str, max_bytes: int, etag: str | None = None) -> Response:
        try:
            return await self._client.get(url, max_bytes=max_bytes, accept=JSON, etag=etag)
        except ResourceNotFound as error:
            # The registry is not gone: the address is wrong, or the page is not available
            # everywhere yet.
            raise RegistryUnavailable("a document of the catalog is missing", url=url) from error
