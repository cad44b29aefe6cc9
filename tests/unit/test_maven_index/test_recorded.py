"""Recorded index files, read by the program and by a slow reader of the test."""

import gzip
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ssc_ingest.ecosystems.maven.index.documents import IndexReader
from ssc_ingest.ecosystems.maven.index.records import Changes, Names
from tests.unit.test_maven_index.reading import INDEX, gathered, rows_of, versions

WHOLE = f"{INDEX}/nexus-maven-repository-index.gz"
ODD = f"{INDEX}/buggy/nexus-maven-repository-index.gz"
CHUNK = f"{INDEX}/increment/nexus-maven-repository-index.445.gz"


def slowly(content: bytes) -> Iterator[Mapping[bytes, bytes]]:
    """All fields of all documents, read without optimisation."""
    stream = io.BytesIO(gzip.decompress(content))
    assert stream.read(1) == b"\1"
    stream.read(8)
    while number := stream.read(4):
        fields = {}
        for _ in range(int.from_bytes(number, "big", signed=True)):
            stream.read(1)
            name = stream.read(int.from_bytes(stream.read(2), "big"))
            fields[name] = stream.read(int.from_bytes(stream.read(4), "big", signed=True))
        yield fields


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("file", "counts"),
    [
        (WHOLE, (32, 29, 10, 1242931407355)),
        (ODD, (12, 12, 4, 1502026012103)),
        (CHUNK, (1894, 1892, 623, 1499053902754)),
    ],
)
def test_recorded_index(recordings: Path, file: str, counts: tuple[int, int, int, int]) -> None:
    """Real files have what a slow reading of them has, and as much as was counted by hand.

    The packages by ``zcat``, ``grep -ao`` of coordinates with ``|NA``, ``cut``, ``sort -u``.
    """
    count, kept, packages, timestamp = counts
    content = (recordings / file).read_bytes()
    everything = list(slowly(content))
    rows = rows_of(content)
    assert rows == [(d[b"u"], d[b"m"], None) for d in everything if b"u" in d]
    reader = IndexReader(io.BytesIO(content))
    assert (sum(map(len, reader)), reader.documents) == (kept, count)
    assert reader.timestamp == timestamp
    expected = {
        f"{parts[0]}:{parts[1]}"
        for parts in (row[0].decode().split("|") for row in rows if row[0])
        if parts[3] == "NA"
    }
    records = Names()
    assert gathered(content, records, most_in_memory=100) == sorted(expected)
    assert len(expected) == packages
    assert records.skipped == 0


@pytest.mark.recordings
def test_recorded_chunk_as_changes(recordings: Path) -> None:
    """A daily chunk has the versions of a package, and no earlier documents."""
    content = (recordings / CHUNK).read_bytes()
    found = versions(gathered(content, Changes()))
    assert found["uk.com.robust-it:cloning"] == ("1.9.5",)
    moments = Counter(int(row[1] or 0) // 86_400_000 for row in rows_of(content))
    assert set(moments) == {17349, 17350}  # 2 and 3 July 2017
    assert gathered(content, Changes(since=1499053902754)) == []
    half = 1499030000000
    later = {row[0] for row in rows_of(content) if int(row[1] or 0) > half}
    assert 0 < len(gathered(content, Changes(since=half))) <= len(later)
