"""The Maven index's format: written here, read by the program; recorded, read by both."""

import gzip
import io
import json
import struct
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.maven.index import documents
from ssc_ingest.ecosystems.maven.index.documents import IndexReader, Row
from ssc_ingest.ecosystems.maven.index.passing import Pass
from ssc_ingest.ecosystems.maven.index.properties import parse_properties
from ssc_ingest.ecosystems.maven.index.records import Changes, Names, by_package
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines
from ssc_ingest.ecosystems.maven.index_container import build_context
from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable
from tests.simulator.maven.index_format import (
    Fields,
    document,
    header,
    index_file,
    modified_utf8,
)

INDEX = "aboutcode-org__purldb/minecode/tests/testfiles/maven/index"
WHOLE = f"{INDEX}/nexus-maven-repository-index.gz"
ODD = f"{INDEX}/buggy/nexus-maven-repository-index.gz"
CHUNK = f"{INDEX}/increment/nexus-maven-repository-index.445.gz"
PROPERTIES = f"{INDEX}/increment/nexus-maven-repository-index.properties"

SMALL: Sequence[Fields] = (
    {"DESCRIPTOR": "NexusIndex", "IDXINFO": "1.0|central"},
    {"u": "org.example|one|1.0|NA", "m": "1300000000000", "i": "jar|1|2|1|1|0|jar"},
    {"u": "org.example|one|1.0|sources|jar", "m": "1300000000001"},
    {"del": "org.example|two|1.0|NA", "m": "1300000000002"},
    {"m": "1", "n": "a name and no coordinates"},
    {"allGroups": "allGroups", "allGroupsList": "org.example|com.example"},
)


def rows_of(content: bytes) -> list[Row]:
    """What the reader keeps of an index file."""
    return [row for rows in IndexReader(io.BytesIO(content)) for row in rows]


def slowly(content: bytes) -> Iterator[Mapping[bytes, bytes]]:
    """All fields of all documents: the format, one step after the other."""
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


def versions(lines: list[str], most: int = 100) -> dict[str, Sequence[str]]:
    """What lines of changes say."""
    return dict(by_package((line.encode() for line in lines), most))


def gathered(content: bytes, records: Names | Changes, **arguments: int) -> list[str]:
    """The lines of a whole pass."""
    with SortedLines(**arguments) as lines:
        for _ in Pass(io.BytesIO(content), records, lines, url="index"):
            pass
        count = lines.finish()
        found = [line.decode() for line in lines.after(b"")]
    assert len(found) == count
    return found


# The format -------------------------------------------------------------------------------

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
    """Any fields in any order, whatever piece of the file is looked at at a time."""
    content = index_file(
        [tuple(fields.items()) for fields in written], timestamp=17, trailing=b"\0" + trailing
    )

    def encoded(value: str | bytes | None) -> bytes | None:
        return modified_utf8(value) if isinstance(value, str) else value

    expected = [tuple(encoded(d.get(name)) for name in ("u", "m", "del")) for d in written]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "PIECE", piece)
        reader = IndexReader(io.BytesIO(content))
        assert [row for rows in reader for row in rows] == expected
    assert (reader.timestamp, reader.documents) == (17, len(written))


def test_documents_about_the_index_are_no_rows() -> None:
    """They are counted as documents, and nothing more."""
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
    """There is no length at which a part of the file passes for the whole."""
    content = index_file(SMALL, timestamp=1300000000003)
    for length in range(len(content)):
        with pytest.raises((RegistryUnavailable, MalformedMetadata)):
            rows_of(content[:length])
    assert len(rows_of(content)) == 4


def test_content_cut_within_a_document_is_an_error() -> None:
    """A compressed file that is whole, of content that is not, ends well between documents only."""
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
    """The check sum is looked at."""
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
    """They are refused where they stand, before anything of that size is made."""
    good = document({"u": "a|b|1|NA"})
    with pytest.raises(MalformedMetadata, match=reason):
        rows_of(gzip.compress(header() + content))
    with pytest.raises(MalformedMetadata, match=reason.replace("document 1", "document 2")):
        rows_of(gzip.compress(header() + good + content))


