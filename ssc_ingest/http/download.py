"""Downloads that go on where they broke off (RFC 9110, 14: range requests).

A :class:`Transfer` knows the protocol and does no network input or output, so it serves the
asynchronous client of the registries and the threads that download the embedded servers alike.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import IO

import httpx
from tenacity import AsyncRetrying

from ssc_ingest.errors import RegistryUnavailable
from ssc_ingest.http import decoding
from ssc_ingest.http.responses import Download

Open = Callable[[str, Mapping[str, str]], AbstractAsyncContextManager[httpx.Response]]
"""Sends a GET request; its answer has status 200, 206, 304, or 416 for a rest that is not there."""


class Transfer:
    """A document on its way into a file, over as many answers as it takes.

    For each answer: send :meth:`headers`, call :meth:`begin`, and :meth:`write` the body.
    """

    def __init__(
        self,
        file: IO[bytes],
        *,
        expected_size: int | None = None,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Go on behind what the file holds.

        Args:
            file: open for reading and writing, or for appending.
            expected_size: of the whole document in bytes, if the caller knows it and its checksum.
                The rest may then come from a server that names no validator.
            on_progress: called with the number of bytes that are there, or arrive; negative if
                they were thrown away.
        """
        self._file = file
        self._expected_size = expected_size
        self._on_progress = on_progress
        self._etag = ""
        self.size = file.seek(0, os.SEEK_END)
        on_progress(self.size)

    def headers(self) -> dict[str, str]:
        """What asks for the rest; nothing if only the whole document will do."""
        if not self.size or not (self._etag or self._expected_size):
            return {}
        condition = {"If-Range": self._etag} if self._etag else {}
        return {"Range": f"bytes={self.size}-", "Accept-Encoding": "identity", **condition}

    def begin(self, answer: httpx.Response) -> bool:
        """Be ready for the answer's body; false if the document is complete without it.

        Raises:
            RegistryUnavailable: not the rest that was asked for; what was there is thrown away.
        """
        content_range = answer.headers.get("content-range", "")
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            # There is no rest. The document is complete if this is all of it.
            if self.size and content_range == f"bytes */{self.size}":
                return False
        elif answer.status_code != httpx.codes.PARTIAL_CONTENT:
            self.restart()
            # A weak validator, or a compressed body, says nothing about parts.
            etag = answer.headers.get("etag", "")
            strong = etag.startswith('"') and "content-encoding" not in answer.headers
            self._etag = etag if strong else ""
            return True
        elif content_range.startswith(f"bytes {self.size}-"):
            return True
        self.restart()
        raise RegistryUnavailable(
            "the server sent another part than the requested one", url=str(answer.url)
        )

    def write(self, chunk: bytes) -> None:
        """Append to the file."""
        self._file.write(chunk)
        self.size += len(chunk)
        self._on_progress(len(chunk))

    def restart(self) -> None:
        """Throw away what is there."""
        self._file.seek(0)
        self._file.truncate()
        self._on_progress(-self.size)
        self.size, self._etag = 0, ""


@asynccontextmanager
async def download(
    open_: Open, retrying: AsyncRetrying, url: str, headers: Mapping[str, str], max_bytes: int
) -> AsyncIterator[Download]:
    """GET a document into a temporary file, which is at its beginning and gone after the block.

    Args:
        open_: how requests are sent.
        retrying: how often, and after which errors.
        url: where the document is.
        headers: of every request.
        max_bytes: cap on the decoded document.

    Raises:
        RegistryError: those of ``open_`` and :func:`.decoding.chunks`.
    """
    with tempfile.TemporaryFile() as file:
        answered: Mapping[str, str] | None = await retrying(
            _receive, open_, url, headers, Transfer(file), max_bytes
        )
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        yield Download(url, file, size, not_modified=answered is None, headers=answered or {})


async def _receive(
    open_: Open, url: str, headers: Mapping[str, str], transfer: Transfer, max_bytes: int
) -> Mapping[str, str] | None:
    """Receive the document, or the rest of it; its headers, or ``None`` if it is unchanged."""
    async with open_(url, {**headers, **transfer.headers()}) as answer:
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return None
        if transfer.begin(answer):
            async for chunk in decoding.chunks(answer, url, max_bytes, transfer.size):
                await asyncio.to_thread(transfer.write, chunk)
        return answer.headers
