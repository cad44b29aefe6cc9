"""Lists all crates from the dump, and follows changes in dump and feed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from ssc_ingest.ecosystems.base import Change, ChangesPage, NamesPage
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.crates.comparison import Comparison
from ssc_ingest.ecosystems.crates.dump import Dump
from ssc_ingest.ecosystems.crates.feed import Published, parse_feed
from ssc_ingest.ecosystems.crates.identity import IDENTITY
from ssc_ingest.ecosystems.crates.position import MARGIN, FeedPosition, ListingPosition
from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.errors import CursorExpired, ResponseTooLarge
from ssc_ingest.logs import get_logger

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

logger = get_logger(__name__)

MAX_DUMP = 16 * 1024**3
"""Bytes of the compressed dump; real ones have some 1 GB."""

MAX_FEED = 32 * 1024 * 1024

PAGE_SIZE = 5000
"""Crates on a page."""

GZIP = "application/gzip, application/octet-stream;q=0.9, */*;q=0.5"

RSS = "application/rss+xml, application/xml;q=0.9, */*;q=0.5"

T = TypeVar("T")


class Listing:
    """The dump and the feed on crates.io's static host."""

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
        self._client = client
        self._dump_url = endpoints.url("static", "db-dump.tar.gz")
        self._feed_url = endpoints.url("static", "rss", "updates.xml")

    async def names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All crates of the current dump.

        Raises:
            CursorExpired: the dump was replaced since the cursor was written.
        """
        position = None if cursor is None else ListingPosition.read(cursor)
        async with self._client.download(
            self._dump_url, max_bytes=MAX_DUMP, accept=GZIP
        ) as download:
            dump = Dump(download.file, self._dump_url)
            made_at = await asyncio.to_thread(dump.made_at)
            if position and position.dump != made_at:
                raise CursorExpired("the dump has been replaced", url=self._dump_url)
            listed = position.row if position else 0
            crates = islice(dump.crates(), listed, None)
            while page := await asyncio.to_thread(_take, crates):
                reached = ListingPosition(dump=made_at, row=page[-1].row)
                names = tuple(crate.name for crate in page)
                hints = {crate.name: crate.links for crate in page}
                yield NamesPage(names, reached.write(), hints=hints)

    async def end(self) -> str:
        """The cursor at the current end of the feed: two requests."""
        dump_etag = await self._dump_etag()
        position = FeedPosition.at_end(*await self._feed(None))
        return position.model_copy(update={"dump_etag": dump_etag}).write()

    async def changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Changes of the dump, if it is new; then versions published since."""
        position = FeedPosition.read(cursor)
        async with self._client.download(
            self._dump_url, max_bytes=MAX_DUMP, accept=GZIP, etag=position.dump_etag
        ) as download:
            if not download.not_modified:
                dump, etag = Dump(download.file, self._dump_url), download.headers.get("etag")
                async for changes, reached in _compare(dump, etag, position):
                    position = reached
                    yield ChangesPage(changes, position.write())
        items, feed_etag = await self._feed(position.feed_etag)
        if items:
            if items[0].moment > position.newest:
                logger.info(
                    "feed_has_gap",
                    ecosystem=IDENTITY.name,
                    since=position.newest.isoformat(),
                    until=items[0].moment.isoformat(),
                    remedy="the next database dump has the missing versions",
                )
            # Of several versions of a crate, the last one is expected.
            versions = {item.name: item.version for item in position.news(items)}
            changes = tuple(Change(name, expected=version) for name, version in versions.items())
            yield ChangesPage(changes, position.followed(items, feed_etag).write())

    async def _feed(self, etag: str | None) -> tuple[tuple[Published, ...], str | None]:
        """The feed and its validator; no items if it is unchanged."""
        response = await self._client.get(self._feed_url, max_bytes=MAX_FEED, accept=RSS, etag=etag)
        if response.not_modified:
            return (), etag
        body = response.body
        return await off_loop(len(body), parse_feed, body, response.url), response.etag

    async def _dump_etag(self) -> str | None:
        """The current dump's validator, which avoids the download of an old dump."""
        try:
            response = await self._client.get(
                self._dump_url, max_bytes=1, accept=GZIP, byte_range="0-0"
            )
        except ResponseTooLarge:  # the host ignores byte ranges
            return None
        return response.etag


async def _compare(
    dump: Dump, etag: str | None, position: FeedPosition
) -> AsyncIterator[tuple[tuple[Change, ...], FeedPosition]]:
    """Changes in the dump since the last comparison, each page with the position after it."""
    made_at = await asyncio.to_thread(dump.made_at)
    if made_at - MARGIN <= position.compared:
        # A later dump will have later changes.
        yield (), position.model_copy(update={"dump_etag": etag})
        return
    comparison = Comparison(dump, made_at, position)
    await asyncio.to_thread(comparison.read_events)
    changed = comparison.changed(position.row if position.comparing == made_at else 0)
    while page := await asyncio.to_thread(_take, changed):
        reached = position.processed(made_at, page[-1][0])
        yield tuple(change for _, change in page), reached
    deleted = tuple(Change(name, deleted=True) for name in comparison.deleted.values())
    yield deleted, position.compared_with(made_at, etag, comparison.last)


def _take(rows: Iterator[T]) -> list[T]:
    return list(islice(rows, PAGE_SIZE))
