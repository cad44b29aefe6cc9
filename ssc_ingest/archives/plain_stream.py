"""Reads a file that is not compressed from its start."""

from ssc_ingest.archives.source import ByteSource
from ssc_ingest.errors import MalformedArchive


class PlainStream:
    """The content as a forward stream, as :class:`ssc_ingest.archives.gzip_stream.GzipStream`."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._place = 0

    async def read(self, size: int) -> bytes:
        """The next bytes; fewer only at the end.

        Raises:
            IngestError: the errors of the source.
        """
        size = min(size, await self._source.size() - self._place)
        data = await self._source.read(self._place, size)
        self._place += size
        return data

    async def skip(self, size: int) -> None:
        """Skip bytes.

        Raises:
            MalformedArchive: the file ends before.
        """
        self._place += size
        if self._place > await self._source.size():
            raise MalformedArchive("the archive is truncated")
