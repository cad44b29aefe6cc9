"""Lists all gems from ``/names``, and follows the lines added to ``/versions``.

A cursor of changes is a position in ``/versions``: an offset, a digest of the kilobyte before it,
and the list's head. The next request is for that kilobyte and the following bytes. If the kilobyte
and the head, which has the time of the list, are unchanged, the list has only grown. Otherwise
everything is read again and reported with the digests of the gems' files, by which the caller
recognises changes. The announced digest of the list is that of the whole list, so it is checked
only when all of it is read, which happens every month at least.
"""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from pydantic import Field

from ssc_ingest.ecosystems.base import ChangesPage, NamesPage
from ssc_ingest.ecosystems.cursors import Cursor
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.rubygems.identity import IDENTITY
from ssc_ingest.ecosystems.rubygems.lists import (
    MAX_HEAD_LENGTH,
    OVERLAP,
    Lists,
    digest_of,
    head_of,
    tail_of,
)
from ssc_ingest.errors import (
    CursorExpired,
    MalformedMetadata,
    RangeNotSatisfiable,
    RegistryUnavailable,
    ResponseTooLarge,
)
from ssc_ingest.http.responses import Response
from ssc_ingest.logs import get_logger

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

logger = get_logger(__name__)

MAX_LIST = 1024 * 1024 * 1024
"""Bytes of a list; ``/versions`` has some 25 MB."""

MAX_ADDED = 4 * 1024 * 1024
"""Maximum added bytes that are read in memory; a month adds some 3 MB."""

PAGE_SIZE = 5000
"""Gems on a page."""

TEXT = "text/plain, */*;q=0.5"

PARTIAL = 206

_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(?:\d+|\*)")

T = TypeVar("T")


class _Cursor(Cursor):
    registry = "RubyGems"


class ListingPosition(_Cursor):
    """The first ``names`` names of the list with that SHA-256 have been listed."""

    sha256: str
    names: int = Field(ge=0)


class FeedPosition(_Cursor):
    """A position in ``/versions``; ``etag`` is the list's validator if the position is its end."""

    head: str
    offset: int = Field(ge=0)
    tail: str
    etag: str | None = None

    @property
    def overlap_start(self) -> int:
        """The offset of the bytes that are compared."""
        return max(0, self.offset - OVERLAP)


