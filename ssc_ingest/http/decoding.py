"""The body of an answer: unpacked, counted as it arrives, and whole or refused.

httpx takes a packed body that breaks off for a complete one, if the answer around it is complete,
and ignores further members of a gzip file. So bodies are unpacked here, and no further than
their cap.
"""

import zlib
from collections.abc import AsyncIterator, Iterator

import httpx

from ssc_ingest.errors import RegistryUnavailable, ResponseTooLarge

ACCEPT_ENCODING = "gzip"
"""The way of packing that :func:`chunks` understands, and that every registry knows."""

PIECE = 256 * 1024
"""Bytes that are unpacked at a time."""

_WINDOW = zlib.MAX_WBITS | 16
"""What makes zlib read gzip."""


async def read(answer: httpx.Response, url: str, max_bytes: int) -> bytes:
    """The whole body; errors are those of :func:`chunks`."""
    body = bytearray()
    async for chunk in chunks(answer, url, max_bytes):
        body += chunk
    return bytes(body)


async def chunks(
    answer: httpx.Response, url: str, max_bytes: int, size: int = 0
) -> AsyncIterator[bytes]:
    """The unpacked body, of which there are ``size`` bytes already.

    Raises:
        ResponseTooLarge: there are more than ``max_bytes``, as announced, as they arrive or
            unpacked.
        RegistryUnavailable: the body is damaged, ends early, or is packed in a way that was not
            offered.
    """
    too_large = f"larger than {max_bytes} bytes"
    announced = answer.headers.get("content-length", "")
    if announced.isdecimal() and size + int(announced) > max_bytes:
        raise ResponseTooLarge(f"{too_large} (announced: {announced})", url=url)
    unpacker = _unpacker(answer, url)
    received = size
    async for chunk in answer.aiter_raw():
        received += len(chunk)
        if received > max_bytes:
            raise ResponseTooLarge(too_large, url=url)
        for piece in unpacker.unpack(chunk) if unpacker else (chunk,):
            size += len(piece)
            if size > max_bytes:
                raise ResponseTooLarge(too_large, url=url)
            yield piece
    if unpacker and not unpacker.complete:
        raise RegistryUnavailable("the packed body ends early", url=url)


class _Unpacker:
    """Unpacks one body, a piece at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._member = zlib.decompressobj(_WINDOW)

    @property
    def complete(self) -> bool:
        """Whether the body may end here."""
        return self._member.eof

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes of the packed body stand for."""
        try:
            while data:
                if self._member.eof:
                    # A gzip file may have several members, and blocks of zeros behind the last.
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
                f"the packed body is damaged: {error}", url=self._url
            ) from error


def _unpacker(answer: httpx.Response, url: str) -> _Unpacker | None:
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"} or answer.status_code == httpx.codes.NOT_MODIFIED:
        return None
    if encoding not in {"gzip", "x-gzip"}:
        raise RegistryUnavailable(f"packed as {encoding[:40]!r}, which was not offered", url=url)
    return _Unpacker(url)
