"""Lists all packages of the index, and follows its changes.

A **listing** reads the whole index once, sorts the packages' names on disk, closes the index and
returns the names page by page. Its cursor is the last name and the version of the index. If a newer
index has been published when the listing continues, its new packages come first, because one of
them could sort before that name.

The **feed** is the chain of the index's chunks. Its cursor has three parts: the number of the last
processed chunk, the last name of the next one (names are in order, and a chunk never changes), and
the time of the index up to which everything was processed, which moves with the last chunk. Old
chunks are deleted (some thirty are available). The whole index then has the same information: a
chunk has the documents that were added after the previous one, and each document has the time of
its addition (``org.apache.maven.index.packer.DefaultIncrementalHandler``). A day is allowed for
clock differences. A new chain means that the publisher started over; then times are meaningless,
and a new listing is needed.

The removal of a version counts as a change of its package and removes nothing from the graph.
"""

from collections.abc import AsyncIterator, Iterator
from itertools import islice, takewhile
from typing import TypeVar

from ssc_ingest.ecosystems.base import Change, ChangesPage, NamesPage
from ssc_ingest.ecosystems.cursors import Cursor
from ssc_ingest.ecosystems.maven.identity import is_version
from ssc_ingest.ecosystems.maven.index.properties import IndexProperties
from ssc_ingest.ecosystems.maven.index.records import (
    BEHIND_VERSIONS,
    Changes,
    Names,
    by_package,
)
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines
from ssc_ingest.ecosystems.maven.published_index import PublishedIndex, off_loop_steps
from ssc_ingest.errors import CursorExpired, ResourceNotFound, StaleAnswer
from ssc_ingest.logs import get_logger
from ssc_ingest.models import VersionName

PAGE_SIZE = 5_000
"""Names or changes on a page."""

MAX_EXPECTED = 100
"""Maximum versions in a change; the package's own list has the others."""

SEPARATOR = "|"
"""Separates versions in :attr:`Change.expected`; no version contains it."""

CLOCK_SKEW = 24 * 3600 * 1000
"""Milliseconds by which the publisher's clock may have been set back."""

PUBLICATION_GAP = 3600 * 1000
"""Milliseconds between the times of the index and of the properties published with it."""

log = get_logger(__name__)


class _Cursor(Cursor):
    registry = "the Maven index"


class ListingCursor(_Cursor):
    """The version of the index that was listed, and the last name that was returned."""

    chain: str
    timestamp: int
    after: str


class FeedCursor(_Cursor):
    """Chunks up to ``number``, and packages of the next one up to ``after``, were processed."""

    chain: str
    number: int | None
    timestamp: int
    after: str = ""

    @classmethod
    def at_end_of(cls, properties: IndexProperties) -> "FeedCursor":
        """The cursor after everything that is published."""
        return cls(chain=properties.chain, number=properties.last, timestamp=properties.timestamp)


T = TypeVar("T")


async def list_index(
    index: PublishedIndex, text: str | None, *, container: bool
) -> AsyncIterator[NamesPage]:
    """All names, or those after a :class:`ListingCursor`.

    Raises:
        CursorExpired: the publisher started over; or there is a newer index and the container mode,
            which does not support times.
        StaleAnswer: the properties are older than the cursor.
    """
    properties = await index.properties()
    cursor = ListingCursor(chain=properties.chain, timestamp=properties.timestamp, after="")
    started = ListingCursor.read(text) if text else cursor
    _compare(started, properties, index.url(".properties"))
    is_newer = started.timestamp < properties.timestamp
    if container and is_newer:
        raise CursorExpired("another index has been published", url=index.url(".properties"))
    after = started.after.encode()
    with SortedLines() as lines:
        if container:
            # Imported here, because the Docker SDK takes a fifth of a second.
            from ssc_ingest.ecosystems.maven.index_container import (  # noqa: PLC0415
                read_in_container,
            )

            total = await read_in_container(index.url(), index.client.user_agent, lines)
        else:
            names = Names(after, started.timestamp - CLOCK_SKEW) if is_newer else Names()
            total = (await index.read_whole(names, lines)).lines
        news = takewhile(lambda name: name <= after, lines.after(b"") if is_newer else ())
        async for page in _pages(name.decode("ascii") for name in news):
            yield NamesPage(page, started.write())
        async for page in _pages(name.decode("ascii") for name in lines.after(after)):
            cursor = cursor.model_copy(update={"after": page[-1]})
            yield NamesPage(page, cursor.write(), None if is_newer else total)


