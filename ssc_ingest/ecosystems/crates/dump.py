"""The dump of crates.io's database: a tar.gz of CSV tables, made once a day.

https://crates.io/data-access. The archive has one folder, named by the time; in it are
``metadata.json`` (``timestamp``: nothing that happened before is missing) and a table each in
``data/<table>.csv``, as PostgreSQL's ``COPY ... CSV HEADER`` writes it: columns may be added and
moved, rows are in no order. Tables come in the order in which an import needs them, on which
nothing here relies.

It is read forward only, a member at a time, and nothing of it is kept or written: a table is
read again for each question. Unpacked it has several gigabytes, of which one line is in memory.
"""

import csv
import gzip
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ssc_ingest.ecosystems.base import Hints
from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable

MAX_UNPACKED = 64 * 1024**3
"""Bytes; real dumps have some 5 GB."""

MAX_MEMBERS = 1000

MAX_METADATA = 64 * 1024

MAX_ROWS = 100_000_000
"""Of one table; ``versions`` has some two million."""

MAX_LINE_LENGTH = 16 * 1024 * 1024
"""Bytes of a line, characters of a field; readmes and lists of features have a few megabytes."""

MAX_LINK_LENGTH = 500
"""Characters; what is longer is no address."""

_BLOCK = 1024 * 1024
"""Bytes unpacked at a time."""

_HEADERS = 256 * 1024
"""Bytes that may stand between the contents of two members."""

_OF_VERSIONS = ("crate_id", "num", "created_at", "updated_at", "yanked")


class Crate(NamedTuple):
    """A row of ``crates``. ``row`` counts from 1."""

    row: int
    number: str
    """The primary key."""
    name: str
    updated_at: datetime
    links: Hints
    """Its repository and its home page, as far as it tells them."""


class Release(NamedTuple):
    """A row of ``versions``. Being yanked, or no longer so, moves ``updated_at``."""

    crate: str
    """The primary key of its crate."""
    version: str
    created_at: datetime
    updated_at: datetime
    yanked: bool


class Deletion(NamedTuple):
    """A row of ``deleted_crates``: a name that may have been given to another crate since."""

    name: str
    deleted_at: datetime


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    timestamp: AwareDatetime


class Dump:
    """A downloaded dump. Each method reads it from its beginning: minutes, so not on the loop.

    All raise :class:`RegistryUnavailable` for an archive that is damaged or broken off, and
    :class:`MalformedMetadata` for one that has something else in it than a dump.
    """

    def __init__(self, file: IO[bytes], url: str) -> None:
        self._file = file
        self._url = url

    def made_at(self) -> datetime:
        """When it was made, in UTC."""
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
        """All versions, and all deletions of crates where they are told.

        The whole archive is read, so that damage anywhere in it is found.
        """
        seen = False
        with self._reading():
            for path, content in _members(self._file):
                if path == "data/versions.csv":
                    for row in _rows(
                        path, content, ("crate_id", "num", "created_at", "updated_at", "yanked")
                    ):
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
        """From the beginning; errors are told in our terms."""
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
    """The archive's files in order: path below its one folder, and content to be read at once."""
    unpacked = _Unpacked(gzip.GzipFile(fileobj=file))
    unpacked.allow(_HEADERS)
    # "r|": strictly forward, so that everything is counted.
    with tarfile.open(fileobj=unpacked, mode="r|", bufsize=_BLOCK) as archive:  # type: ignore[call-overload]
        for number, member in enumerate(archive):
            if number >= MAX_MEMBERS:
                raise ValueError(f"more than {MAX_MEMBERS} files")
            unpacked.allow(member.size + _HEADERS)
            if not member.isreg() or member.issparse():
                continue
            if content := archive.extractfile(member):
                yield member.name.removeprefix("./").partition("/")[2], content
    # A damaged header looks like the archive's end; the checksum behind everything tells.
    unpacked.allow(MAX_UNPACKED)
    while unpacked.read(_BLOCK):
        pass


class _Unpacked:
    """What comes out of the archive; no more than was allowed last, and never more than the cap.

    Headers of an archive may announce any size, and would be read into memory as a whole.
    """

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._allowed = 0
        self._left = MAX_UNPACKED

    def allow(self, size: int) -> None:
        """So many bytes may be asked for from here on, and what the reader takes ahead."""
        self._allowed = size + _BLOCK

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        data = self._stream.read(size)
        self._allowed -= len(data)
        self._left -= len(data)
        if self._allowed < 0 or self._left < 0:
            raise ValueError("more is in it than can be")
        return data


def _rows(path: str, content: IO[bytes], columns: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The table's rows, reduced to these columns."""
    # The module's own limit, one for the process, is far below what there is; ours is the line's.
    csv.field_size_limit(MAX_LINE_LENGTH)
    table = csv.reader(_lines(path, content), strict=True)
    header = next(table, [])
    place: Mapping[str, int] = {name: index for index, name in enumerate(header)}
    if missing := [column for column in columns if column not in place]:
        raise ValueError(f"{path} has no column {', '.join(missing)}")
    wanted = [place[column] for column in columns]
    for number, row in enumerate(table):
        if number >= MAX_ROWS:
            raise ValueError(f"{path} has more than {MAX_ROWS} rows")
        if len(row) != len(header):
            raise ValueError(f"{path}, line {table.line_num}: {len(row)} of {len(header)} columns")
        yield tuple([row[index] for index in wanted])


def _lines(path: str, content: IO[bytes]) -> Iterator[str]:
    while line := content.readline(MAX_LINE_LENGTH + 1):
        if len(line) > MAX_LINE_LENGTH:
            raise ValueError(f"{path} has a line of more than {MAX_LINE_LENGTH} bytes")
        yield line.decode()


def _moment(text: str) -> datetime:
    """PostgreSQL's ``2026-11-24 02:00:11.71204+00``; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
