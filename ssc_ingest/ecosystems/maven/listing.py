"""All packages of the index, and those with news in it.

A **listing** reads the whole index once, sorts the packages' names on disk, lets go of the index
and gives the names page by page. Its cursor is the last name, and which index it is from. If a
newer one has been published when the listing goes on, the packages with something new in it come
first, as one of them could be new before that name.

The **feed** is the chunks of the index's chain. Its cursor is the number of the last chunk, how
far the next one was handed over (in order of names: a chunk never changes), and when the index was
packed up to which all was, which moves with the last chunk. Where chunks are no longer offered
(some thirty are), the whole index has the same: the publisher makes a chunk of the documents that
came into the index after the last one was packed, and each document says when it came
(``org.apache.maven.index.packer.DefaultIncrementalHandler``). A day is allowed for clocks. A new
chain says that the publisher began anew, by whatever means, so that nothing can be told from times:
then only a listing from its beginning helps.

A version that was removed is a change of its package and takes nothing away.
"""

from collections.abc import AsyncIterator, Iterator
from itertools import islice, takewhile
from typing import TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from ssc_ingest.ecosystems.base import Change, ChangesPage, NamesPage
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
from ssc_ingest.models import VersionName

PAGE = 5_000
"""Names or changes of a page."""

MAX_EXPECTED = 100
"""Versions of one package that a change names; the package's own list has more."""
BETWEEN_VERSIONS = "|"
"""In :attr:`Change.expected`; no version has one."""

CLOCKS = 24 * 3600 * 1000
"""Milliseconds that the publisher's clock may have been set back by."""
PACKED_TOGETHER = 3600 * 1000
"""Milliseconds between the index and its properties that are published with it."""

log = structlog.get_logger(__name__)


class ListingCursor(BaseModel, frozen=True):
    """Which index the names are of, and the last of them that was given."""

    chain: str
    timestamp: int
    after: str


class FeedCursor(BaseModel, frozen=True):
    """What was handed over: chunks up to a number, and of the next one packages up to a name."""

    chain: str
    number: int | None
    timestamp: int
    after: str = ""

    @classmethod
    def at_end_of(cls, properties: IndexProperties) -> "FeedCursor":
        """All that is published has been seen."""
        return cls(chain=properties.chain, number=properties.last, timestamp=properties.timestamp)


T = TypeVar("T")
Cursor = TypeVar("Cursor", ListingCursor, FeedCursor)


def parse_cursor(kind: type[Cursor], text: str) -> Cursor:
    """Read a cursor.

    Raises:
        CursorExpired: it is none, or that of another version of this program.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise CursorExpired(f"not a cursor of the Maven index: {text[:200]!r}") from error


async def list_index(
    index: PublishedIndex, text: str | None, *, container: bool
) -> AsyncIterator[NamesPage]:
    """All names, or those behind a :class:`ListingCursor`.

    Raises:
        CursorExpired: the publisher began anew; or, for a container, which knows no times, there
            is another index.
        StaleAnswer: the properties are older than those seen last.
    """
    properties = await index.properties()
    cursor = ListingCursor(chain=properties.chain, timestamp=properties.timestamp, after="")
    begun = parse_cursor(ListingCursor, text) if text else cursor
    _compare(begun, properties, index.url(".properties"))
    is_newer = begun.timestamp < properties.timestamp
    if container and is_newer:
        raise CursorExpired("another index has been published", url=index.url(".properties"))
    after = begun.after.encode()
    with SortedLines() as lines:
        if container:
            # The Docker SDK takes a fifth of a second to import: not for those who go without it.
            from ssc_ingest.ecosystems.maven.index_container import (  # noqa: PLC0415
                read_in_container,
            )

            total = await read_in_container(index.url(), index.client.user_agent, lines)
        else:
            names = Names(after, begun.timestamp - CLOCKS) if is_newer else Names()
            total = (await index.read_whole(names, lines)).lines
        news = takewhile(lambda name: name <= after, lines.after(b"") if is_newer else ())
        async for page in _pages(name.decode("ascii") for name in news):
            yield NamesPage(page, begun.model_dump_json())
        async for page in _pages(name.decode("ascii") for name in lines.after(after)):
            cursor = cursor.model_copy(update={"after": page[-1]})
            yield NamesPage(page, cursor.model_dump_json(), None if is_newer else total)


async def changes(index: PublishedIndex, text: str) -> AsyncIterator[ChangesPage]:
    """What is new in the index since a :class:`FeedCursor`.

    Raises:
        CursorExpired: the publisher began anew, or has not what the missing chunks had.
        StaleAnswer: the properties are older than those seen last.
    """
    cursor = parse_cursor(FeedCursor, text)
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
        async for page in _in_whole(index, cursor, properties):
            yield page


def _compare(cursor: ListingCursor | FeedCursor, properties: IndexProperties, url: str) -> None:
    """Whether what is published continues what the cursor is about."""
    if properties.chain != cursor.chain:
        raise CursorExpired(
            f"the index began anew: chain {properties.chain}, not {cursor.chain}", url=url
        )
    if properties.timestamp < cursor.timestamp:
        raise StaleAnswer("the index's properties are older than those seen last", url=url)


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
                yield ChangesPage(page, within.model_dump_json())
            page = following
        yield ChangesPage(page, end.model_dump_json())


async def _in_whole(
    index: PublishedIndex, cursor: FeedCursor, properties: IndexProperties
) -> AsyncIterator[ChangesPage]:
    """What the missing chunks had. The cursor moves at the end: the whole may change any time."""
    log.warning("maven_chunks_missing", seen=cursor.number, last=properties.last)
    with SortedLines() as lines:
        reading = await index.read_whole(Changes(cursor.timestamp - CLOCKS), lines)
        if 0 <= reading.timestamp < properties.timestamp - PACKED_TOGETHER:
            raise CursorExpired(
                "chunks of the index are missing, and the whole index is older than they are",
                url=index.url(),
            )
        async for page in _pages(_changes(lines)):
            yield ChangesPage(page, cursor.model_dump_json())
    yield ChangesPage((), FeedCursor.at_end_of(properties).model_dump_json())


def versions_expected(expected: str | None) -> tuple[VersionName, ...]:
    """The versions that a change names (:attr:`Change.expected`)."""
    names = (expected or "").split(BETWEEN_VERSIONS)
    return tuple(VersionName(name) for name in names if is_version(name))


def _changes(lines: SortedLines, after: str = "") -> Iterator[Change]:
    """The packages of lines, in order of their names, behind one of them."""
    start = after.encode() + BEHIND_VERSIONS if after else b""
    for name, versions in by_package(lines.after(start), MAX_EXPECTED):
        yield Change(name, expected=BETWEEN_VERSIONS.join(versions) or None)


async def _pages(items: Iterator[T]) -> AsyncIterator[tuple[T, ...]]:
    async for page in off_loop_steps(iter(lambda: tuple(islice(items, PAGE)), ())):
        yield page
