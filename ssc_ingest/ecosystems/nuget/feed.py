"""Reading NuGet's catalog from some moment on: the whole registry, or what has changed.

A pass reads the index and then, in the order of their stamps, the pages that got items since; some
are asked for ahead. A page's stamp is that of its newest item, and nothing says that older items
are not on a later page, so a cursor has two stamps:

``since``    everything up to it had been handed over when the pass began;
``through``  pages up to it have been handed over in this pass.

Who goes on at a cursor reads the pages behind ``through``, and takes from them all items behind
``since``: none is lost, however the items are spread. Where a pass ends both are the index's
stamp, and its ETag makes the next one cost a single request if nothing has happened. An item that
came to a page after the index was read is left to the next pass.

The index is stale if it is older than the cursor. A day older, it will not catch up: the catalog
was begun anew, and only the whole listing can tell what has changed.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, ClassVar

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
from ssc_ingest.http.client import RegistryClient
from ssc_ingest.http.responses import Response

MAX_INDEX = 64 * 1024 * 1024
"""Bytes of the catalog's index; NuGet.org's has some 25,000 pages and 7 MB."""

MAX_PAGE = 16 * 1024 * 1024
"""Bytes of a page; those of NuGet.org have 250 KB."""

CONCURRENCY = 8
"""Pages that are asked for at the same time."""

WILL_CATCH_UP = timedelta(days=1)
"""How far a cache may lag behind what it has shown before."""

JSON = "application/json"

_PATH = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.json", re.ASCII)

Stamp = Annotated[str, AfterValidator(check_stamp)]


class FeedCursor(Cursor):
    """See above; without stamps, the beginning."""

    registry = "NuGet"

    since: Stamp | None = None
    through: Stamp | None = None
    etag: str | None = None
    """The index's, if all that it names has been handed over."""


class CatalogNames(NamesPage):
    """The packages of a catalog page: each is on as many pages as it has commits."""

    __slots__ = ()
    repeats: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a pass has before it."""

    pages: tuple[PageEntry, ...]
    """Those behind the cursor, by stamp."""
    base: str
    """Where the index says that it is."""
    end: FeedCursor
    """Where the pass will have ended."""

    def new(self, page: CatalogPage, cursor: FeedCursor) -> list[Item]:
        """The items of a page that a pass from a cursor hands over."""
        begin, end = cursor.since or "", self.end.since or ""
        return [item for item in page.items if begin < item.stamp <= end]


def look_ahead(cursor: FeedCursor, body: bytes, etag: str | None, url: str) -> Ahead:
    """What the index has for a pass from a cursor.

    Raises:
        StaleAnswer: it is older than the cursor.
        CursorExpired: so much that it cannot be a cache's.
        MalformedMetadata, RegistryUnavailable: see :func:`.catalog.parse`.
    """
    index = parse(CatalogIndex, body, url)
    newest = max([index.stamp, *(entry.stamp for entry in index.items)])
    if cursor.through and newest < cursor.through:
        lag = moment_of(cursor.through) - moment_of(newest)
        text = f"the catalog's index is of {newest}, which was {cursor.through} already"
        if lag > WILL_CATCH_UP:
            raise CursorExpired(text, url=url)
        raise StaleAnswer(text, url=url)
    pages = (entry for entry in index.items if entry.stamp > (cursor.through or ""))
    return Ahead(
        pages=tuple(sorted(pages, key=lambda entry: (entry.stamp, entry.url))),
        base=index.url.rpartition("/")[0],
        end=FeedCursor(since=newest, through=newest, etag=etag),
    )


def cursors_behind(cursor: FeedCursor, ahead: Ahead) -> Iterator[FeedCursor]:
    """The cursor behind each of the pages; of pages with one stamp, the last is behind it."""
    for entry, following in pairwise(ahead.pages):
        if entry.stamp < following.stamp:
            cursor = FeedCursor(since=cursor.since, through=entry.stamp)
        yield cursor
    yield ahead.end


class Feed:
    """The catalog of one source."""

    def __init__(self, client: RegistryClient, endpoints: Endpoints) -> None:
        self._client = client
        self._endpoints = endpoints

    async def end(self) -> str:
        """The cursor at the catalog's present end."""
        return (await self._look(FeedCursor())).end.write()

    async def names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """The packages on the pages behind a cursor."""
        begin = FeedCursor.read(cursor) if cursor else FeedCursor()
        async with aclosing(self._pages(begin)) as pages:
            async for items, behind in pages:
                yield CatalogNames(names_of(items), behind.write())

    async def changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """What has happened since a cursor."""
        begin = FeedCursor.read(cursor)
        if begin.since is None:
            raise CursorExpired(f"no cursor of changes: {cursor[:100]!r}")
        async with aclosing(self._pages(begin)) as pages:
            async for items, behind in pages:
                yield ChangesPage(changes_of(items), behind.write())

    async def _pages(self, cursor: FeedCursor) -> AsyncGenerator[tuple[list[Item], FeedCursor]]:
        """The new items of each page, and the cursor behind it."""
        ahead = await self._look(cursor)
        cursors = cursors_behind(cursor, ahead)

        async def read(entry: PageEntry) -> CatalogPage:
            return await self._page(entry, ahead.base)

        async with aclosing(in_order(read, ahead.pages, CONCURRENCY)) as pages:
            async for page in pages:
                yield ahead.new(page, cursor), next(cursors)
        if not ahead.pages and ahead.end.since != cursor.since:
            yield [], ahead.end

    async def _look(self, cursor: FeedCursor) -> Ahead:
        """Read the index."""
        url = self._endpoints.url("catalog", "index.json")
        response = await self._get(url, MAX_INDEX, etag=cursor.etag)
        if response.not_modified:
            return Ahead((), "", cursor)
        body = response.body
        return await off_loop(len(body), look_ahead, cursor, body, response.etag, response.url)

    async def _page(self, entry: PageEntry, base: str) -> CatalogPage:
        """Read a page, as new as the index says at least."""
        url, path = entry.url, entry.url.removeprefix(f"{base}/")
        if path != url and _PATH.fullmatch(path):
            # At the configured place, whatever host made the index: a mirror copies it.
            url = self._endpoints.url("catalog", path)
        body = (await self._get(url, MAX_PAGE)).body
        page: CatalogPage = await off_loop(len(body), parse, CatalogPage, body, url)
        if page.stamp < entry.stamp:
            raise StaleAnswer(f"a page of {page.stamp}, which the index has of {entry.stamp}")
        return page

    async def _get(self, url: str, max_bytes: int, etag: str | None = None) -> Response:
        try:
            return await self._client.get(url, max_bytes=max_bytes, accept=JSON, etag=etag)
        except ResourceNotFound as error:
            # Not the end of the registry: the address is wrong, or a page not everywhere yet.
            raise RegistryUnavailable("a document of the catalog is not there", url=url) from error
