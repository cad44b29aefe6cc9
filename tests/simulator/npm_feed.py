"""The replica of npm: a CouchDB database's document, and its feed of changes.

https://docs.couchdb.org/en/stable/api/database/changes.html, with what npm allows of it since
2025: ``since`` and ``limit``, no documents, nothing continuous.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from zlib import crc32

from tests.simulator.ecosystem import Document, Shelf
from tests.simulator.history import last_of_each

DEFAULT_LIMIT, HIGHEST_LIMIT = 1000, 10_000

GONE = 40
"""After every so many packages comes one that was deleted before the start."""

STEP = 2
"""Between two numbers of the history there is one for what no edit has made."""


def database(shelf: Shelf) -> Document:
    """``GET /``."""
    edited = last_of_each(shelf.history.feed).values()
    gone = sum(event.kind == "delete" for event in edited)
    added = sum(event.package >= shelf.history.packages for event in edited)
    return Document.json(
        {
            "db_name": "registry",
            "doc_count": shelf.history.packages + added - gone + 1,
            "doc_del_count": gone + shelf.history.packages // GONE,
            "update_seq": _end(shelf),
            "purge_seq": 0,
            "compact_running": False,
            "instance_start_time": "0",
        }
    )


def changes(shelf: Shelf, query: Mapping[str, str]) -> Document:
    """``GET /registry/_changes?since=&limit=``."""
    since = int(query.get("since", "0"))
    limit = min(int(query.get("limit", DEFAULT_LIMIT)), HIGHEST_LIMIT)
    rows = list(islice(_rows(shelf, since), limit))
    last = rows[-1]["seq"] if len(rows) == limit else _end(shelf)
    return Document.json({"results": rows, "last_seq": last, "pending": 0})


def _end(shelf: Shelf) -> int:
    return STEP * shelf.history.end + 1


def _rows(shelf: Shelf, since: int) -> Iterator[dict[str, Any]]:
    """All documents with a greater number, each once at its last change."""
    history = shelf.history
    last = last_of_each(history.feed)
    first = max(history.first_sequence(0), since // STEP)
    for sequence in range(first, history.start + 1):
        index = sequence - history.first_sequence(0)
        if index not in last and STEP * sequence > since:
            yield _row(STEP * sequence, shelf.name_of(index))
        if STEP * sequence + 1 > since:
            if index % GONE == GONE - 1:
                yield _row(STEP * sequence + 1, f"unpublished-{index}", deleted=True)
            elif index == 1:
                yield _row(STEP * sequence + 1, "_design/app")
    for event in last.values():
        if STEP * event.sequence > since:
            name = shelf.name_of(event.package)
            yield _row(STEP * event.sequence, name, deleted=event.kind == "delete")


def _row(sequence: int, name: str, *, deleted: bool = False) -> dict[str, Any]:
    revision = f"{1 + sequence % 90}-{crc32(name.encode()):032x}"
    row: dict[str, Any] = {"seq": sequence, "id": name, "changes": [{"rev": revision}]}
    return {**row, "deleted": True} if deleted else row
