"""One pass over an index: from its documents to distinct lines in order."""

from collections.abc import Iterator
from typing import IO, NamedTuple

from ssc_ingest.ecosystems.maven.index.documents import IndexReader
from ssc_ingest.ecosystems.maven.index.records import Changes, Names
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines

REPORTED = 100_000
"""Documents between two reports of a pass."""


class Progress(NamedTuple):
    """How far a pass has come."""

    documents: int
    size: int
    """Bytes, uncompressed."""


class Pass:
    """Reads a file's documents into ``lines`` while it is iterated, a few milliseconds a step.

    A step that has something to report gives a :class:`Progress`, others ``None``.
    """

    def __init__(
        self, file: IO[bytes], records: Names | Changes, lines: SortedLines, *, url: str
    ) -> None:
        """Errors of this and of iterating are those of :class:`.documents.IndexReader`."""
        self.records = records
        self._lines = lines
        self._reader = IndexReader(file, url=url)

    @property
    def timestamp(self) -> int:
        """When the index was packed, milliseconds since 1970; -1 if it does not say."""
        return self._reader.timestamp

    @property
    def progress(self) -> Progress:
        """Up to now."""
        return Progress(self._reader.documents, self._reader.size)

    def __iter__(self) -> Iterator[Progress | None]:
        reported = 0
        for rows in self._reader:
            self._lines.add(self.records(rows))
            reports = self._reader.documents // REPORTED
            yield self.progress if reports > reported else None
            reported = reports
