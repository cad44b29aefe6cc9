"""The Maven index's format: generated, read, and rejected if damaged."""

import gzip
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.maven.index import documents
from ssc_ingest.ecosystems.maven.index.documents import IndexReader
from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable
from tests.simulator.maven.index_format import document, header, index_file, modified_utf8
from tests.unit.test_maven_index.reading import SMALL, rows_of

texts = st.text("a|1\0ö\ud800\N{CAT FACE}", max_size=12)
names = st.sampled_from(
    ("u", "m", "i", "n", "d", "1", "c", "del", "Bundle-Name", "sha256", "größe")
)
some_documents = st.lists(
    st.dictionaries(names, st.one_of(texts, st.binary(max_size=12)), max_size=5), max_size=6
)


@given(some_documents, st.integers(1, 200), st.binary(max_size=5))
def test_what_is_written_is_read(
    written: list[dict[str, str | bytes]], piece: int, trailing: bytes
) -> None:
    """Fields may have any order, and pieces of the file any size."""
    content = index_file(
        [tuple(fields.items()) for fields in written], timestamp=17, trailing=b"\0" + trailing
    )

    def encoded(value: str | bytes | None) -> bytes | None:
        return modified_utf8(value) if isinstance(value, str) else value

    expected = [tuple(encoded(d.get(name)) for name in ("u", "m", "del")) for d in written]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "CHUNK_SIZE", piece)
        reader = IndexReader(io.BytesIO(content))
        assert [row for rows in reader for row in rows] == expected
    assert (reader.timestamp, reader.documents) == (17, len(written))


def test_documents_about_the_index_are_no_rows() -> None:
    """Documents about the index are only counted."""
    reader = IndexReader(io.BytesIO(index_file(SMALL)))
    (rows,) = reader
    assert reader.documents == 6
    assert [row[0] or row[2] for row in rows] == [
        b"org.example|one|1.0|NA",
        b"org.example|one|1.0|sources|jar",
        b"org.example|two|1.0|NA",
        None,
    ]


def test_a_file_cut_anywhere_is_an_error() -> None:
    """No truncated file is taken for a complete one."""
    content = index_file(SMALL, timestamp=1300000000003)
    for length in range(len(content)):
        with pytest.raises((RegistryUnavailable, MalformedMetadata)):
            rows_of(content[:length])
    assert len(rows_of(content)) == 4


def test_content_cut_within_a_document_is_an_error() -> None:
    """A complete compressed file may have truncated contents."""
    pieces = [header(), *map(document, SMALL)]
    content = b"".join(pieces)
    ends = {sum(map(len, pieces[:count])) for count in range(1, len(pieces) + 1)}
    for length in range(len(content)):
        packed = gzip.compress(content[:length])
        if length in ends:
            rows_of(packed)
        else:
            with pytest.raises(RegistryUnavailable, match="the index ends within"):
                rows_of(packed)


def test_a_flipped_bit_is_an_error() -> None:
    """The checksum is verified."""
    content = bytearray(index_file(SMALL))
    content[-8] ^= 1
    with pytest.raises(RegistryUnavailable, match="damaged"):
        rows_of(bytes(content))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (struct.pack(">i", 10_001), "document 1 has 10001 fields"),
        (struct.pack(">i", -1), "document 1 has 4294967295 fields"),
        (struct.pack(">iBHci", 1, 0, 1, b"u", 2**31 - 1), "document 1 has a field of 2147483647"),
        (struct.pack(">iBHci", 1, 0, 1, b"u", -1), "document 1 has a field of 4294967295 bytes"),
        (struct.pack(">iBH3si", 1, 0, 3, b"del", 2**30), "document 1 has a field of 1073741824"),
    ],
)
def test_lengths_that_make_no_sense(content: bytes, reason: str) -> None:
    """Senseless lengths are rejected before memory is allocated for them."""
    good = document({"u": "a|b|1|NA"})
    with pytest.raises(MalformedMetadata, match=reason):
        rows_of(gzip.compress(header() + content))
    with pytest.raises(MalformedMetadata, match=reason.replace("document 1", "document 2")):
        rows_of(gzip.compress(header() + good + content))


def test_a_document_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many fields of a valid size exceed the limit of a document."""
    monkeypatch.setattr(documents, "CHUNK_SIZE", 1000)
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 50_000)
    fits = {"a": "x" * 20_000, "b": "y" * 20_000}
    assert len(rows_of(index_file([fits]))) == 1
    with pytest.raises(MalformedMetadata, match=r"document 2 has \d{5} bytes or more"):
        rows_of(index_file([fits, {**fits, "c": "z" * 20_000}]))


def test_more_than_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that expands without end is rejected."""
    monkeypatch.setattr(documents, "MAX_EXPANDED", 10_000)
    content = gzip.compress(header() + document({"n": ""}) * 100_000)
    with pytest.raises(MalformedMetadata, match="more than 10000 bytes"):
        rows_of(content)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"\1" * 20, gzip.compress(header(version=2), mtime=0)]
)
def test_something_else(content: bytes) -> None:
    """An HTML page, an uncompressed file and a newer format are errors."""
    with pytest.raises(MalformedMetadata):
        rows_of(content)


def test_several_members_are_one_stream() -> None:
    """Concatenated gzip files have the contents of both, at any split."""
    content = header() + b"".join(map(document, SMALL))
    for cut in (1, 40, len(content) - 1):
        joined = gzip.compress(content[:cut]) + gzip.compress(content[cut:])
        assert rows_of(joined) == rows_of(index_file(SMALL))
        with pytest.raises(RegistryUnavailable):
            rows_of(joined[:-1])


def test_a_large_document_among_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents larger than a chunk are read, too."""
    monkeypatch.setattr(documents, "CHUNK_SIZE", 1000)
    large = {"c": "/a/B\n" * 300_000, "u": "org.example|large|1.0|NA"}
    rows = rows_of(index_file([*SMALL, large, *SMALL]))
    assert len(rows) == 9
    assert rows[4][0] == b"org.example|large|1.0|NA"
