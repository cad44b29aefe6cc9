"""The list of all projects in the Simple repository API: ``GET /simple/``.

One JSON document of some 40 MB has every project with the serial of its last change,
``{"meta": {"_last-serial"}, "projects": [{"name", "_last-serial"}, ...]}`` (PEP 691; serials are
PyPI's own, https://docs.pypi.org/api/index-api/). It is streamed into a table in a private
temporary file (an anonymous SQLite database). So memory does not grow with the number of projects,
and the document's order does not matter.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from itertools import islice
from typing import IO, Any, NamedTuple, TypeAlias

import ijson
from packaging.utils import canonicalize_name

from ssc_ingest.ecosystems.concurrency import in_thread
from ssc_ingest.errors import MalformedMetadata

BATCH_SIZE = 5_000
"""Number of projects parsed at a time, in some tens of milliseconds."""

CACHE_KB = 16_384
"""Memory of the table; the other parts are on disk."""

MAX_DEPTH = 16
"""Levels of nesting; the document has three."""

MAX_SERIAL = 2**63 - 1

_TABLE = f"""
PRAGMA cache_size = -{CACHE_KB};
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE project (key TEXT PRIMARY KEY, name TEXT NOT NULL, serial INTEGER) WITHOUT ROWID;
BEGIN;
"""

_INSERT = """
INSERT INTO project VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET serial = max(serial, excluded.serial)
"""

_CHANGED = """
SELECT key, name, serial FROM project
WHERE key > :after AND serial > CASE WHEN key <= :done_to THEN :done ELSE :base END
ORDER BY key LIMIT :count
"""


class Project(NamedTuple):
    """A row of the list; ``key`` is the PEP 503 name, by which the rows are sorted."""

    key: str
    name: str
    serial: int | None


class ProjectList:
    """The list on disk, sorted; created by :func:`open_project_list`."""

    def __init__(self, connection: sqlite3.Connection, heading: "_Heading") -> None:
        self._connection = connection
        self.serial = heading.serial
        """The serial of the registry's last change, if the index has it."""
        self.complete = heading.complete
        """Whether every project has a serial."""
        self.total: int = connection.execute("SELECT count(*) FROM project").fetchone()[0]

    async def after(self, key: str, count: int) -> list[Project]:
        """The next projects after that key."""
        query = "SELECT key, name, serial FROM project WHERE key > ? ORDER BY key LIMIT ?"
        return await in_thread(self._select, query, (key, count))

    async def changed(
        self, after: str, count: int, *, base: int, done: int, done_to: str
    ) -> list[Project]:
        """The next projects after ``after`` that have changed since serial ``base``.

        Up to the key ``done_to``, the serial ``done`` counts instead of ``base``.
        """
        values = {
            "after": after, "count": count, "base": base, "done": done, "done_to": done_to,
        }  # fmt: skip
        return await in_thread(self._select, _CHANGED, values)

    def _select(self, query: str, values: Any) -> list[Project]:
        return [Project(*row) for row in self._connection.execute(query, values)]


_Events: TypeAlias = Iterator[tuple[str, Any]]

_OPENING = frozenset({"start_map", "start_array"})
_CLOSING = frozenset({"end_map", "end_array"})
_FIELDS = frozenset({"name", "_last-serial", "api-version"})


class _Unexpected(Exception):
    """The document is JSON, but not the list of projects."""


@asynccontextmanager
async def open_project_list(file: IO[bytes], url: str) -> AsyncIterator[ProjectList]:
    """Read the document to its end; the list is available inside the block.

    Raises:
        MalformedMetadata: the document is not JSON or is truncated, a field is missing or has the
            wrong type, or the API version is not 1.x.
    """
    # The empty name means a private database in an anonymous temporary file. One thread at a
    # time uses it, and none when it is closed: see `in_thread`.
    with closing(sqlite3.connect("", check_same_thread=False, isolation_level=None)) as table:
        table.executescript(_TABLE)
        heading = _Heading()
        projects = _projects(ijson.basic_parse(file, use_float=True), heading)
        while await in_thread(_load, table, projects, url):
            pass
        yield ProjectList(table, heading)


def _load(table: sqlite3.Connection, projects: Iterator[Project], url: str) -> bool:
    """Load some projects into the table; returns whether there may be more."""
    try:
        batch = list(islice(projects, BATCH_SIZE))
        table.executemany(_INSERT, batch)
    except (ijson.JSONError, UnicodeError, _Unexpected) as error:
        reason = " ".join(str(error).split())[:200]
        raise MalformedMetadata(f"the list of projects: {reason}", url=url) from error
    return bool(batch)


class _Heading:
    """Facts about the whole list, complete when it has been read."""

    serial: int | None = None
    complete: bool = True


def _projects(events: _Events, heading: _Heading) -> Iterator[Project]:
    """The projects in document order; ``meta`` may come before or after them."""
    _expect(next(events)[0] == "start_map", "not an object")
    listed = False
    while (step := next(events))[0] != "end_map":
        opening, _ = next(events)
        if step[1] == "projects":
            _expect(opening == "start_array", "projects: not an array")
            listed = True
            while (step := next(events))[0] != "end_array":
                _expect(step[0] == "start_map", "projects: not an object")
                project = _project(_fields(events))
                heading.complete = heading.complete and project.serial is not None
                yield project
        elif step[1] == "meta":
            _expect(opening == "start_map", "meta: not an object")
            meta = _fields(events)
            heading.serial = _serial(meta)
            version = meta.get("api-version", "1.0")
            _expect(isinstance(version, str) and version.startswith("1."), f"version {version!r}")
        elif opening in _OPENING:
            _skip(events)
    _expect(listed, "projects: missing")
    # If anything follows the document, the parser raises an error here.
    _expect(next(events, None) is None, "data behind the end")


def _project(fields: dict[str, Any]) -> Project:
    name = fields.get("name")
    if not isinstance(name, str):
        raise _Unexpected("projects: a name is missing")
    return Project(canonicalize_name(name), name, _serial(fields))


def _serial(fields: dict[str, Any]) -> int | None:
    serial = fields.get("_last-serial")
    if serial is None:
        return None
    if not isinstance(serial, int) or not 0 <= serial <= MAX_SERIAL:
        raise _Unexpected("_last-serial: not a serial")
    return serial


def _fields(events: _Events) -> dict[str, Any]:
    """The used fields of the object that was opened."""
    fields = {}
    while (step := next(events))[0] != "end_map":
        opening, value = next(events)
        if opening in _OPENING:
            _skip(events)
        elif step[1] in _FIELDS:
            fields[step[1]] = value
    return fields


def _skip(events: _Events) -> None:
    """Skip the value that was opened."""
    depth = 1
    while depth:
        event, _ = next(events)
        depth += (event in _OPENING) - (event in _CLOSING)
        _expect(depth <= MAX_DEPTH, "nested too deep")


def _expect(fulfilled: bool, otherwise: str) -> None:  # noqa: FBT001
    if not fulfilled:
        raise _Unexpected(otherwise)
