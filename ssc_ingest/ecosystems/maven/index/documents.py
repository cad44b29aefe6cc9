"""The index's binary format: a header, then documents of named fields, compressed.

.. code-block:: text

    header    u8 version (1) · i64 time in milliseconds (-1: unknown)
    document  i32 number of fields, then of each:
              u8 flags · u16 length, name · i32 length, value

Big-endian, until the end of the file; texts are in Java's modified UTF-8. Written by
``org.apache.maven.index.updater.IndexDataWriter`` of https://github.com/apache/maven-indexer.

An index has ten million documents, so unused fields are skipped without creating objects. Three
fields of a document are kept, as bytes: ``u``, ``m`` and ``del`` (:mod:`.records`).
"""

from collections.abc import Iterator
from struct import Struct, error
from typing import IO

from ssc_ingest.ecosystems.maven.index.gunzip import Gunzip
from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable

Row = tuple[bytes | None, bytes | None, bytes | None]
"""The fields ``u``, ``m`` and ``del`` of a document."""

MAX_FIELDS = 10_000
"""Fields of one document; artifacts have some 20."""
MAX_VALUE = 64 * 1024 * 1024
"""Bytes of one field; the list of all groups has a few million, an artifact's classes 100,000."""
MAX_DOCUMENT = 128 * 1024 * 1024
"""Bytes of one document."""
MAX_EXPANDED = 256 * 1024**3
"""Bytes of all documents; ten million have some 3 GB."""

CHUNK_SIZE = 1024 * 1024
"""Bytes parsed at a time: a few thousand documents in a few milliseconds."""

_HEADER = Struct(">Bq")
_COUNT = Struct(">I")
# Flags, length of the name, its first letter, and, for names of one letter, length of the value.
# Lengths are read as unsigned: negative ones become too large.
_FIELD = Struct(">xHBI")
_NAME_AT = 3
_SHORT_FIELD = _FIELD.size

_UINFO, _MODIFIED = b"um"
_REMOVED = b"del"
_NOT_ARTIFACTS = frozenset({b"DESCRIPTOR", b"allGroups", b"rootGroups"})
"""Fields of documents about the index itself."""


class IndexReader:
    """The documents of one index file, whole or incremental.

    Iteration returns a few thousand documents at a time. Memory does not depend on the file's size.
    """

    def __init__(self, file: IO[bytes], *, url: str = "the index") -> None:
        """Read the header.

        Raises:
            RegistryUnavailable: the file is truncated or damaged.
            MalformedMetadata: the file is not an index.
        """
        self.documents = 0
        """Number of documents so far, including those about the index itself."""
        self._url = url
        self._stream = Gunzip(file, url=url, max_bytes=MAX_EXPANDED)
        self._rest = self._stream.read(CHUNK_SIZE)
        while len(self._rest) < _HEADER.size:
            if not (more := self._stream.read(CHUNK_SIZE)):
                raise RegistryUnavailable("the index ends within its header", url=url)
            self._rest += more
        version, timestamp = _HEADER.unpack_from(self._rest)
        self.timestamp: int = timestamp
        """The time of the index in milliseconds since 1970; -1 if unknown."""
        if version != 1:
            raise MalformedMetadata(f"version {version} of the index format, not 1", url=url)
        self._rest = self._rest[_HEADER.size :]

    @property
    def size(self) -> int:
        """Bytes read so far, uncompressed."""
        return self._stream.size

    def __iter__(self) -> Iterator[list[Row]]:
        """All rows, in lists of a few thousand.

        Raises:
            RegistryUnavailable: the file is truncated or damaged.
            MalformedMetadata: a length is invalid.
        """
        data, needed = self._rest, 0
        while True:
            rows, parsed, needed = self._parse(data)
            if rows:
                yield rows
            # A document larger than a chunk is parsed again each time the data has doubled, so the
            # total work is linear.
            left = len(data) - parsed
            more = self._stream.read(max(CHUNK_SIZE, left))
            if not more:
                if left:
                    raise RegistryUnavailable(
                        f"the index ends within document {self.documents + 1}: {left} of "
                        f"{needed} bytes or more",
                        url=self._url,
                    )
                return
            data = data[parsed:] + more

    def _parse(self, data: bytes) -> tuple[list[Row], int, int]:  # noqa: C901, PLR0912 - see below
        """The complete documents at the beginning, their length, and the size of the next one.

        This is the hot loop, so it uses local names and no calls.
        """
        rows: list[Row] = []
        count_at, field_at = _COUNT.unpack_from, _FIELD.unpack_from
        end = len(data)
        start, documents = 0, 0
        at = 0
        try:
            while start < end:
                (fields,) = count_at(data, start)
                if fields > MAX_FIELDS:
                    raise self._malformed(f"{fields} fields", documents)
                at = start + 4
                uinfo = modified = removed = None
                artifact = True
                for _ in range(fields):
                    length, letter, size = field_at(data, at)
                    if length == 1:
                        at += _SHORT_FIELD
                        if size > MAX_VALUE:
                            raise self._malformed(f"a field of {size} bytes", documents)
                        if letter == _UINFO:
                            uinfo = data[at : at + size]
                        elif letter == _MODIFIED:
                            modified = data[at : at + size]
                    else:
                        at += _NAME_AT
                        name = data[at : at + length]
                        at += length
                        (size,) = count_at(data, at)
                        if size > MAX_VALUE:
                            raise self._malformed(f"a field of {size} bytes", documents)
                        at += 4
                        if name == _REMOVED:
                            removed = data[at : at + size]
                        elif name in _NOT_ARTIFACTS:
                            artifact = False
                    at += size
                if at > end:
                    break
                if artifact:
                    rows.append((uinfo, modified, removed))
                start = at
                documents += 1
        except error:  # the data ends within a length
            at = max(at, end) + 1
        self.documents += documents
        if at - start > MAX_DOCUMENT:
            raise self._malformed(f"{at - start} bytes or more", 0)
        return rows, start, at - start

    def _malformed(self, what: str, documents: int) -> MalformedMetadata:
        number = self.documents + documents + 1
        return MalformedMetadata(f"document {number} has {what}", url=self._url)
