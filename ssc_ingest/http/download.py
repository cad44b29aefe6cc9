"""Resumable downloads (RFC 9110, 14: range requests).

A :class:`Transfer` implements the protocol without network input or output. So both the
asynchronous client of the registries and the download threads of the embedded servers can use it.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import IO

from ssc_ingest.errors import RegistryUnavailable
from ssc_ingest.http import decoding
from ssc_ingest.http.responses import Download
from ssc_ingest.http.transport import Answer

Open = Callable[[str, Mapping[str, str]], AbstractAsyncContextManager[Answer]]
"""Sends a GET request; the response has status 200, 206, 304, or 416 for a missing rest."""


class Transfer:
    """The download of a document into a file, with as many responses as needed.

    For each response: send :meth:`headers`, call :meth:`begin`, and :meth:`write` the body.
    """

    def __init__(
        self,
        file: IO[bytes],
        *,
        expected_size: int | None = None,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Continue after the contents of the file.

        Args:
            file: open for reading and writing, or for appending.
            expected_size: of the whole document in bytes, if the caller knows it and its checksum.
                Then the server need not send a validator.
            on_progress: called with the number of bytes already in the file, then with the bytes
                received; a negative number means that bytes were discarded.
        """
        self._file = file
        self._expected_size = expected_size
        self._on_progress = on_progress
        self._etag = ""
        self.size = file.seek(0, os.SEEK_END)
        on_progress(self.size)

    def headers(self) -> dict[str, str]:
        """The headers of a request for the rest; empty if the whole document is needed."""
        if not self.size or not (self._etag or self._expected_size):
            return {}
        condition = {"If-Range": self._etag} if self._etag else {}
        return {"Range": f"bytes={self.size}-", "Accept-Encoding": "identity", **condition}

    def begin(self, status: int, headers: Mapping[str, str], url: str) -> bool:
        """Prepare for the body; returns false if the document is already complete.

        Args:
            status: of the response.
            headers: of the response, case-insensitive.
            url: of the request.

        Raises:
            RegistryUnavailable: another part was sent; the contents of the file are discarded.
        """
        content_range = headers.get("content-range", "")
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # There is no rest: the document is complete if the size is right.
            if self.size and content_range == f"bytes */{self.size}":
                return False
        elif status != HTTPStatus.PARTIAL_CONTENT:
            self.restart()
            # A weak validator or a compressed body does not identify byte ranges.
            etag = headers.get("etag", "")
            strong = etag.startswith('"') and "content-encoding" not in headers
            self._etag = etag if strong else ""
            return True
        elif content_range.startswith(f"bytes {self.size}-"):
            return True
        self.restart()
        raise RegistryUnavailable("the server did not send the requested part", url=url)

    def write(self, chunk: bytes) -> None:
        """Append to the file."""
        self._file.write(chunk)
        self.size += len(chunk)
        self._on_progress(len(chunk))

    def restart(self) -> None:
        """Discard the contents."""
        self._file.seek(0)
        self._file.truncate()
        self._on_progress(-self.size)
        self.size, self._etag = 0, ""


@asynccontextmanager
async def download(
    open_: Open,
    with_retries: Callable[..., Awaitable[Mapping[str, str] | None]],
    url: str,
    headers: Mapping[str, str],
    max_bytes: int,
) -> AsyncIterator[Download]:
    """GET a document into a temporary file, positioned at its start and deleted after the block.

    Args:
        open_: sends requests.
        with_retries: calls a function with these arguments, and repeats the call if that may help.
        url: of the document.
        headers: of every request.
        max_bytes: limit of the decoded document.

    Raises:
        RegistryError: the errors of ``open_`` and :func:`.decoding.chunks`.
    """
    with tempfile.TemporaryFile() as file:
        answered: Mapping[str, str] | None = await with_retries(
            _receive, open_, url, headers, Transfer(file), max_bytes
        )
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        yield Download(url, file, size, not_modified=answered is None, headers=answered or {})


async def _receive(
    open_: Open, url: str, headers: Mapping[str, str], transfer: Transfer, max_bytes: int
) -> Mapping[str, str] | None:
    """Receive the document or its rest; returns its headers, or ``None`` if it is unchanged."""
    async with open_(url, {**headers, **transfer.headers()}) as answer:
        if answer.status == HTTPStatus.NOT_MODIFIED:
            return None
        if transfer.begin(answer.status, answer.headers, url):
            async for chunk in decoding.chunks(answer, url, max_bytes, transfer.size):
                await asyncio.to_thread(transfer.write, chunk)
        return answer.headers