class Listing:
    """The lists of the compact index."""

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
        self._client = client
        self._names_url = endpoints.url("index", "names")
        self._versions_url = endpoints.url("index", "versions")

    async def names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All names.

        Raises:
            CursorExpired: the list was replaced since the cursor was written.
        """
        position = None if cursor is None else ListingPosition.read(cursor)
        async with self._whole(self._names_url) as (lists, sha256, _):
            if position and position.sha256 != sha256:
                raise CursorExpired("the list of names has been replaced", url=self._names_url)
            total = await asyncio.to_thread(lambda: sum(1 for _ in lists.names()))
            listed = position.names if position else 0
            names = islice(lists.names(), listed, None)
            while page := await asyncio.to_thread(_take, names):
                listed += len(page)
                reached = ListingPosition(sha256=sha256, names=listed)
                yield NamesPage(tuple(page), reached.write(), total)

    async def end(self) -> str:
        """The cursor at the current end of ``/versions``: two requests."""
        try:
            tail = await self._part(f"-{OVERLAP}")
            part = _CONTENT_RANGE.fullmatch(tail.headers.get("content-range", ""))
            if tail.status == PARTIAL and part and tail.body.endswith(b"\n"):
                head = await self._head()
                position = FeedPosition(
                    head=head_of(head.body, head.url),
                    offset=int(part[2]) + 1,
                    tail=tail_of(tail.body),
                    etag=tail.etag,
                )
                return position.write()
        except (RangeNotSatisfiable, ResponseTooLarge):
            pass  # the host ignores byte ranges, or the list is shorter
        async with self._whole(self._versions_url) as (lists, _, etag):
            place = await asyncio.to_thread(lambda: lists.place(lists.end()))
            return FeedPosition(head=lists.head(), **place._asdict(), etag=etag).write()

    async def changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """The gems on the lines after the cursor, or all gems if the list was replaced."""
        position = FeedPosition.read(cursor)
        response = await self._behind(position)
        if response and response.not_modified:
            return
        # The head is read last: it reveals whether the list was rebuilt in between.
        if response and await self._is_head(position.head):
            known = response.body[: position.offset - position.overlap_start]
            if len(known) < position.offset - position.overlap_start:
                # The same list, but shorter: from a lagging cache.
                logger.info("list_is_older", ecosystem=IDENTITY.name, read_up_to=position.offset)
                return
            if tail_of(known) == position.tail:
                added = Lists(io.BytesIO(response.body), self._versions_url, position.overlap_start)
                async for page in _pages(added, position.head, position.offset, response.etag):
                    yield page
                return
        async with self._whole(self._versions_url) as (lists, _, etag):
            head = lists.head()
            begin = len(head)
            if head == position.head:
                place = await asyncio.to_thread(lists.place, position.offset)
                if place.tail == position.tail:
                    begin = position.offset
            async for page in _pages(lists, head, begin, etag):
                yield page

    async def _behind(self, position: FeedPosition) -> Response | None:
        """The kilobyte before the position and all bytes after it, if they exist.

        ``None``: the host ignores byte ranges, or more was added than the limit.
        """
        try:
            response = await self._part(f"{position.overlap_start}-", etag=position.etag)
        except RangeNotSatisfiable:
            return Response(self._versions_url, PARTIAL, b"", {})
        except ResponseTooLarge:
            return None
        return response if response.not_modified or response.status == PARTIAL else None

    async def _part(self, byte_range: str, etag: str | None = None) -> Response:
        """A part of ``/versions``, or all of it, or "not modified"."""
        response = await self._client.get(
            self._versions_url, max_bytes=MAX_ADDED, accept=TEXT, etag=etag, byte_range=byte_range
        )
        match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if match and response.status == PARTIAL:
            announced = int(match[2]) - int(match[1]) + 1
            if len(response.body) != announced:
                found = len(response.body)
                raise RegistryUnavailable(f"{found} of {announced} bytes", url=response.url)
        return response

    async def _head(self) -> Response:
        return await self._part(f"0-{MAX_HEAD_LENGTH - 1}")

    async def _is_head(self, head: str) -> bool:
        response = await self._head()
        return head_of(response.body, response.url) == head

    @asynccontextmanager
    async def _whole(self, url: str) -> AsyncIterator[tuple[Lists, str, str | None]]:
        """A whole list, downloaded for the block, with its SHA-256 and its validator."""
        async with self._client.download(url, max_bytes=MAX_LIST, accept=TEXT) as download:
            announced = download.headers.get("repr-digest", "")
            sha256 = await asyncio.to_thread(digest_of, download.file, announced, url)
            yield Lists(download.file, url), sha256, download.headers.get("etag")


async def _pages(
    lists: Lists, head: str, start: int, etag: str | None
) -> AsyncIterator[ChangesPage]:
    """The gems on the lines from ``start``; the last page's cursor is the end of the list."""
    lines = lists.latest_lines(start)
    page = await asyncio.to_thread(_take, lines)
    if not page and start <= len(head):
        raise MalformedMetadata("the list of versions is empty")
    reached = start
    while True:
        following = await asyncio.to_thread(_take, lines)
        reached = page[-1].end if page else reached
        place = await asyncio.to_thread(lists.place, reached)
        position = FeedPosition(head=head, **place._asdict(), etag=None if following else etag)
        yield ChangesPage(tuple(line.change for line in page), position.write())
        if not following:
            return
        page = following


def _take(items: Iterator[T]) -> list[T]:
    return list(islice(items, PAGE_SIZE))
