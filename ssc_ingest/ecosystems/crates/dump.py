"""The dump of crates.io's database: a tar.gz of CSV tables, made once a day.

https://crates.io/data-access. The archive has one folder, named by the time; in it are
``metadata.json`` (``timestamp``: no earlier event is missing) and tables as
``data/<table>.csv``, written by PostgreSQL's ``COPY ... CSV HEADER``: columns may be added and
moved, and rows have no order. This module does not rely on the order of the tables.

Each method reads the whole dump forward, one member at a time, and stores nothing. Decompressed it
has several gigabytes, of which one line is in memory.
"""

import csv
import gzip
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, NamedTuple, Self

from pydantic import AwareDatetime, ValidationError

from ssc_ingest.ecosystems.wire import WireModel, in_utc
from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable

MAX_DECOMPRESSED = 64 * 1024**3
"""Bytes; real dumps have some 5 GB."""

MAX_MEMBERS = 1000

MAX_METADATA = 64 * 1024

MAX_ROWS = 100_000_000
"""Of one table; ``versions`` has some two million."""

MAX_LINE_LENGTH = 16 * 1024 * 1024
"""Bytes of a line and characters of a field; readmes and feature lists have some megabytes."""

MAX_LINK_LENGTH = 500
"""Characters; a longer text is not an address."""

_BLOCK = 1024 * 1024
"""Bytes decompressed at a time."""

_HEADERS = 256 * 1024
"""Maximum bytes between the contents of two members."""

MAX_EXTENDED = 4096
"""Bytes of an extended header; a long name has some hundred."""

_EXTENDED = (
    tarfile.GNUTYPE_LONGLINK,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.XHDTYPE,
)

_OF_VERSIONS = ("crate_id", "num", "created_at", "updated_at", "yanked")


class Crate(NamedTuple):
    """A row of ``crates``. ``row`` counts from 1."""

    row: int
    number: str
    """The primary key."""
    name: str
    updated_at: datetime
    links: tuple[str, ...]
    """Its repository and home page, if given."""


class Release(NamedTuple):
    """A row of ``versions``. Yanking and un-yanking change ``updated_at``."""

    crate: str
    """The primary key of its crate."""
    version: str
    created_at: datetime
    updated_at: datetime
    yanked: bool


class Deletion(NamedTuple):
    """A row of ``deleted_crates``; another crate may now have the name."""

    name: str
    deleted_at: datetime


class _Metadata(WireModel):
    timestamp: AwareDatetime


