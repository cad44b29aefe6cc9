"""Sources of an archive's bytes: memory, or parts of a registry's file."""

import asyncio
from typing import IO, Protocol

from ssc_ingest.errors import MalformedArchive


class ByteSource(Protocol):
    """A file with random access, such as :class:`ssc_ingest.http.remote_file.RemoteFile`.

    Readers of archives pass on a source's own errors.
    """

    async def size(self) -> int:
        """Its size in bytes."""

    async def read(self, start: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``start``.

        Raises:
            MalformedArchive: the file ends before.
        """


class ForwardStream(Protocol):
    """Content that is read once, from its start."""

    async def read(self, size: int) -> bytes:
        """The next bytes; fewer only at the end.

        Raises:
            MalformedArchive: the content is damaged.
            ArchiveTooLarge: a limit is exceeded.
        """

    async def skip(self, size: int) -> None:
        """Skip bytes.

        Raises:
            MalformedArchive: the content ends before.
            as :meth:`read`.
        """


class BytesSource:
    """A file in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def size(self) -> int:
        """Its size in bytes."""
        return len(self._content)

    async def read(self, start: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``start``."""
        if not 0 <= start <= start + length <= len(self._content):
            raise MalformedArchive(f"bytes {start} to {start + length} are outside the file")
        return self._content[start : start + length]


class FileSource:
    """An open file, for one reader at a time."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    async def size(self) -> int:
        """Its size in bytes."""
        return self._size

    async def read(self, start: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``start``."""
        if not 0 <= start <= start + length <= self._size:
            raise MalformedArchive(f"bytes {start} to {start + length} are outside the file")
        return await asyncio.to_thread(self._read, start, length)

    def _read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length)