def test_a_document_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many fields of a size that one may have are too much together."""
    monkeypatch.setattr(documents, "PIECE", 1000)
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 50_000)
    fits = {"a": "x" * 20_000, "b": "y" * 20_000}
    assert len(rows_of(index_file([fits]))) == 1
    with pytest.raises(MalformedMetadata, match=r"document 2 has \d{5} bytes or more"):
        rows_of(index_file([fits, {**fits, "c": "z" * 20_000}]))


def test_more_than_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that expands without end is given up."""
    monkeypatch.setattr(documents, "MAX_EXPANDED", 10_000)
    content = gzip.compress(header() + document({"n": ""}) * 100_000)
    with pytest.raises(MalformedMetadata, match="more than 10000 bytes"):
        rows_of(content)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"\1" * 20, gzip.compress(header(version=2), mtime=0)]
)
def test_something_else(content: bytes) -> None:
    """A page, an uncompressed file, a format of the future."""
    with pytest.raises(MalformedMetadata):
        rows_of(content)


def test_several_members_are_one_stream() -> None:
    """Gzip files that were joined have the content of both, cut wherever."""
    content = header() + b"".join(map(document, SMALL))
    for cut in (1, 40, len(content) - 1):
        joined = gzip.compress(content[:cut]) + gzip.compress(content[cut:])
        assert rows_of(joined) == rows_of(index_file(SMALL))
        with pytest.raises(RegistryUnavailable):
            rows_of(joined[:-1])


