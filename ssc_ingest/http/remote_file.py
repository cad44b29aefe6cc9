"""Reads parts of a registry's file by range requests (RFC 9110, 14).

The server is not trusted. After a response that does not match the request (status 200, another
part, length, validator or total size), the whole file is read, up to a limit. It must contain the
parts that were read before. A completely read file must have its announced digest.
"""

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from ssc_ingest.errors import (
    DigestMismatch,
    MalformedArchive,
    RangeNotSatisfiable,
    RegistryUnavailable,
    ResponseTooLarge,
)
from ssc_ingest.http.responses import Response

if TYPE_CHECKING:
    from ssc_ingest.http.client import RegistryClient

END = 32 * 1024
"""Bytes of the first read of a file with unknown size, from its end."""

_REFUSALS = {400, 405, 406, 412, 501}
"""Statuses of servers that do not support range requests."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


@dataclass(slots=True)
class TransferBudget:
    """A limit of requests and bytes for one file; ``common`` is a shared limit of several files."""

    requests: int
    bytes: int
    common: "TransferBudget | None" = None

    def spend(self, size: int, url: str) -> None:
        """Spend one request for ``size`` bytes.

        Raises:
            ResponseTooLarge: the budget is exhausted.
        """
        if self.requests < 1 or self.bytes < size:
            raise ResponseTooLarge("the budget for reading archives is used up", url=url)
        if self.common:
            self.common.spend(size, url)
        self.requests -= 1
        self.bytes -= size

    def correct(self, size: int) -> None:
        """Add the unused bytes of the last request to the budget again.

        A negative ``size`` spends more.
        """
        self.bytes += size
        if self.common:
            self.common.correct(size)


class RemoteFile:
    """A source of bytes for the readers of :mod:`ssc_ingest.archives`."""

    def __init__(
        self,
        client: "RegistryClient",
        url: str,
        *,
        budget: TransferBudget,
        max_whole: int,
        size: int | None = None,
        sha256: str | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            client: sends the requests.
            url: an address on one of the client's hosts, with immutable content.
            budget: the limit of all requests for the file.
            max_whole: maximum size to read as a whole, if the server does not support ranges.
            size: announced size in bytes.
            sha256: its announced digest.
        """
        self._client = client
        self._url = url
        self._budget = budget
        self._max_whole = max_whole
        self._announced_size = size
        self._sha256 = sha256
        self._size: int | None = None
        self._validator: str | None = None
        self._parts: dict[int, bytes] = {}
        """The read parts by offset; they do not overlap."""

    async def size(self) -> int:
        """The size in bytes; without an announced size, one request for the end of the file.

        Raises:
            as :meth:`read`.
        """
        if self._size is None and self._announced_size is None:
            await self._request(f"-{END}", END)
        return self._known_size()

    async def read(self, start: int, length: int) -> bytes:
        """Read bytes from ``start``, with one request per gap between the parts that were read.

        Raises:
            MalformedArchive: the file ends before, or has changed while it was read.
            DigestMismatch: the whole file does not have its announced digest.
            ResponseTooLarge: the budget is exhausted, or the server does not support ranges and the
                file is larger than ``max_whole``.
            ResourceNotFound, ResourceForbidden: the file is unavailable.
            RateLimited, RegistryUnavailable: as :meth:`RegistryClient.get`.
        """
        end = start + length
        if not 0 <= start <= end <= await self.size():
            raise MalformedArchive(f"bytes {start} to {end} are outside the file", url=self._url)
        while gaps := self._gaps(start, end):
            first, last = gaps[0]
            await self._request(f"{first}-{last - 1}", last - first)
            if end > self._known_size():
                raise MalformedArchive("the file is shorter than announced", url=self._url)
        return self._joined(start, end)

    def _known_size(self) -> int:
        return self._size if self._size is not None else self._announced_size or 0

    def _gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        gaps = []
        for first, part in sorted(self._parts.items()):
            last = first + len(part)
            if last <= start or first >= end:
                continue
            if first > start:
                gaps.append((start, first))
            start = last
        if start < end:
            gaps.append((start, end))
        return gaps

    def _joined(self, start: int, end: int) -> bytes:
        return b"".join(
            part[max(0, start - first) : end - first]
            for first, part in sorted(self._parts.items())
            if first < end and first + len(part) > start
        )

    async def _request(self, wanted: str, length: int) -> None:
        """Request a part; after any other response, read the whole file.

        Some servers refuse the end of a file, but not other parts. Then its beginning is read,
        whose response also has the size.
        """
        is_end = wanted.startswith("-")
        self._budget.spend(length, self._url)
        response: Response | None = None
        try:
            response = await self._client.get(
                self._url, max_bytes=max(length, self._max_whole), byte_range=wanted
            )
        except RangeNotSatisfiable:
            pass
        except ResponseTooLarge:  # all of it
            if not is_end:
                raise
        except RegistryUnavailable as error:
            if error.status not in _REFUSALS:
                raise
        if response is None:
            await (self._request(f"0-{length - 1}", length) if is_end else self._read_whole())
            return
        self._budget.correct(length - len(response.body))
        if response.status == HTTPStatus.OK:
            self._become(response.body)
        elif not self._takes(response, wanted, length):
            await self._read_whole()

    def _takes(self, response: Response, wanted: str, length: int) -> bool:
        """Whether the response is the requested part; if so, keep it."""
        told = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
        if told is None:
            return False
        first, last, size = map(int, told.groups())
        if wanted.startswith("-"):
            wanted = f"{max(0, size - length)}-{size - 1}"
        expected = size if self._size is None else self._size
        announced = self._announced_size
        validator = response.headers.get("etag") or response.headers.get("last-modified")
        if (
            f"{first}-{last}" != wanted
            or len(response.body) != last - first + 1
            or last >= size
            or size != expected
            or (self._size is None and announced is not None and size != announced)
            or (self._parts and validator != self._validator)
        ):
            return False
        self._size, self._validator = size, validator
        self._parts[first] = response.body
        if sum(map(len, self._parts.values())) == size:
            self._become(self._joined(0, size))
        return True

    async def _read_whole(self) -> None:
        self._budget.spend(self._max_whole, self._url)
        document = await self._client.get_immutable(
            self._url, max_bytes=self._max_whole, sha256=self._sha256
        )
        self._budget.correct(self._max_whole - len(document.body))
        self._become(document.body)

    def _become(self, body: bytes) -> None:
        """Store the whole file."""
        if self._sha256 and hashlib.sha256(body).hexdigest() != self._sha256.lower():
            raise DigestMismatch("the content does not have its announced SHA-256", url=self._url)
        for first, part in self._parts.items():
            if body[first : first + len(part)] != part:
                raise MalformedArchive("the file has changed while it was read", url=self._url)
        self._parts = {0: body}
        self._size = len(body)
