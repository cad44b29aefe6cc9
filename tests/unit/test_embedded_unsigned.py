"""Copies of signed jars without their signatures."""

import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from ssc_ingest.embedded.jars import Jar
from ssc_ingest.embedded.unsigned import unsigned

SIGNED = Jar("org.eclipse.collections:eclipse-collections-api:11.1.0", 1, "")

MAIN = b"Manifest-Version: 1.0\r\nMulti-Release: true\r\n\r\n"
SECTION = b"Name: a/B.class\r\nSHA-256-Digest: eA==\r\n\r\n"

KEPT = {
    "META-INF/services/a.Service": b"a.B",
    "META-INF/LICENSE.md": b"text",
    "a/B.class": b"\xca\xfe\xba\xbe" * 100,
    "a/SIGNED.SF": b"not a signature here",
}
SIGNATURES = {"META-INF/ECLIPSE_.SF": b"digests", "META-INF/ECLIPSE_.RSA": b"signature"}


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    """A signed jar."""
    path = tmp_path / "signed-1.0.jar"
    with ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", MAIN + SECTION)
        for name, content in {**SIGNATURES, **KEPT}.items():
            archive.writestr(name, content)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def contents(path: Path) -> dict[str, bytes]:
    """The entries of a jar."""
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_copy_has_everything_but_the_signatures(jar: Path) -> None:
    """Also the manifest's section about the jar; the time of the file is the same."""
    before = jar.read_bytes()
    copy = unsigned(SIGNED, jar)
    assert copy != jar
    assert contents(copy) == {"META-INF/MANIFEST.MF": MAIN, **KEPT}
    assert copy.stat().st_mtime_ns == jar.stat().st_mtime_ns
    assert jar.read_bytes() == before


def test_the_copy_is_written_once(jar: Path) -> None:
    """Each start loads the same file; nothing else is left in the folder."""
    first = unsigned(SIGNED, jar).stat()
    assert unsigned(SIGNED, jar).stat().st_ino == first.st_ino
    assert len(list(jar.parent.iterdir())) == 2


def test_an_incomplete_copy_is_written_again(jar: Path) -> None:
    """The machine may crash before the copy is on the disk."""
    copy = unsigned(SIGNED, jar)
    complete = copy.read_bytes()
    copy.write_bytes(bytes(len(complete)))
    assert unsigned(SIGNED, jar).read_bytes() == complete


def test_other_jars_are_not_copied(jar: Path) -> None:
    """They are loaded as they are."""
    assert unsigned(Jar("org.neo4j:neo4j:5.26.30", 1, ""), jar) == jar
    assert list(jar.parent.iterdir()) == [jar]


def test_a_cache_that_cannot_be_written(jar: Path) -> None:
    """The signed jar is loaded."""
    (jar.parent / f"signed-1.0.unsigned.jar.{os.getpid()}.new").mkdir()
    assert unsigned(SIGNED, jar) == jar
