"""Copies of signed jars without their signatures."""

from pathlib import Path
from threading import Event
from zipfile import ZipFile

import pytest

from ssc_ingest.embedded.jars import Jar, JarCache
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
SIGNATURES = {
    "META-INF/ECLIPSE_.SF": b"digests",
    "META-INF/ECLIPSE_.RSA": b"signature",
    "META-INF/sig-other": b"signature",
}


@pytest.fixture
def cache(tmp_path: Path) -> JarCache:
    """A cache with one signed jar."""
    cache = JarCache(tmp_path)
    path = cache.path(SIGNED)
    path.parent.mkdir(parents=True)
    with ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", MAIN + SECTION)
        for name, content in {**SIGNATURES, **KEPT}.items():
            archive.writestr(name, content)
    return cache


def contents(path: Path) -> dict[str, bytes]:
    """The entries of a jar."""
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_copy_has_everything_but_the_signatures(cache: JarCache) -> None:
    """It has the manifest's section about the jar, too; the jar itself stays as it is."""
    jar = cache.path(SIGNED)
    before = jar.read_bytes()
    copy = unsigned(SIGNED, cache, Event())
    assert copy != jar
    assert contents(copy) == {"META-INF/MANIFEST.MF": MAIN, **KEPT}
    assert jar.read_bytes() == before


def test_the_copy_is_written_once(cache: JarCache) -> None:
    """Each start loads the same file; nothing else is left in the folder."""
    copy = unsigned(SIGNED, cache, Event())
    written = copy.stat()
    assert unsigned(SIGNED, cache, Event()) == copy
    assert copy.stat() == written
    assert set(copy.parent.iterdir()) == {copy, cache.path(SIGNED)}


def test_a_damaged_copy_is_written_again(cache: JarCache) -> None:
    """The machine may crash before all of the copy is on the disk."""
    copy = unsigned(SIGNED, cache, Event())
    complete = copy.read_bytes()
    middle = len(complete) // 2
    copy.write_bytes(complete[:middle] + bytes(20) + complete[middle + 20 :])
    assert unsigned(SIGNED, cache, Event()) == copy
    assert copy.read_bytes() == complete


def test_other_jars_are_not_copied(tmp_path: Path) -> None:
    """They are loaded as they are."""
    cache, jar = JarCache(tmp_path), Jar("org.neo4j:neo4j:5.26.30", 1, "")
    assert unsigned(jar, cache, Event()) == cache.path(jar)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written(cache: JarCache) -> None:
    """The signed jar is loaded."""
    (cache.folder / ".lock").mkdir()
    assert unsigned(SIGNED, cache, Event()) == cache.path(SIGNED)
