"""The index's properties: its time and its available chunks."""

from pathlib import Path

import pytest

from ssc_ingest.ecosystems.maven.index.properties import parse_properties
from ssc_ingest.errors import MalformedMetadata
from tests.unit.test_maven_index.reading import INDEX

PROPERTIES = f"{INDEX}/increment/nexus-maven-repository-index.properties"


@pytest.mark.recordings
def test_recorded_properties(recordings: Path) -> None:
    """The recording is what Central published in October 2018."""
    properties = parse_properties((recordings / PROPERTIES).read_bytes(), "url")
    assert properties.chain == "1318453614498"
    assert properties.timestamp == 1540776119470
    assert properties.last == 541
    assert properties.available == frozenset(range(512, 542))
    assert list(properties.chunks_after(539) or ()) == [540, 541]
    assert list(properties.chunks_after(511) or ()) == list(range(512, 542))
    assert list(properties.chunks_after(541) or ()) == []
    assert properties.chunks_after(510) is None
    assert properties.chunks_after(542) is None
    assert properties.chunks_after(None) is None


def test_properties_without_chunks() -> None:
    """Publishers need not offer chunks; separators and escapes are Java's."""
    body = b"! comment\r\nnexus.index.timestamp : 20260101000000.001 +0200\r\nnexus.index.id\r\n"
    properties = parse_properties(body, "url")
    assert (properties.chain, properties.last, properties.available) == ("", None, frozenset())
    assert properties.timestamp == 1767218400001


@pytest.mark.parametrize("body", [b"", b"<html>", b"nexus.index.timestamp=yesterday", b"\xff\0"])
def test_no_properties(body: bytes) -> None:
    """A page or an empty body is an error."""
    with pytest.raises(MalformedMetadata, match="not the properties of an index"):
        parse_properties(body, "url")


def test_numbers_without_sense() -> None:
    """Too many chunks or too large numbers are ignored."""
    lines = ["nexus.index.timestamp=20260101000000.000 +0000", "nexus.index.chain-id=1"]
    far = [*lines, "nexus.index.last-incremental=999999999999999", "nexus.index.incremental-0=5"]
    assert parse_properties("\n".join(far).encode(), "url").chunks_after(1) is None
    huge = [*lines, f"nexus.index.last-incremental={'9' * 5000}"]
    assert parse_properties("\n".join(huge).encode(), "url").last is None