class Dump:
    """A downloaded dump. Each method reads it from its start, for minutes: use a thread.

    The methods raise :class:`RegistryUnavailable` if the archive is damaged or truncated, and
    :class:`MalformedMetadata` if it does not contain a dump.
    """

    def __init__(self, file: IO[bytes], url: str) -> None:
        self._file = file
        self._url = url

    def made_at(self) -> datetime:
        """The time of the dump, in UTC."""
        with self._reading():
            for path, content in _members(self._file):
                if path == "metadata.json":
                    metadata = _Metadata.model_validate_json(content.read(MAX_METADATA))
                    return metadata.timestamp.astimezone(UTC)
            raise ValueError("no metadata.json")

    def crates(self) -> Iterator[Crate]:
        """All crates."""
        columns = ("id", "name", "updated_at", "repository", "homepage")
        with self._reading():
            for path, content in _members(self._file):
                if path == "data/crates.csv":
                    number = 0
                    for number, row in enumerate(_rows(path, content, columns), 1):
                        links = tuple(link[:MAX_LINK_LENGTH] for link in row[3:] if link)
                        yield Crate(number, row[0], row[1], _moment(row[2]), links)
                    if not number:
                        raise ValueError(f"{path} has no rows")
                    return
            raise ValueError("no data/crates.csv")

    def events(self) -> Iterator[Release | Deletion]:
        """All versions, and all deletions of crates if the dump has them.

        Reads the whole archive, so that damage anywhere in it is found.
        """
        seen = False
        with self._reading():
            for path, content in _members(self._file):
                if path == "data/versions.csv":
                    for row in _rows(path, content, _OF_VERSIONS):
                        seen = True
                        moments = _moment(row[2]), _moment(row[3])
                        yield Release(row[0], row[1], *moments, yanked=row[4] == "t")
                elif path == "data/deleted_crates.csv":
                    for row in _rows(path, content, ("name", "deleted_at")):
                        yield Deletion(row[0], _moment(row[1]))
            if not seen:
                raise ValueError("no data/versions.csv, or no rows in it")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Read from the start; errors become :class:`RegistryError`."""
        self._file.seek(0)
        try:
            yield
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            reason = f"the dump is damaged: {error}"
            raise RegistryUnavailable(reason, url=self._url) from error
        except (ValueError, csv.Error, RecursionError) as error:
            what = "metadata.json: no timestamp" if isinstance(error, ValidationError) else error
            raise MalformedMetadata(f"the database dump: {what}", url=self._url) from error


def _members(file: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """The archive's files in order: the path below its one folder, and the content, to read now."""
    decompressed = _Decompressed(gzip.GzipFile(fileobj=file))
    decompressed.allow(_HEADERS)
    # "r|": strictly forward, so that everything is counted.
    with tarfile.open(  # type: ignore[call-overload]
        fileobj=decompressed, mode="r|", bufsize=_BLOCK, tarinfo=_Header
    ) as archive:
        for number, member in enumerate(archive):
            if number >= MAX_MEMBERS:
                raise ValueError(f"more than {MAX_MEMBERS} files")
            decompressed.allow(member.size + _HEADERS)
            if not member.isreg() or member.issparse():
                continue
            if content := archive.extractfile(member):
                yield member.name.removeprefix("./").partition("/")[2], content
    # A damaged header looks like the end of the archive; the final checksum reveals it.
    decompressed.allow(MAX_DECOMPRESSED)
    while decompressed.read(_BLOCK):
        pass


class _Header(tarfile.TarInfo):
    """A header. Extended ones are small: tarfile's search in them takes the square of their size.

    https://nvd.nist.gov/vuln/detail/CVE-2024-6232
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """The header in a block."""
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENDED and header.size > MAX_EXTENDED:
            raise ValueError(f"an extended header has {header.size} bytes")
        return header


class _Decompressed:
    """The decompressed archive, readable up to the current allowance and the total limit.

    Headers of an archive may announce any size, and tarfile would read them into memory.
    """

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._allowed = 0
        self._left = MAX_DECOMPRESSED

    def allow(self, size: int) -> None:
        """Allow ``size`` more bytes, plus the reader's look-ahead."""
        self._allowed = size + _BLOCK

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        data = self._stream.read(size)
        self._allowed -= len(data)
        self._left -= len(data)
        if self._allowed < 0 or self._left < 0:
            raise ValueError("the content is too large")
        return data


def _rows(path: str, content: IO[bytes], columns: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The table's rows, reduced to these columns."""
    # The csv module's own limit, one for the process, is too low; the limit on lines replaces it.
    csv.field_size_limit(MAX_LINE_LENGTH)
    table = csv.reader(_lines(path, content), strict=True)
    header = next(table, [])
    place: Mapping[str, int] = {name: index for index, name in enumerate(header)}
    if missing := [column for column in columns if column not in place]:
        raise ValueError(f"{path} has no column {', '.join(missing)}")
    indexes = [place[column] for column in columns]
    for number, row in enumerate(table):
        if number >= MAX_ROWS:
            raise ValueError(f"{path} has more than {MAX_ROWS} rows")
        if len(row) != len(header):
            raise ValueError(f"{path}, line {table.line_num}: {len(row)} of {len(header)} columns")
        yield tuple([row[index] for index in indexes])


def _lines(path: str, content: IO[bytes]) -> Iterator[str]:
    while line := content.readline(MAX_LINE_LENGTH + 1):
        if len(line) > MAX_LINE_LENGTH:
            raise ValueError(f"{path} has a line of more than {MAX_LINE_LENGTH} bytes")
        yield line.decode()


def _moment(text: str) -> datetime:
    """PostgreSQL's ``2026-11-24 02:00:11.71204+00``; without a zone it is UTC."""
    return in_utc(datetime.fromisoformat(text))