def test_a_large_document_among_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents larger than what is looked at at a time are read, too."""
    monkeypatch.setattr(documents, "PIECE", 1000)
    large = {"c": "/a/B\n" * 300_000, "u": "org.example|large|1.0|NA"}
    rows = rows_of(index_file([*SMALL, large, *SMALL]))
    assert len(rows) == 9
    assert rows[4][0] == b"org.example|large|1.0|NA"


# What records mean ------------------------------------------------------------------------


def names_in(*uinfos: str | bytes) -> tuple[list[str], int]:
    """Names of packages among these, and how many were unusable."""
    records = Names()
    return gathered(index_file([[("u", uinfo)] for uinfo in uinfos]), records), records.skipped


def test_packages_are_those_with_a_version() -> None:
    """An artifact with a classifier is a further file of a version and makes no package."""
    assert names_in(
        "org.example|b|1.0|sources|jar",
        "org.example|b|1.0|NA|jar",
        "org.example|b|1.0|javadoc|jar",
        "org.example|B|1.0|NA",
        "org.example|a|1.0|NA|tar.gz",
        "org.example|b|2.0|NA",
        "org.example|c|1.0|tests",
        "org.example|b-more|1.0|NA",
    ) == (["org.example:B", "org.example:a", "org.example:b", "org.example:b-more"], 0)


@pytest.mark.parametrize(
    "uinfo",
    ["", "a", "a|b", "a|b|1", "|b|1|NA", "a||1|NA", "a|b||NA", "a:b|c|1|NA", "a|b c|1|NA",
     "a|b\n|1|NA", "a|größe|1|NA", b"a|\xff|1|NA", "a|b|\0|NA", "a|b\t|1|NA"],
)  # fmt: skip
def test_unusable_coordinates_are_counted(uinfo: str | bytes) -> None:
    """They name no package, and the others are read."""
    assert names_in("a|x|1|NA", uinfo, "a|y|1|NA") == (["a:x", "a:y"], 1)


def test_examples_of_the_unusable_can_be_shown() -> None:
    """A few, short, without control characters."""
    records = Names()
    gathered(index_file([{"u": "\0ö" + "x" * 1000}] * 20), records)
    assert records.skipped == 20
    assert len(records.examples) == 5
    assert records.examples[0].startswith(r"\xc0\x80\xc3\xb6xxx")
    assert max(map(len, records.examples)) < 200


def test_a_removal_is_no_artifact_of_a_listing() -> None:
    """A document with ``del`` is about a removal, whatever else it has."""
    removed = [("del", "a|gone|1|NA"), ("u", "a|gone|1|NA")]
    records = Names()
    assert gathered(index_file([removed, {"u": "a|b|1|NA"}]), records) == ["a:b"]
    assert records.skipped == 0


def test_descriptions_of_the_index_come_first() -> None:
    """What describes the index describes no artifact."""
    both = [("u", "a|b|1|NA"), ("allGroups", "allGroups")]
    assert gathered(index_file([both]), Names()) == []


def test_changes_have_versions_and_removals() -> None:
    """Removals only say that there is something to look at; sources are nothing new."""
    content = index_file(
        [
            {"u": "a|b|1.0|NA", "m": "10"},
            {"u": "a|b|1.0|sources|jar", "m": "11"},
            {"u": "a|b|1.1|NA|jar", "m": "12"},
            {"del": "a|b|0.9|NA|jar", "m": "13"},
            {"del": "a|gone|1|NA", "m": "14"},
            {"del": "a|c|1|sources|jar", "m": "14"},
            {"u": "a|b|1.0|NA", "m": "15"},
            {"u": "nonsense", "m": "15"},
        ]
    )
    records = Changes()
    lines = gathered(content, records)
    assert versions(lines) == {"a:b": ("1.0", "1.1"), "a:gone": ()}
    assert versions(lines, most=1) == {"a:b": ("1.1",), "a:gone": ()}
    assert records.skipped == 1


def test_changes_since_a_moment() -> None:
    """What came before is known; what does not say when it came may be new."""
    found = [("a|old|1|NA", "99"), ("a|at|1|NA", "100"), ("a|new|1|NA", "101"),
             ("a|odd|1|NA", "x"), ("a|none|1|NA", "")]  # fmt: skip
    content = index_file([{"u": u, "m": m} for u, m in found] + [{"u": "a|unsaid|1|NA"}])
    lines = gathered(content, Changes(since=100))
    assert list(versions(lines)) == ["a:new", "a:none", "a:odd", "a:unsaid"]


def test_news_of_packages_that_were_listed() -> None:
    """Up to a name only what is new counts, behind it everything."""
    found = [("a|a|1|NA", "1"), ("a|b|1|NA", "1"), ("a|b|2|NA", "9"), ("a|b|3|NA", "1"),
             ("a|c|1|NA", "1"), ("a|a|2|NA", "5"), ("a|B|1|NA", "6")]  # fmt: skip
    content = index_file([{"u": u, "m": m} for u, m in found])
    assert gathered(content, Names(b"a:b", since=5)) == ["a:B", "a:b", "a:c"]


@given(
    st.lists(st.binary(min_size=1, max_size=6).filter(lambda line: b"\n" not in line)),
    st.integers(1, 5),
    st.integers(2, 3),
)
def test_lines_are_sorted_on_disk(lines: list[bytes], in_memory: int, files: int) -> None:
    """Each once, in order, and from any point on; however few fit into memory."""
    with SortedLines(in_memory, files) as sorted_lines:
        for line in lines:
            sorted_lines.add([line])
        assert sorted_lines.finish() == len(set(lines))
        assert list(sorted_lines.after(b"")) == sorted(set(lines))
        for line in set(lines):
            assert list(sorted_lines.after(line)) == [x for x in sorted(set(lines)) if x > line]


# Recorded ---------------------------------------------------------------------------------


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
    """A day's chunk: the versions of a package, and nothing that came into the index before."""
    content = (recordings / CHUNK).read_bytes()
    found = versions(gathered(content, Changes()))
    assert found["uk.com.robust-it:cloning"] == ("1.9.5",)
    moments = Counter(int(row[1] or 0) // 86_400_000 for row in rows_of(content))
    assert set(moments) == {17349, 17350}  # 2 and 3 July 2017
    assert gathered(content, Changes(since=1499053902754)) == []
    half = 1499030000000
    later = {row[0] for row in rows_of(content) if int(row[1] or 0) > half}
    assert 0 < len(gathered(content, Changes(since=half))) <= len(later)


@pytest.mark.recordings
def test_recorded_properties(recordings: Path) -> None:
    """What Central published in October 2018."""
    properties = parse_properties((recordings / PROPERTIES).read_bytes(), "url")
    assert properties.chain == "1318453614498"
    assert properties.timestamp == 1540776119470
    assert properties.last == 541
    assert properties.offered == frozenset(range(512, 542))
    assert list(properties.chunks_after(539) or ()) == [540, 541]
    assert list(properties.chunks_after(511) or ()) == list(range(512, 542))
    assert list(properties.chunks_after(541) or ()) == []
    assert properties.chunks_after(510) is None
    assert properties.chunks_after(542) is None
    assert properties.chunks_after(None) is None


def test_properties_without_chunks() -> None:
    """Publishers need not offer any; separators and escapes are Java's."""
    body = b"! comment\r\nnexus.index.timestamp : 20260101000000.001 +0200\r\nnexus.index.id\r\n"
    properties = parse_properties(body, "url")
    assert (properties.chain, properties.last, properties.offered) == ("", None, frozenset())
    assert properties.timestamp == 1767218400001


@pytest.mark.parametrize("body", [b"", b"<html>", b"nexus.index.timestamp=yesterday", b"\xff\0"])
def test_no_properties(body: bytes) -> None:
    """A page, or nothing at all, is not the index's properties."""
    with pytest.raises(MalformedMetadata, match="no index properties"):
        parse_properties(body, "url")


def test_numbers_without_sense() -> None:
    """Far too many chunks, or too large numbers, are as good as none."""
    lines = ["nexus.index.timestamp=20260101000000.000 +0000", "nexus.index.chain-id=1"]
    far = [*lines, "nexus.index.last-incremental=999999999999999", "nexus.index.incremental-0=5"]
    assert parse_properties("\n".join(far).encode(), "url").chunks_after(1) is None
    huge = [*lines, f"nexus.index.last-incremental={'9' * 5000}"]
    assert parse_properties("\n".join(huge).encode(), "url").last is None


# The command in the container's image -----------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What the Dockerfile copies into the image."""
    with tarfile.open(fileobj=io.BytesIO(build_context())) as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "reader"


def run_reader(image: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The image's entry point, with nothing but the standard library."""
    module = ("-m", "ssc_ingest.ecosystems.maven.index")
    # -S: no site-packages.
    return subprocess.run(
        [sys.executable, "-S", *module, *arguments],
        cwd=image, env={}, check=False, text=True, capture_output=True,
    )  # fmt: skip


def test_the_reader_stands_alone(image: Path, tmp_path: Path) -> None:
    """Lines of JSON on standard output, the last with the total; talk on standard error."""
    file = tmp_path / "index.gz"
    file.write_bytes(index_file([*SMALL, {"u": "a|b|1|NA"}]))
    result = run_reader(image, file)
    assert (result.returncode, [json.loads(line) for line in result.stdout.splitlines()]) == (
        0,
        [{"name": "a:b"}, {"name": "org.example:one"}, {"total": 2}],
    )
    assert "7 documents, 2 packages" in result.stderr
    assert "1 documents are unusable" in result.stderr


@pytest.mark.parametrize("content", [index_file(SMALL)[:-3], b"<html>", None])
def test_the_reader_fails_in_words(image: Path, tmp_path: Path, content: bytes | None) -> None:
    """No name of a damaged file is printed; the exit code says so, too."""
    file = tmp_path / "index.gz"
    if content is not None:
        file.write_bytes(content)
    result = run_reader(image, file)
    assert (result.returncode, result.stdout) == (69, "")
    assert str(file) in result.stderr
    assert "Traceback" not in result.stderr


def test_the_reader_explains_itself(image: Path) -> None:
    """``--help`` says what it prints."""
    result = run_reader(image, "--help")
    assert result.returncode == 0
    assert "names of all packages" in result.stdout
