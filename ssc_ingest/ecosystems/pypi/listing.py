"""PyPI as a whole: listing all projects, and following what changes.

Both are one request for one document, the list of all projects with the serial of the last change
of each (:mod:`.project_list`), asked for conditionally. Pages are in the order of PEP 503 names,
whatever the document's order is.

Listing
    The cursor is the last name listed. Going on reads a new document: whatever was in the registry
    all the time is listed exactly once. A project that was created meanwhile, with a name that lies
    behind the cursor, is not: the feed has it.
Changes
    A project has changed if its serial is greater than that of the document that was processed
    last. That one moves on only with the last page, since serials are in no order. Until then
    the cursor says up to which name the present document has been processed: going on with a newer
    document gives, up to there, what has changed since the present one, and behind it what has
    changed since the last. A project may come twice; none is left out.
Deleted projects
    They vanish from the list and nothing else tells of them. Their nodes stay, as those of
    all packages do; who asks for one gets a 404.
Older answers
    Caches lag behind: a document that is older than the cursor, or than another that this process
    has seen, is no news, and is asked for again later. If its serial lies so far below that no
    cache can be the reason (:data:`CACHE_LAG`), the registry has begun to count anew: the cursor
    has expired.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ssc_ingest.ecosystems.base import Change, ChangesPage, NamesPage
from ssc_ingest.ecosystems.cursors import Cursor
from ssc_ingest.ecosystems.pypi.project_list import ProjectList, open_project_list
from ssc_ingest.ecosystems.pypi.simple_index import MEDIA_TYPE
from ssc_ingest.errors import CursorExpired, MalformedMetadata, StaleAnswer
from ssc_ingest.http.client import RegistryClient

MAX_DOCUMENT = 512 * 1024 * 1024
"""Bytes; for 700,000 projects it has about 40 MB."""

PAGE_SIZE = 5_000
"""Projects on a page."""

CACHE_LAG = 100_000
"""Serials by which a cached document may be older. PyPI gives some 15,000 a day."""


class _Cursor(Cursor):
    registry = "PyPI"


class _NamesCursor(_Cursor):
    """Names up to ``after`` (a PEP 503 name) are listed; the document had this serial."""

    after: str = ""
    serial: int | None = None


class _FeedCursor(_Cursor):
    """What changed up to ``serial`` is processed.

    Projects up to ``done_to`` (a PEP 503 name) even to the serial ``done``; ``etag`` is the
    validator of the document that had ``serial``.
    """

    serial: int
    etag: str | None = None
    done_to: str = ""
    done: int = 0


class Listing:
    """The list of all projects at ``url`` (with its slash), for one process."""

    def __init__(self, client: RegistryClient, url: str) -> None:
        self._client = client
        self._url = url
        self._newest = 0
        """Greatest serial that this process has seen."""

    async def names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All projects, page by page."""
        begin = _NamesCursor.read(cursor) if cursor else _NamesCursor()
        async with self._current() as (projects, _):
            if projects.serial is not None:
                self._refuse_older(projects.serial, begin.serial or 0)
            after = begin.after
            while page := await projects.after(after, PAGE_SIZE):
                after = page[-1].key
                yield NamesPage(
                    tuple(project.name for project in page),
                    _NamesCursor(after=after, serial=projects.serial).write(),
                    projects.total,
                )

    async def end(self) -> str:
        """The cursor of the present document."""
        async with self._current() as (projects, etag):
            serial = self._serial(projects)
            self._refuse_older(serial)
            return _FeedCursor(serial=serial, etag=etag).write()

    async def changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """The projects with a greater serial than the cursor, page by page."""
        begin = _FeedCursor.read(cursor)
        unchanged = None if begin.done_to else begin.etag
        async with self._read(unchanged) as (projects, etag):
            if projects is None:
                return
            serial = self._serial(projects)
            seen = max(begin.serial, begin.done)
            self._refuse_older(serial, seen)
            if serial < seen:
                raise CursorExpired(
                    f"serials of the registry end at {serial}, the cursor is at {seen}",
                    url=self._url,
                )
            after, more = "", True
            while more:
                page = await projects.changed(
                    after, PAGE_SIZE, base=begin.serial, done=begin.done, done_to=begin.done_to
                )
                more = len(page) == PAGE_SIZE
                if not more:
                    reached = _FeedCursor(serial=serial, etag=etag)
                else:
                    after = page[-1].key
                    reached = begin
                    if after > begin.done_to:
                        reached = _FeedCursor(serial=begin.serial, done_to=after, done=serial)
                changes = (Change(p.name, expected=str(p.serial)) for p in page)
                yield ChangesPage(tuple(changes), reached.write())

    # ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _current(self) -> AsyncIterator[tuple[ProjectList, str | None]]:
        async with self._read() as (projects, etag):
            assert projects is not None  # noqa: S101 - the request had no condition
            yield projects, etag

    @asynccontextmanager
    async def _read(
        self, etag: str | None = None
    ) -> AsyncIterator[tuple[ProjectList | None, str | None]]:
        """The present list, and its validator; ``None`` if it is the one with that validator."""
        async with self._client.download(
            self._url, max_bytes=MAX_DOCUMENT, accept=MEDIA_TYPE, etag=etag
        ) as document:
            if document.not_modified:
                yield None, etag
                return
            async with open_project_list(document.file, self._url) as projects:
                yield projects, document.headers.get("etag")

    def _serial(self, projects: ProjectList) -> int:
        if projects.serial is None or not projects.complete:
            raise MalformedMetadata(
                "the list of projects has no serials: changes of this index cannot be followed",
                url=self._url,
            )
        return projects.serial

    def _refuse_older(self, serial: int, seen: int = 0) -> None:
        """Refuse what a cache has kept too long.

        Raises:
            StaleAnswer: the document is older than what has been seen.
        """
        behind = max(seen, self._newest) - serial
        if 0 < behind <= CACHE_LAG:
            raise StaleAnswer(
                f"a list of projects with serial {serial}, {behind} below what was there before",
                url=self._url,
            )
        self._newest = serial
