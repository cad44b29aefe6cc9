"""Response bodies: decompressed, limited in size, and rejected if incomplete.

A body is decompressed up to its limit, a piece at a time. A truncated compressed body inside a
complete response is an error, and all members of a gzip file are read.
"""

import zlib
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

from ssc_ingest.errors import RegistryUnavailable, ResponseTooLarge
from ssc_ingest.http.transport import Answer

ACCEPT_ENCODING = "gzip"
"""The content coding that :func:`chunks` decodes; every registry supports it."""

PIECE = 256 * 1024
"""Bytes decompressed at a time."""

_WINDOW = zlib.MAX_WBITS | 16
"""zlib's window bits for the gzip format."""


async def read(answer: Answer, url: str, max_bytes: int) -> bytes:
    """The whole body; raises the errors of :func:`chunks`."""
    body = bytearray()
    async for chunk in chunks(answer, url, max_bytes):
        body += chunk
    return bytes(body)


async def chunks(answer: Answer, url: str, max_bytes: int, size: int = 0) -> AsyncIterator[bytes]:
    """The decompressed body in chunks; ``size`` bytes of it were received before.

    Raises:
        ResponseTooLarge: the announced, received or decompressed size exceeds ``max_bytes``.
        RegistryUnavailable: the body is damaged, truncated, or has another content coding.
    """
    too_large = f"larger than {max_bytes} bytes"
    announced = answer.headers.get("content-length", "")
    if announced.isdecimal() and size + int(announced) > max_bytes:
        raise ResponseTooLarge(f"{too_large} (announced: {announced})", url=url)
    unpacker = _unpacker(answer, url)
    received = size
    async for chunk in answer.chunks():
        received += len(chunk)
        if received > max_bytes:
            raise ResponseTooLarge(too_large, url=url)
        for piece in unpacker.unpack(chunk) if unpacker else (chunk,):
            size += len(piece)
            if size > max_bytes:
                raise ResponseTooLarge(too_large, url=url)
            yield piece
    if unpacker and not unpacker.complete:
        raise RegistryUnavailable("the compressed body ends early", url=url)


class _Unpacker:
    """Decompresses one body, a piece at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._member = zlib.decompressobj(_WINDOW)

    @property
    def complete(self) -> bool:
        """Whether the body is complete at this point."""
        return self._member.eof

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Decompress the next bytes."""
        try:
            while data:
                if self._member.eof:
                    # A gzip file may have several members, and zeros after the last one.
                    data = data.lstrip(b"\0")
                    if not data:
                        return
                    self._member = zlib.decompressobj(_WINDOW)
                piece = self._member.decompress(data, PIECE)
                data = self._member.unconsumed_tail or self._member.unused_data
                if piece:
                    yield piece
        except zlib.error as error:
            raise RegistryUnavailable(
                f"the compressed body is damaged: {error}", url=self._url
            ) from error


def _unpacker(answer: Answer, url: str) -> _Unpacker | None:
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"} or answer.status == HTTPStatus.NOT_MODIFIED:
        return None
    if encoding not in {"gzip", "x-gzip"}:
        raise RegistryUnavailable(
            f"content coding {encoding[:40]!r}, which was not requested", url=url
        )
    return _Unpacker(url)
