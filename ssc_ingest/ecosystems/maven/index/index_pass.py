"""One pass over an index: converts its documents to distinct lines in order."""

from collections.abc import Iterator
from typing import IO, NamedTuple

from ssc_ingest.ecosystems.maven.index.documents import IndexReader
from ssc_ingest.ecosystems.maven.index.records import Changes, Names
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines

REPORT_INTERVAL = 100_000
"""Number of documents between progress reports."""


class Progress(NamedTuple):
    """Progress of a pass."""

    documents: int
    size: int
    """Number of uncompressed bytes."""


class Pass:
    """An iterator that reads a file's documents into ``lines``; a step takes milliseconds.

    Some steps return a :class:`Progress`, the others ``None``.
    """

    def __init__(
        self, file: IO[bytes], records: Names | Changes, lines: SortedLines, *, url: str
    ) -> None:
        """Creation and iteration raise the errors of :class:`.documents.IndexReader`."""
        self.records = records
        self._lines = lines
        self._reader = IndexReader(file, url=url)

    @property
    def timestamp(self) -> int:
        """The time of the index in milliseconds since 1970; -1 if unknown."""
        return self._reader.timestamp

    @property
    def progress(self) -> Progress:
        """The progress so far."""
        return Progress(self._reader.documents, self._reader.size)

    def __iter__(self) -> Iterator[Progress | None]:
        reported = 0
        for rows in self._reader:
            self._lines.add(self.records(rows))
            reports = self._reader.documents // REPORT_INTERVAL
            yield self.progress if reports > reported else None
            reported = reports
