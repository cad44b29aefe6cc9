"""Dumps of OSV records: a zip file or a folder with one ``<ID>.json`` per record.

Reading is synchronous. The memory for a zip file does not grow with its number of records.
"""

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO

from ssc_ingest.archives.zip_entries import Entry, ZipEntries
from ssc_ingest.errors import RegistryUnavailable, ResourceNotFound
from ssc_ingest.vulnerabilities.records import MAX_RECORD_SIZE

DUMP = "all.zip"
SUFFIX = ".json"

MAX_DUMP_SIZE = 8 * 1024**3
"""Maximum size of a dump in bytes; npm's has 200 MB."""


class Place(ABC):
    """A record in a dump that has not been read yet."""

    id: str
    """The id in its file name."""

    @abstractmethod
    def read(self) -> bytes:
        """The record as JSON.

        Raises:
            RegistryUnavailable: the dump is damaged here.
            ResponseTooLarge: the file is larger than any record.
        """


class Dump(ABC):
    """The records of one ecosystem or of all.

    Attributes:
        identity: equal for equal dumps.
        mixed: whether it also has records of other ecosystems.
        count: number of files, mostly records.
    """

    identity: str
    count: int
    mixed: bool

    @abstractmethod
    def places(self) -> Iterator[Place]:
        """All records, always in the same order.

        Raises:
            RegistryUnavailable: the dump is damaged.
        """


class _ZipPlace(Place):
    __slots__ = ("_archive", "_entry", "id")

    def __init__(self, record_id: str, archive: ZipEntries, entry: Entry) -> None:
        self.id, self._archive, self._entry = record_id, archive, entry

    def read(self) -> bytes:
        return self._archive.read(self._entry, MAX_RECORD_SIZE)


class ZipDump(Dump):
    """The records of a zip file or of one folder in it."""

    def __init__(self, file: IO[bytes], where: str, *, folder: str = "", mixed: bool) -> None:
        self._archive = ZipEntries(file, where)
        self._prefix = f"{folder}/" if folder else ""
        self.mixed = mixed
        self.count = self._archive.count
        digest = blake2b(self._prefix.encode(), digest_size=16)
        for entry in self._archive:
            digest.update(f"{entry.name}\0{entry.crc}\0{entry.size}\n".encode())
        self.identity = digest.hexdigest()

    def places(self) -> Iterator[Place]:
        """The records in the order of the archive's directory."""
        for entry in self._archive:
            if (record_id := _record_id(entry.name, self._prefix)) is not None:
                yield _ZipPlace(record_id, self._archive, entry)


class _FilePlace(Place):
    __slots__ = ("_path", "id")

    def __init__(self, record_id: str, path: str) -> None:
        self.id, self._path = record_id, path

    def read(self) -> bytes:
        try:
            with Path(self._path).open("rb") as file:
                return file.read(MAX_RECORD_SIZE + 1)
        except OSError as error:
            raise RegistryUnavailable(f"{self._path}: {error.strerror}") from error


class FolderDump(Dump):
    """The records of a folder."""

    mixed = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        digest = blake2b(digest_size=16)
        files = self._files()
        self.count = len(files)
        for entry in files:
            facts = entry.stat()
            digest.update(f"{entry.name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
        self.identity = digest.hexdigest()

    def places(self) -> Iterator[Place]:
        """The records in the order of their names."""
        for entry in self._files():
            yield _FilePlace(entry.name.removesuffix(SUFFIX), entry.path)

    def _files(self) -> list["os.DirEntry[str]"]:
        with os.scandir(self._folder) as found:
            files = [each for each in found if each.name.endswith(SUFFIX) and each.is_file()]
        return sorted(files, key=lambda each: each.name)


@contextmanager
def local_dump(path: Path, ecosystem: str) -> Iterator[Dump]:
    """Open the dump of one ecosystem in a local folder or zip file.

    Args:
        path: a folder or zip file with ``<ECOSYSTEM>/all.zip`` or ``<ECOSYSTEM>/<ID>.json``, as in
            an OSV bucket, or with the records of all ecosystems (``all.zip``, ``<ID>.json``).
        ecosystem: OSV's name.

    Raises:
        ResourceNotFound: the ecosystem or the path does not exist.
        RegistryUnavailable: a file is damaged or unreadable.
    """
    try:
        if path.is_dir():
            with _in_folder(path, ecosystem) as dump:
                yield dump
        elif path.is_file():
            with path.open("rb") as file, _in_zip(file, str(path), ecosystem) as dump:
                yield dump
        else:
            raise ResourceNotFound(f"there is no folder or zip file {path}", url=str(path))
    except OSError as error:
        raise RegistryUnavailable(f"{error.filename}: {error.strerror}", url=str(path)) from error


@contextmanager
def _in_folder(path: Path, ecosystem: str) -> Iterator[Dump]:
    own = path / ecosystem
    archives = [(own / DUMP, False), (path / DUMP, True)]
    if own.is_dir() and not archives[0][0].is_file() and next(own.glob(f"*{SUFFIX}"), None):
        yield FolderDump(own)
        return
    for archive, mixed in archives:
        if archive.is_file():
            with archive.open("rb") as file:
                yield ZipDump(file, str(archive), mixed=mixed)
            return
    raise ResourceNotFound(f"{path} has no {ecosystem}", url=str(path))


@contextmanager
def _in_zip(file: IO[bytes], where: str, ecosystem: str) -> Iterator[Dump]:
    archive = ZipEntries(file, where)
    forms = set()
    for entry in archive:
        if entry.name == f"{ecosystem}/{DUMP}":
            with tempfile.TemporaryFile() as inner:
                _extract(archive, entry, inner)
                yield ZipDump(inner, f"{where}/{entry.name}", mixed=False)
            return
        for prefix in ("", f"{ecosystem}/"):
            if _record_id(entry.name, prefix) is not None:
                forms.add(prefix)
    if not forms:
        raise ResourceNotFound(f"{where} has no {ecosystem}", url=where)
    folder = max(forms).removesuffix("/")
    yield ZipDump(file, where, folder=folder, mixed=not folder)


def _extract(archive: ZipEntries, entry: Entry, target: IO[bytes]) -> None:
    for piece in archive.chunks(entry, MAX_DUMP_SIZE):
        target.write(piece)


def _record_id(name: str, prefix: str) -> str | None:
    """The record id from a file's path; ``None`` for a file that is not a record."""
    if not name.startswith(prefix) or not name.endswith(SUFFIX):
        return None
    record_id = name[len(prefix) : -len(SUFFIX)]
    return record_id if record_id and "/" not in record_id else None
