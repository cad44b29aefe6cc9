"""Lists all projects of PyPI, and follows their changes.

Both send one conditional request for one document: the list of all projects with the serials of
their last changes (:mod:`.project_list`). Pages are in the order of PEP 503 names, independent of
the document's order.

Listing
    The cursor is the last listed name. A continued listing reads a new document: every project that
    existed all the time is listed exactly once. A new project with a name before the cursor is not
    listed; the feed has it.
Changes
    A project has changed if its serial is greater than that of the last document that was
    processed. The cursor's serial moves only with the last page, since serials have no order. Until
    then the cursor has the name up to which the current document was processed. With a newer
    document, projects up to that name are compared with the current document, and later ones with
    the document before. A project may be reported twice; none is missed.
Deleted projects
    They disappear from the list, and no other source reports them. Their nodes stay, like all
    packages' nodes; reading one returns a 404.
Older responses
    A document that is older than the cursor, or than another one that this process has read, comes
    from a lagging cache: it is stale and is requested again later. If no cache can be the reason,
    the registry's serials went back, as those of a mirror that was restored from a backup do: the
    cursor has expired, and a listing accepts the list as it is. This is assumed if all responses
    are older for longer than caches keep the list (:data:`CACHE_TIME`), or if the serial is far
    lower (:data:`CACHE_LAG`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

from ssc_ingest.ecosystems.base import Change, ChangesPage, NamesPage
from ssc_ingest.ecosystems.cursors import Cursor
from ssc_ingest.ecosystems.pypi.project_list import ProjectList, open_project_list
from ssc_ingest.ecosystems.pypi.simple_index import MEDIA_TYPE
from ssc_ingest.errors import CursorExpired, MalformedMetadata, StaleAnswer
from ssc_ingest.logs import get_logger

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

MAX_DOCUMENT = 512 * 1024 * 1024
"""Bytes; for 700,000 projects it has about 40 MB."""

PAGE_SIZE = 5_000
"""Projects on a page."""

CACHE_LAG = 100_000
"""Maximum difference in serials for a cached document. PyPI uses some 15,000 a day."""

CACHE_TIME = 600.0
"""Seconds for which caches keep the list: PyPI sends it with ``Cache-Control: max-age=600``."""

log = get_logger(__name__)


class _Cursor(Cursor):
    registry = "PyPI"


class _NamesCursor(_Cursor):
    """Names up to ``after`` (a PEP 503 name) were listed; the document had this serial."""

    after: str = ""
    serial: int | None = None


class _FeedCursor(_Cursor):
    """Changes up to ``serial`` were processed.

    For projects up to ``done_to`` (a PEP 503 name), changes up to the serial ``done`` were
    processed; ``etag`` is the validator of the document that had ``serial``.
    """

    serial: int
    etag: str | None = None
    done_to: str = ""
    done: int = 0


class Listing:
    """The list of all projects at ``url`` (with its slash), for one process."""

    def __init__(self, client: "RegistryClient", url: str) -> None:
        self._client = client
        self._url = url
        self._newest = 0
        """The serial of the newest document that this process has read."""
        self._older_since: float | None = None
        """The time of the first of the older responses since then."""

    async def names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All projects, page by page."""
        start = _NamesCursor.read(cursor) if cursor else _NamesCursor()
        async with self._current() as (projects, _):
            if projects.serial is not None:
                self._check_age(projects.serial, start.serial or 0)
            after = start.after
            while page := await projects.after(after, PAGE_SIZE):
                after = page[-1].key
                yield NamesPage(
                    tuple(project.name for project in page),
                    _NamesCursor(after=after, serial=projects.serial).write(),
                    projects.total,
                )

    async def end(self) -> str:
        """The cursor of the current document."""
        async with self._current() as (projects, etag):
            serial = self._serial(projects)
            self._check_age(serial)
            return _FeedCursor(serial=serial, etag=etag).write()

    async def changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """The projects with a greater serial than the cursor, page by page."""
        start = _FeedCursor.read(cursor)
        unchanged = None if start.done_to else start.etag
        async with self._read(unchanged) as (projects, etag):
            if projects is None:
                return
            serial = self._serial(projects)
            seen = max(start.serial, start.done)
            self._check_age(serial, seen)
            if serial < seen:
                raise CursorExpired(
                    f"the registry's serials end at {serial}, but the cursor is at {seen}",
                    url=self._url,
                )
            after, more = "", True
            while more:
                page = await projects.changed(
                    after, PAGE_SIZE, base=start.serial, done=start.done, done_to=start.done_to
                )
                more = len(page) == PAGE_SIZE
                if not more:
                    reached = _FeedCursor(serial=serial, etag=etag)
                else:
                    after = page[-1].key
                    reached = start
                    if after > start.done_to:
                        reached = _FeedCursor(serial=start.serial, done_to=after, done=serial)
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
        """The current list and its validator; no list if it still has the validator ``etag``."""
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

    def _check_age(self, serial: int, seen: int = 0) -> None:
        """Check that a document is at least as new as all earlier ones.

        Raises:
            StaleAnswer: the document is older, and a cache may be the reason.
        """
        behind = max(seen, self._newest) - serial
        if behind <= 0:
            self._newest, self._older_since = serial, None
            return
        if self._older_since is None:
            self._older_since = monotonic()
        if behind <= CACHE_LAG and monotonic() - self._older_since < CACHE_TIME:
            raise StaleAnswer(
                f"the list of projects has serial {serial}, {behind} less than before; "
                f"after {CACHE_TIME / 60:.0f} minutes it counts as restored from a backup",
                url=self._url,
            )
        log.warning("serials_went_back", url=self._url, serial=serial, behind=behind)
        self._newest = serial