async def changes(index: PublishedIndex, text: str) -> AsyncIterator[ChangesPage]:
    """The changes in the index since a :class:`FeedCursor`.

    Raises:
        CursorExpired: the publisher started over, or chunks are missing and the whole index is
            older than they are.
        StaleAnswer: the properties are older than the cursor.
    """
    cursor = FeedCursor.read(text)
    properties = await index.properties()
    _compare(cursor, properties, index.url(".properties"))
    if properties.timestamp == cursor.timestamp and properties.last == cursor.number:
        return
    chunks = properties.chunks_after(cursor.number)
    try:
        for number in chunks or ():
            async for page in _chunk(index, number, cursor, properties):
                yield page
            cursor = cursor.model_copy(update={"number": number, "after": ""})
    except ResourceNotFound:
        chunks = None
    if chunks is None:
        async for page in _whole(index, cursor, properties):
            yield page


def _compare(cursor: ListingCursor | FeedCursor, properties: IndexProperties, url: str) -> None:
    """Check that the published index continues the cursor's index."""
    if properties.chain != cursor.chain:
        raise CursorExpired(
            f"the index was started over: chain {properties.chain}, not {cursor.chain}", url=url
        )
    if properties.timestamp < cursor.timestamp:
        raise StaleAnswer("the index's properties are older than the ones read before", url=url)


async def _chunk(
    index: PublishedIndex, number: int, cursor: FeedCursor, properties: IndexProperties
) -> AsyncIterator[ChangesPage]:
    if number == properties.last:
        end = FeedCursor.at_end_of(properties)
    else:
        end = cursor.model_copy(update={"number": number, "after": ""})
    with SortedLines() as lines:
        await index.read_chunk(number, Changes(), lines)
        page: tuple[Change, ...] = ()
        async for following in _pages(_changes(lines, cursor.after)):
            if page:
                within = cursor.model_copy(update={"after": page[-1].name})
                yield ChangesPage(page, within.write())
            page = following
        yield ChangesPage(page, end.write())


async def _whole(
    index: PublishedIndex, cursor: FeedCursor, properties: IndexProperties
) -> AsyncIterator[ChangesPage]:
    """The contents of missing chunks. The cursor moves only at the end."""
    log.warning("maven_chunks_missing", seen=cursor.number, last=properties.last)
    with SortedLines() as lines:
        reading = await index.read_whole(Changes(cursor.timestamp - CLOCK_SKEW), lines)
        if 0 <= reading.timestamp < properties.timestamp - PUBLICATION_GAP:
            raise CursorExpired(
                "chunks of the index are missing, and the whole index is older than they are",
                url=index.url(),
            )
        async for page in _pages(_changes(lines)):
            yield ChangesPage(page, cursor.write())
    yield ChangesPage((), FeedCursor.at_end_of(properties).write())


def versions_expected(expected: str | None) -> tuple[VersionName, ...]:
    """The versions in a change (:attr:`Change.expected`)."""
    names = (expected or "").split(SEPARATOR)
    return tuple(VersionName(name) for name in names if is_version(name))


def _changes(lines: SortedLines, after: str = "") -> Iterator[Change]:
    """The changes in some lines, by package name, after ``after``."""
    start = after.encode() + BEHIND_VERSIONS if after else b""
    for name, versions in by_package(lines.after(start), MAX_EXPECTED):
        yield Change(name, expected=SEPARATOR.join(versions) or None)


async def _pages(items: Iterator[T]) -> AsyncIterator[tuple[T, ...]]:
    async for page in off_loop_steps(iter(lambda: tuple(islice(items, PAGE_SIZE)), ())):
        yield page
