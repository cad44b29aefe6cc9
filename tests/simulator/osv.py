"""An OSV bucket (https://google.github.io/osv.dev/data/).

.. code-block:: text

    /<ECOSYSTEM>/all.zip            all records, created on request
    /<ECOSYSTEM>/<ID>.json          one record
    /<ECOSYSTEM>/modified_id.csv    <time>,<ID>, newest first
    /[EMPTY]/<ID>.json              records without ecosystem
    /modified_id.csv                <time>,<FOLDER>/<ID> of all folders

Tests add and remove records. They can also make the list, the files and the dump inconsistent, as
in the real bucket for some minutes.
"""

import io
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from tests.simulator.ecosystem import Document, Route

PREFIX = "osv"

MISSING = Document(b"<Error><Code>NoSuchKey</Code></Error>", "application/xml", status=404)


class Stored(NamedTuple):
    """A record in a folder."""

    body: bytes
    modified: str
    """As the list has it."""


class Bucket:
    """A bucket, initially empty."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove all records."""
        self._folders: dict[str, dict[str, Stored]] = {}
        self._hidden: set[str] = set()
        self._dumps: dict[str, bytes] = {}
        self._frozen = False

    def put(self, folder: str, records: list[dict[str, Any]]) -> None:
        """Add or replace records."""
        stored = self._folders.setdefault(folder, {})
        for record in records:
            stored[record["id"]] = Stored(orjson.dumps(record), record["modified"])
        self._changed(folder)

    def put_raw(self, folder: str, record_id: str, body: str, modified: str) -> None:
        """Add an invalid record."""
        self._folders.setdefault(folder, {})[record_id] = Stored(body.encode(), modified)
        self._changed(folder)

    def remove(self, folder: str, ids: list[str]) -> None:
        """Take records out."""
        for record_id in ids:
            self._folders[folder].pop(record_id, None)
        self._changed(folder)

    def hide(self, ids: list[str]) -> None:
        """Remove the files of records, but not their entries in the list and the dump."""
        self._hidden = set(ids)

    def freeze(self, *, on: bool) -> None:
        """Keep the present dumps despite changes, until this is turned off."""
        for folder in self._folders:
            self._dump(folder)
        self._frozen = on
        if not on:
            self._dumps.clear()

    def route(self, path: str) -> Route | None:
        """The response to a path (percent-encoded, after the prefix)."""
        folder, _, name = unquote(path.removeprefix("/")).partition("/")
        if path == "/modified_id.csv":
            return Route("osv.list", None, lambda _: self._list_document(None))
        if name == "all.zip":
            return Route("osv.dump", None, lambda _: self._dump_document(folder))
        if name == "modified_id.csv":
            return Route("osv.list", None, lambda _: self._list_document(folder))
        if name.endswith(".json"):
            record_id = name.removesuffix(".json")
            return Route("osv.record", None, lambda _: self._record_document(folder, record_id))
        return None

    def _changed(self, folder: str) -> None:
        if not self._frozen:
            self._dumps.pop(folder, None)

    def _dump_document(self, folder: str) -> Document:
        if folder not in self._folders:
            return MISSING
        return Document.tagged(self._dump(folder), "application/zip")

    def _dump(self, folder: str) -> bytes:
        if folder not in self._dumps:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for record_id, stored in self._folders[folder].items():
                    archive.writestr(f"{record_id}.json", stored.body)
            self._dumps[folder] = buffer.getvalue()
        return self._dumps[folder]

    def _list_document(self, folder: str | None) -> Document:
        """The modified list of one folder, or of all."""
        if folder is not None and folder not in self._folders:
            return MISSING
        rows = [
            (stored.modified, i if folder else f"{each}/{i}")
            for each, records in self._folders.items()
            if folder in {None, each}
            for i, stored in records.items()
        ]
        text = "".join(f"{modified},{i}\n" for modified, i in sorted(rows, reverse=True))
        tagged = Document.tagged(text.encode(), "text/csv")
        return Document(tagged.body, tagged.media_type, etag=tagged.etag, ranges=True)

    def _record_document(self, folder: str, record_id: str) -> Document:
        stored: Mapping[str, Stored] = self._folders.get(folder, {})
        if record_id not in stored or record_id in self._hidden:
            return MISSING
        return Document.tagged(stored[record_id].body)
