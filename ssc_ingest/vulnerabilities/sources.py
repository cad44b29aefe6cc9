"""The source of advisories: an OSV bucket or a local copy.

For each ecosystem, a bucket has ``all.zip`` with all records, ``<ID>.json``, and
``modified_id.csv`` with lines ``<time>,<ID>``, newest first
(https://google.github.io/osv.dev/data/). Records without an ecosystem, mostly withdrawn ones, are
in the folder ``[EMPTY]``. The bucket's own ``modified_id.csv`` has lines ``<time>,<FOLDER>/<ID>``
for all folders.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

from ssc_ingest.ecosystems.concurrency import in_thread
from ssc_ingest.ecosystems.wire import parse_moment
from ssc_ingest.errors import RangeNotSatisfiable, RegistryUnavailable, ResourceNotFound
from ssc_ingest.http.client import RegistryClient
from ssc_ingest.http.rate_limit import RateLimiter
from ssc_ingest.http.responses import Response
from ssc_ingest.http.transport import Transport
from ssc_ingest.metrics import Metrics
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.dumps import DUMP, MAX_DUMP_SIZE, Dump, ZipDump, local_dump
from ssc_ingest.vulnerabilities.records import MAX_RECORD_SIZE, RECORD_ID

LIST = "modified_id.csv"

WITHOUT_ECOSYSTEM = "[EMPTY]"

MAX_LIST_SIZE = 512 * 1024 * 1024
"""Maximum bytes of a list that the server sends as a whole; npm's has about 10 MB."""

FIRST_PART, NEXT_PART = 64 * 1024, 1024 * 1024
"""Bytes of a list per request; 64 KiB have about 1,500 records."""

_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a modified list."""

    id: str
    time: str
    """As spelled in the list."""
    moment: datetime
    folder: str = ""
    """The folder of the record, in the list of all folders."""


@dataclass(frozen=True, slots=True)
class ListPart:
    """Lines of a modified list, newest first."""

    lines: tuple[Listed, ...]
    etag: str
    """Of the whole list; empty if the server sends none."""


class Source(ABC):
    """A source of OSV's records. Ecosystems have OSV's names."""

    where: str
    """Address or path, for messages."""
    has_lists: bool
    """Whether it has modified lists, so that a sync need not read all records."""

    @abstractmethod
    def changes(self, ecosystem: str, etag: str) -> AsyncGenerator[ListPart]:
        """The modified list of one ecosystem, or of all folders (``""``), part by part.

        Empty if the list still has this ETag. The caller may stop at any part.

        Raises:
            ResourceNotFound: the source does not have this ecosystem.
            RateLimited: wait, and start again.
            RegistryUnavailable: try again later; also if the list changed while it was read.
        """

    @abstractmethod
    async def record(self, folder: str, record_id: str) -> bytes:
        """One record as JSON.

        Raises:
            ResourceNotFound: the record is not in this folder.
            RateLimited, RegistryUnavailable: as for :meth:`changes`.
            ResponseTooLarge: the record exceeds the limit.
        """

    @abstractmethod
    def dump(self, ecosystem: str) -> AbstractAsyncContextManager[Dump]:
        """All records of one ecosystem.

        Raises:
            ResourceNotFound: the source does not have this ecosystem.
            RateLimited, RegistryUnavailable: as for :meth:`changes`.
        """


class Bucket(Source):
    """An OSV bucket over HTTP."""

    has_lists = True

    def __init__(self, client: RegistryClient, url: str) -> None:
        self._client = client
        self.where = url

    async def changes(self, ecosystem: str, etag: str) -> AsyncGenerator[ListPart]:
        """Request the list in ranges, because a sync mostly reads only its beginning."""
        url = self._url(ecosystem, LIST)
        rest, position, size, seen = b"", 0, FIRST_PART, ""
        while True:
            wanted = f"{position}-{position + size - 1}"
            try:
                part = await self._client.get(
                    url,
                    max_bytes=MAX_LIST_SIZE,
                    byte_range=wanted,
                    etag=(etag or None) if not position else None,
                )
            except RangeNotSatisfiable:
                return  # an empty list
            if part.not_modified:
                return
            if position and part.etag != seen:
                raise RegistryUnavailable("the list was replaced while it was read", url=url)
            seen, total = part.etag or "", _total(part)
            position += len(part.body)
            complete = position >= total
            lines, newline, rest = (rest + part.body).rpartition(b"\n")
            yield ListPart(tuple(_listed(lines + newline + rest if complete else lines)), seen)
            if complete:
                return
            size = NEXT_PART

    async def record(self, folder: str, record_id: str) -> bytes:
        """One request."""
        if not RECORD_ID.fullmatch(record_id):
            raise ResourceNotFound(f"{record_id!r:.80} cannot be an id")
        url = self._url(folder, f"{quote(record_id, safe='')}.json")
        return (await self._client.get(url, max_bytes=MAX_RECORD_SIZE)).body

    @asynccontextmanager
    async def dump(self, ecosystem: str) -> AsyncIterator[Dump]:
        """Download the dump to a temporary file."""
        url = self._url(ecosystem, DUMP)
        async with self._client.download(url, max_bytes=MAX_DUMP_SIZE) as download:
            yield await asyncio.to_thread(ZipDump, download.file, url, mixed=False)

    def _url(self, folder: str, name: str) -> str:
        return "/".join((self.where, *([quote(folder, safe="")] if folder else []), name))


def open_source(
    transport: Transport,
    limiter: RateLimiter,
    settings: Settings,
    metrics: Metrics,
    *,
    path: Path | None = None,
) -> Source:
    """Open the source in the settings; ``path`` takes precedence."""
    if local := path or settings.osv_path:
        return LocalCopy(local.expanduser().absolute())
    url = settings.osv_url
    hosts = {urlsplit(url).netloc: settings.osv_rate}
    return Bucket(RegistryClient(transport, limiter, hosts, registry="osv", metrics=metrics), url)


class LocalCopy(Source):
    """A folder or a zip file in the form of a bucket; see :func:`.dumps.local_dump`.

    It has no modified lists: a local dump costs no requests, and an unchanged one is recognised.
    """

    has_lists = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = str(path)

    async def changes(self, ecosystem: str, etag: str) -> AsyncGenerator[ListPart]:
        """Not available: a local copy has no lists."""
        del etag
        for _ in ():
            yield ListPart((), "")
        raise ResourceNotFound(f"{self.where} has no list of {ecosystem}")

    async def record(self, folder: str, record_id: str) -> bytes:
        """Not available: syncs read the dump instead."""
        raise ResourceNotFound(f"{self.where} has no {folder}/{record_id}")

    @asynccontextmanager
    async def dump(self, ecosystem: str) -> AsyncIterator[Dump]:
        """Open the dump; a dump inside a zip file is unpacked to a temporary file."""
        with ExitStack() as stack:
            yield await in_thread(stack.enter_context, local_dump(self._path, ecosystem))


def _total(part: Response) -> int:
    """The size of the whole list; a server without ranges has sent all of it."""
    match = _TOTAL.fullmatch(part.headers.get("content-range", ""))
    return int(match[1]) if match else 0


def _listed(text: bytes) -> Iterator[Listed]:
    """The readable lines."""
    for line in text.decode("utf-8", "replace").splitlines():
        time, _, path = line.strip().partition(",")
        folder, _, record_id = path.rpartition("/")
        moment = parse_moment(time)
        if moment and RECORD_ID.fullmatch(record_id):
            yield Listed(record_id, time, moment, folder)
