"""Decompressing a gzip stream in bounded memory, with a check that it is complete.

RFC 1952. The checksum and length at the end of each member distinguish complete from truncated
files. Like the whole reader, this module uses only the standard library.
"""

import zlib
from typing import IO

from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable

READ_SIZE = 256 * 1024
"""Compressed bytes read from the file at a time."""

MAGIC = b"\x1f\x8b"


class Gunzip:
    """The content of a gzip file, piece by piece."""

    def __init__(self, file: IO[bytes], *, url: str, max_bytes: int) -> None:
        """Decompress ``file``.

        Args:
            file: the compressed bytes.
            url: for error messages.
            max_bytes: limit on the decompressed content.
        """
        self.trailing = False
        """Whether other bytes follow the compressed stream, as in the files of some mirrors."""
        self.size = 0
        """Bytes decompressed so far."""
        self._file = file
        self._url = url
        self._max_bytes = max_bytes
        self._compressed = file.read(READ_SIZE)
        if not self._compressed.startswith(MAGIC):
            raise MalformedMetadata("not a gzip file", url=url)
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def read(self, most: int) -> bytes:
        """The next bytes, at least one and at most ``most``; none at the end.

        Raises:
            RegistryUnavailable: the file is truncated or damaged.
            MalformedMetadata: the content exceeds ``max_bytes``.
        """
        while True:
            if self._inflater.eof and not self._next_member():
                return b""
            try:
                data = self._inflater.decompress(self._compressed, most)
            except zlib.error as error:
                raise RegistryUnavailable(f"the file is damaged: {error}", url=self._url) from error
            self._compressed = self._inflater.unconsumed_tail
            if data:
                self.size += len(data)
                if self.size > self._max_bytes:
                    raise MalformedMetadata(
                        f"the file decompresses to more than {self._max_bytes} bytes", url=self._url
                    )
                return data
            if not (self._compressed or self._inflater.eof):
                self._compressed = self._file.read(READ_SIZE)
                if not self._compressed:
                    raise RegistryUnavailable(
                        "the file is truncated: its end is missing", url=self._url
                    )

    def _next_member(self) -> bool:
        """Start the next member of the stream; whether there is one."""
        rest = self._inflater.unused_data
        if len(rest) < len(MAGIC):
            rest += self._file.read(READ_SIZE)
        if not rest.startswith(MAGIC):
            self.trailing = self.trailing or bool(rest)
            return False
        self._compressed = rest
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return True
