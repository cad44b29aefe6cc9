"""Where an archive's bytes come from: memory, or a registry in parts."""

from typing import Protocol

from ssc_ingest.errors import MalformedArchive


class ByteSource(Protocol):
    """A file of which any part can be read; :class:`ssc_ingest.http.remote_file.RemoteFile` is one.

    What a source raises of its own, the readers of archives pass on.
    """

    async def size(self) -> int:
        """Its size in bytes."""

    async def read(self, start: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``start``.

        Raises:
            MalformedArchive: there are fewer.
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
