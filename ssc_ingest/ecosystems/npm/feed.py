"""Lists npm and follows its changes; both use the registry's feed of changes.

The registry replicates like a CouchDB database: every document has the number of its last change,
and ``_changes?since=<number>&limit=<count>`` returns documents with a greater number, in order,
each once (https://docs.couchdb.org/en/stable/api/database/changes.html). From 0, that is a listing
of all packages that exist or existed. The database's own document has the last number
(``update_seq``). It shows how much is left, and whether the registry has restarted its numbers, as
in 2016, 2019 and 2021: then the last number is far lower than before.

A slightly lower number (:data:`CACHE_LAG`) comes from a lagging replica or cache; the request is
repeated later. If restarted numbers have already passed the cursor, the restart is not visible;
staleness runs then find the missed changes.

The feed's revisions belong to the replica. They are not compared with those of packages, because
the registry may have others (``fetch`` ignores ``expected``).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from ssc_ingest.ecosystems.base import Change, ChangesPage, NamesPage
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.cursors import Cursor
from ssc_ingest.ecosystems.wire import Entry, Unreadable, log_skipped, read_json, unreadable
from ssc_ingest.errors import CursorExpired, MalformedMetadata, StaleAnswer

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

JSON = "application/json"

LIMIT = 10_000
"""Rows on a page; npm's maximum."""

MAX_PAGE = 32 * 1024 * 1024
"""Bytes; a full page has about 1.5 MB."""

MAX_DATABASE = 64 * 1024

CACHE_LAG = 100_000
"""Maximum difference in numbers for a lagging response; npm uses some 50,000 a day."""

MAX_INVISIBLE = 1_000
"""Numbers at the end that may belong to hidden changes."""

Sequence = int | str
"""A number, or a text that starts with one (``17-g1AAAA``) and must be sent back unchanged."""


class _Cursor(Cursor):
    model_config = ConfigDict(strict=True)

    registry = "npm"

    since: Sequence


class _Database(BaseModel):
    model_config = ConfigDict(strict=True)

    update_seq: Sequence
    doc_count: int | None = Field(None, ge=0)


class _Row(BaseModel):
    model_config = ConfigDict(strict=True)

    id: str
    deleted: bool = False


class _Page(BaseModel):
    model_config = ConfigDict(strict=True)

    results: list[Entry[_Row]]
    last_seq: Sequence

    @property
    def rows(self) -> list[_Row]:
        """The readable rows."""
        return [row for row in self.results if not isinstance(row, Unreadable)]


@dataclass(frozen=True, slots=True)
class _Part:
    """A page: for each document whether it was deleted, and the cursor after the page."""

    deleted: dict[str, bool]
    cursor: str
    total: int | None


class Feed:
    """The feed of changes at ``changes``; the document at ``database`` has its end."""

    def __init__(self, client: "RegistryClient", database: str, changes: str) -> None:
        self._client = client
        self._database = database
        self._changes = changes

    async def names(self, cursor: str | None) -> AsyncIterator[NamesPage]:
        """All existing packages, in the order of their last change."""
        async for part in self._parts(cursor or _Cursor(since=0).write()):
            names = (name for name, deleted in part.deleted.items() if not deleted)
            yield NamesPage(tuple(names), part.cursor, part.total)

    async def end(self) -> str:
        """The current end of the feed."""
        return _Cursor(since=(await self._present()).update_seq).write()

    async def changes(self, cursor: str) -> AsyncIterator[ChangesPage]:
        """Changes since the cursor, in order."""
        async for part in self._parts(cursor):
            changes = (Change(name, deleted=deleted) for name, deleted in part.deleted.items())
            yield ChangesPage(tuple(changes), part.cursor)

    # ------------------------------------------------------------------------------------

    async def _parts(self, cursor: str) -> AsyncIterator[_Part]:
        """The pages up to the current end of the feed."""
        since = _Cursor.read(cursor).since
        try:
            place = _number(since, self._changes)
        except MalformedMetadata as error:
            raise CursorExpired(
                f"not a cursor of npm: {cursor[:100]!r}", url=self._changes
            ) from error
        database = await self._present()
        end = _number(database.update_seq, self._database)
        self._check_age(end, place)
        while place < end:
            page = await self._page(since)
            reached = _number(page.last_seq, self._changes)
            self._check_age(reached, place)
            if not page.results and reached < end - MAX_INVISIBLE:
                raise StaleAnswer(
                    f"the feed ends at {reached}, but should end at {end}", url=self._changes
                )
            if reached == place:
                if page.results:
                    raise MalformedMetadata("last_seq: does not advance", url=self._changes)
                return
            # The last row of a document counts; documents of the database itself are not packages.
            rows = {row.id: row.deleted for row in page.rows if not row.id.startswith("_")}
            since, place = page.last_seq, reached
            yield _Part(rows, _Cursor(since=since).write(), database.doc_count)

    async def _present(self) -> _Database:
        response = await self._client.get(self._database, max_bytes=MAX_DATABASE, accept=JSON)
        database = read_json(_Database, response.body, self._database)
        _number(database.update_seq, self._database)
        return database

    async def _page(self, since: Sequence) -> _Page:
        url = f"{self._changes}?since={quote(str(since), safe='')}&limit={LIMIT}"
        body = (await self._client.get(url, max_bytes=MAX_PAGE, accept=JSON)).body
        page: _Page = await off_loop(len(body), read_json, _Page, body, url)
        skipped = unreadable(page.results)
        if skipped and not page.rows:
            raise MalformedMetadata(f"results: {skipped[0]}", url=url)
        log_skipped("npm", "feed", skipped)
        return page

    def _check_age(self, reached: int, place: int) -> None:
        """Check that a response is not older than ``place``.

        Raises:
            StaleAnswer: the response is a little older.
            CursorExpired: the response is so much older that the registry must have restarted its
                numbers.
        """
        behind = place - reached
        if behind > CACHE_LAG:
            raise CursorExpired(
                f"the feed ends at {reached}, but the cursor is at {place}", url=self._changes
            )
        if behind > 0:
            raise StaleAnswer(
                f"the feed ends at {reached}, {behind} less than before", url=self._changes
            )


def _number(sequence: Sequence, url: str) -> int:
    """The number for comparing sequences."""
    digits = str(sequence).partition("-")[0]
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:  # noqa: PLR2004
        raise MalformedMetadata(f"not a sequence number: {str(sequence)[:40]!r}", url=url)
    return int(digits)
