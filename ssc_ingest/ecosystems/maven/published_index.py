"""The published index over HTTP: its properties, the whole index, and its chunks.

Central calls it ``.index/nexus-maven-repository-index``: ``.properties`` (a kilobyte), ``.gz`` (2.6
GB, weekly to monthly), and ``.<number>.gz`` with the documents added between two publications.
https://maven.apache.org/repository/central-index.html
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ssc_ingest.ecosystems.endpoints import Endpoints
from ssc_ingest.ecosystems.maven.index.index_pass import Pass
from ssc_ingest.ecosystems.maven.index.properties import (
    MAX_PROPERTIES,
    IndexProperties,
    parse_properties,
)
from ssc_ingest.ecosystems.maven.index.records import Changes, Names
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines
from ssc_ingest.errors import RegistryUnavailable, ResourceNotFound
from ssc_ingest.logs import get_logger

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

MAX_INDEX = 32 * 1024**3
"""Bytes of the compressed index; they go through a private temporary file."""

ANY = "*/*"

T = TypeVar("T")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Read:
    """The result of reading a file of the index to its end."""

    timestamp: int
    """The time of the index in milliseconds since 1970; -1 if unknown."""
    lines: int
    """Number of distinct lines."""


class PublishedIndex:
    """The files of one published index."""

    def __init__(self, client: "RegistryClient", endpoints: Endpoints) -> None:
        self.client = client
        self._endpoints = endpoints

    def url(self, suffix: str = ".gz") -> str:
        """The address of one of its files; by default that of the whole index."""
        return self._endpoints.url("index", f"nexus-maven-repository-index{suffix}")

    async def properties(self) -> IndexProperties:
        """The properties of the current index.

        Raises:
            RegistryUnavailable: also if there is no index.
            RateLimited, MalformedMetadata.
        """
        url = self.url(".properties")
        try:
            response = await self.client.get(url, max_bytes=MAX_PROPERTIES, accept=ANY)
        except ResourceNotFound as error:
            raise _no_index(url) from error
        return parse_properties(response.body, url)

    async def read_whole(self, records: Names | Changes, lines: SortedLines) -> Read:
        """Read the index into ``lines``, completely or with an error.

        Raises:
            RegistryUnavailable: also if there is no index, or it is truncated or damaged.
            RateLimited, MalformedMetadata, ResponseTooLarge.
        """
        try:
            return await self._read(self.url(), records, lines)
        except ResourceNotFound as error:
            raise _no_index(self.url()) from error

    async def read_chunk(self, number: int, records: Changes, lines: SortedLines) -> Read:
        """Read one chunk into ``lines``; raises the errors of :meth:`read_whole`, and one more.

        Raises:
            ResourceNotFound: the index has no chunk of this number.
        """
        return await self._read(self.url(f".{number}.gz"), records, lines)

    async def _read(self, url: str, records: Names | Changes, lines: SortedLines) -> Read:
        async with self.client.download(url, max_bytes=MAX_INDEX, accept=ANY) as download:
            log.info("maven_index_downloaded", url=url, size_bytes=download.size)
            reading = await asyncio.to_thread(Pass, download.file, records, lines, url=url)
            async for progress in off_loop_steps(iter(reading)):
                if progress:
                    log.info("maven_index_progress", url=url, documents=progress.documents)
        count = await asyncio.to_thread(lines.finish)
        log.info(
            "maven_index_read",
            url=url,
            documents=reading.progress.documents,
            lines=count,
            skipped=records.skipped,
            such_as=records.examples,
        )
        return Read(reading.timestamp, count)


def _no_index(url: str) -> RegistryUnavailable:
    return RegistryUnavailable("there is no Maven index here (MAVEN_INDEX_URL)", url=url)


async def off_loop_steps(steps: Iterator[T]) -> AsyncIterator[T]:
    """The items of an iterator, each computed in a thread: cancellation waits for one at most."""
    end = object()
    while (item := await asyncio.to_thread(next, steps, end)) is not end:
        yield item  # type: ignore[misc] # anything but the end is an item
