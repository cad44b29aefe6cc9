"""A cache of immutable documents that all workers share.

Many packages of some registries use the same documents: every version of every module of a Maven
project inherits from the same parents. The cache database of Redis stores such documents,
compressed, for a day after their last use (large ones for an hour). Each process keeps the most
used small ones. The size of the cache is limited by the number of requests a day.
"""

import asyncio
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

KIND = "document"
TTL = 24 * 3600
"""Seconds until a document expires after its last use."""

LARGE = 256 * 1024
"""Bytes from which a document is compressed in a thread, and not kept in the process."""

LARGE_TTL = 3600
"""Seconds until a large document expires after its last use."""

MAX_SIZE = 4 * 1024 * 1024
"""Maximum bytes of a cached document."""

IN_PROCESS = 16 * 1024 * 1024
"""Maximum bytes of the documents kept in one process."""


@dataclass(frozen=True, slots=True)
class Document:
    """A complete response with status 200; ``last_modified`` is aware."""

    body: bytes
    last_modified: datetime | None = None

    def pack(self) -> bytes:
        """Encode and compress for Redis."""
        moment = self.last_modified.isoformat() if self.last_modified else ""
        return zlib.compress(b"%s\n%s" % (moment.encode(), self.body), level=1)

    @classmethod
    def unpack(cls, packed: bytes) -> "Document":
        """Decode the result of :meth:`pack`."""
        moment, _, body = zlib.decompress(packed).partition(b"\n")
        return cls(body, datetime.fromisoformat(moment.decode()) if moment else None)


class DocumentCache:
    """The shared documents, by URL."""

    def __init__(self, cache: Redis, *, in_process: int = IN_PROCESS) -> None:
        """``cache`` is a client of the cache database that returns bytes."""
        self._cache = cache
        self._hottest: OrderedDict[str, Document] = OrderedDict()
        self._size = 0
        self._capacity = in_process

    async def get(self, url: str) -> Document | None:
        """The document, if it has not expired."""
        if (document := self._hottest.get(url)) is not None:
            self._hottest.move_to_end(url)
            return document
        packed = await self._cache.getex(_key(url), ex=TTL)
        if not isinstance(packed, bytes):
            return None
        document = Document.unpack(packed)
        if len(document.body) > LARGE:
            await self._cache.expire(_key(url), LARGE_TTL)
        self._remember(url, document)
        return document

    async def put(self, url: str, document: Document) -> bool:
        """Cache the document if it is small enough; returns whether it is."""
        if len(document.body) > MAX_SIZE:
            return False
        if len(document.body) > LARGE:
            packed = await asyncio.to_thread(document.pack)
            await self._cache.set(_key(url), packed, ex=LARGE_TTL)
        else:
            await self._cache.set(_key(url), document.pack(), ex=TTL)
        self._remember(url, document)
        return True

    def _remember(self, url: str, document: Document) -> None:
        if len(document.body) > LARGE:
            return
        if (previous := self._hottest.pop(url, None)) is not None:
            self._size -= len(previous.body)
        self._hottest[url] = document
        self._size += len(document.body)
        while self._size > self._capacity:
            _, coldest = self._hottest.popitem(last=False)
            self._size -= len(coldest.body)


def _key(url: str) -> str:
    return f"{KIND}:{url}"
