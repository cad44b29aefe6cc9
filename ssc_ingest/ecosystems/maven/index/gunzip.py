"""Decompressing a stream that was interrupted nowhere, and of which no more is held than asked for.

RFC 1952. The format's own check sum and length at the end of each member tell a whole file from
one that was cut. Standard library only, as all of the reader (see :mod:`.container`).
"""

import zlib
from typing import IO

from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable

PACKED = 256 * 1024
"""Bytes read from the file at a time."""

MAGIC = b"\x1f\x8b"


class Gunzip:
    """The content of a gzip file, piece by piece."""

    def __init__(self, file: IO[bytes], *, url: str, max_bytes: int) -> None:
        """Decompress ``file``.

        Args:
            file: where the compressed bytes come from.
            url: for the texts of errors.
            max_bytes: cap on the whole content.
        """
        self.trailing = False
        """Whether the file goes on behind the compressed stream, which some mirrors' files do."""
        self.size = 0
        """Bytes that came out so far."""
        self._file = file
        self._url = url
        self._max_bytes = max_bytes
        self._packed = file.read(PACKED)
        if not self._packed.startswith(MAGIC):
            raise MalformedMetadata("not a gzip file", url=url)
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def read(self, most: int) -> bytes:
        """The next bytes, at least one and at most so many; none at the end.

        Raises:
            RegistryUnavailable: the file was cut or damaged.
            MalformedMetadata: there is more in it than the cap.
        """
        while True:
            if self._inflater.eof and not self._begins_again():
                return b""
            try:
                data = self._inflater.decompress(self._packed, most)
            except zlib.error as error:
                raise RegistryUnavailable(f"the file is damaged: {error}", url=self._url) from error
            self._packed = self._inflater.unconsumed_tail
            if data:
                self.size += len(data)
                if self.size > self._max_bytes:
                    raise MalformedMetadata(
                        f"there are more than {self._max_bytes} bytes in it", url=self._url
                    )
                return data
            if not (self._packed or self._inflater.eof):
                self._packed = self._file.read(PACKED)
                if not self._packed:
                    raise RegistryUnavailable("the file was cut: its end is missing", url=self._url)

    def _begins_again(self) -> bool:
        """Whether another member follows, which counts as the same stream; then begin it."""
        rest = self._inflater.unused_data
        if len(rest) < len(MAGIC):
            rest += self._file.read(PACKED)
        if not rest.startswith(MAGIC):
            self.trailing = self.trailing or bool(rest)
            return False
        self._packed = rest
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return True
