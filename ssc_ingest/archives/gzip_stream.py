"""Reads a gzipped file from its start, only as far as necessary (RFC 1952)."""

import asyncio
import zlib

from ssc_ingest.archives.source import ByteSource
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive

FIRST_STEP = 256 * 1024
"""Bytes of the first request; each further request has twice as many."""

_PIECE = 1024 * 1024
"""Bytes unpacked at once."""

_GZIP = zlib.MAX_WBITS | 16


class GzipStream:
    """The unpacked content as a forward stream."""

    def __init__(self, source: ByteSource, *, max_packed: int, max_unpacked: int) -> None:
        """Prepare; nothing is read yet.

        Args:
            source: the gzipped file.
            max_packed: maximum bytes to read.
            max_unpacked: maximum bytes to unpack.
        """
        self._source = source
        self._max_packed = max_packed
        self._left = max_unpacked
        self._place = 0
        self._step = FIRST_STEP
        self._packed = b""
        self._unpacked = bytearray()
        self._member = zlib.decompressobj(_GZIP)

    async def read(self, size: int) -> bytes:
        """The next bytes; fewer only at the end.

        Raises:
            MalformedArchive: the file is damaged or truncated.
            ArchiveTooLarge: a limit is exceeded.
            IngestError: the errors of the source.
        """
        while len(self._unpacked) < size and await self._more():
            pass
        data = bytes(self._unpacked[:size])
        del self._unpacked[:size]
        return data

    async def skip(self, size: int) -> None:
        """Skip bytes.

        Raises:
            MalformedArchive: the file ends before.
            as :meth:`read`.
        """
        while size > 0:
            data = await self.read(min(size, _PIECE))
            if not data:
                raise MalformedArchive("the archive is truncated")
            size -= len(data)

    async def _more(self) -> bool:
        """Unpack the next piece; false at the end of the file."""
        if not self._packed:
            self._packed = await self._next_step()
        if self._member.eof:
            # A gzip file may have several members, and zeros after the last.
            self._packed = self._packed.lstrip(b"\0")
            if self._packed:
                self._member = zlib.decompressobj(_GZIP)
        if not self._packed:
            if not self._member.eof:
                raise MalformedArchive("the gzipped content is truncated")
            return False
        piece = await asyncio.to_thread(self._unpack)
        self._left -= len(piece)
        if self._left < 0:
            raise ArchiveTooLarge("the unpacked content is too large")
        self._unpacked += piece
        return True

    def _unpack(self) -> bytes:
        try:
            piece = self._member.decompress(self._packed, _PIECE)
        except zlib.error as error:
            raise MalformedArchive(f"the gzipped content is damaged: {error}") from error
        self._packed = self._member.unconsumed_tail or self._member.unused_data
        return piece

    async def _next_step(self) -> bytes:
        size = await self._source.size()
        if self._place >= size:
            return b""
        if self._place >= self._max_packed:
            raise ArchiveTooLarge(
                f"more than {self._max_packed} bytes of the file would have to be read"
            )
        length = min(self._step, size - self._place, self._max_packed - self._place)
        data = await self._source.read(self._place, length)
        self._place += length
        self._step *= 2
        return data
