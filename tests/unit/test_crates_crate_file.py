"""Crate files: the manifest's links, and malicious archives."""

import gzip
import random
import tarfile
from collections.abc import Callable, Iterable

import pytest

from ssc_ingest.ecosystems.crates.crate_file import MAX_MANIFEST, read_links
from ssc_ingest.errors import ArchiveTooLarge, MalformedMetadata

MANIFEST = """
[package]
name = "demo"
version = "1.0.0"
repository = "https://github.com/o/r"
homepage = "https://example.org"
"""
PATH = "demo-1.0.0/Cargo.toml"


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> bytes:
    """One member of a tar archive."""
    info = tarfile.TarInfo(name)
    info.size, info.type = len(content), kind
    return info.tobuf() + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def crate(members: Iterable[bytes]) -> bytes:
    """A gzipped archive of these members."""
    return gzip.compress(b"".join(members) + bytes(2 * tarfile.BLOCKSIZE), 1)


@pytest.mark.parametrize(
    ("manifest", "links"),
    [
        (MANIFEST, ("https://github.com/o/r", "https://example.org")),
        ('[package]\nhomepage = "https://github.com/o/r"', (None, "https://github.com/o/r")),
        ("[package]\n", (None, None)),
    ],
)
async def test_links_of_the_manifest(manifest: str, links: tuple[str | None, str | None]) -> None:
    """Repository and homepage are read, if the manifest has them."""
    sources = [member("demo-1.0.0/.cargo_vcs_info.json", b"{}"), member(PATH, manifest.encode())]
    archive = crate([*sources, member("demo-1.0.0/src/lib.rs")])
    assert await read_links(archive, "demo", "1.0.0") == links


async def test_nothing_after_the_manifest_is_unpacked() -> None:
    """Broken or huge data after the manifest has no effect."""
    archive = crate([member(PATH, MANIFEST.encode()), member("demo-1.0.0/x", bytes(50_000_000))])
    links = await read_links(archive[: len(archive) // 2], "demo", "1.0.0")
    assert links[0] == "https://github.com/o/r"


@pytest.mark.parametrize(
    ("make", "reason"),  # some are large, so only the test itself makes them
    [
        (lambda: b"", "truncated"),
        (lambda: b"not an archive", "gzip"),
        (lambda: gzip.compress(b"not an archive"), "not a tar archive"),
        (lambda: crate([]), "no demo-1.0.0/Cargo.toml"),
        (lambda: crate([member("Cargo.toml", MANIFEST.encode())]), "no demo-1.0.0/Cargo.toml"),
        (
            lambda: crate([member("other-1.0.0/Cargo.toml", MANIFEST.encode())]),
            "no demo-1.0.0/Cargo.toml",
        ),
        (lambda: crate([member(PATH, kind=tarfile.SYMTYPE)]), "no demo-1.0.0/Cargo.toml"),
        (lambda: crate([member(PATH, kind=tarfile.FIFOTYPE)]), "no demo-1.0.0/Cargo.toml"),
        (lambda: crate([member(PATH, bytes(MAX_MANIFEST + 1))]), f"more than {MAX_MANIFEST} bytes"),
        (lambda: crate([member(PATH, MANIFEST.encode())])[:60], "truncated"),
        (lambda: crate([member(PATH, b"package")]), "Cargo.toml"),
        (lambda: crate([member(PATH, b"x = 1")]), "unexpected types"),
        (lambda: crate([member(PATH, b"package = 1")]), "unexpected types"),
        (lambda: crate([member(PATH, b"\xff\xfe")]), "utf-8"),
        (lambda: crate([member(PATH, b"x = " + b"[" * 100_000)]), "demo-1.0.0.crate"),
        (
            lambda: crate([member(f"demo-1.0.0/{n}") for n in range(100)] * 501),
            "more than 50000 members",
        ),
        (lambda: crate([member("demo-1.0.0/bomb", bytes(70_000_000))]), "too large"),
    ],
    ids=range(17),
)
async def test_archive_that_cannot_be_used(make: Callable[[], bytes], reason: str) -> None:
    """Broken, wrong, huge and deep archives raise one typed error."""
    with pytest.raises((MalformedMetadata, ArchiveTooLarge), match=f"(?i){reason}"):
        await read_links(make(), "demo", "1.0.0")


async def test_link_of_the_wrong_type_counts_as_absent() -> None:
    """The other link is read."""
    manifest = b"[package]\nrepository = 5\nhomepage = 'https://github.com/a/b'"
    found = await read_links(crate([member(PATH, manifest)]), "demo", "1.0.0")
    assert found == (None, "https://github.com/a/b")


async def test_headers_cannot_make_the_reader_allocate() -> None:
    """A header that announces gigabytes allocates nothing."""
    info = tarfile.TarInfo("demo-1.0.0/pax")
    info.type, info.size = tarfile.XHDTYPE, 5_000_000_000
    with pytest.raises(ArchiveTooLarge):
        await read_links(crate([info.tobuf(), b"x" * 1000]), "demo", "1.0.0")


async def test_digits_in_a_header_take_no_time() -> None:
    """The standard library's search in them takes hours (CVE-2024-6232 of Python 3.11.9)."""
    for size in (60_000, 1_000_000):
        header = member("demo-1.0.0/pax", b"1" * size, tarfile.XHDTYPE)
        with pytest.raises((MalformedMetadata, ArchiveTooLarge)):
            await read_links(crate([header, member(PATH, MANIFEST.encode())]), "demo", "1.0.0")


async def test_damaged_archives_give_the_typed_error() -> None:
    """Any damage leads to the links or to the typed error."""
    rng = random.Random(1)
    whole = crate([member("demo-1.0.0/a", b"a" * 600), member(PATH, MANIFEST.encode())])
    plain = bytearray(gzip.decompress(whole))
    for _ in range(2_000):
        damaged = bytearray(plain)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(2 * tarfile.BLOCKSIZE)] = rng.randrange(256)
        archive = bytearray(gzip.compress(bytes(damaged), 1))
        if rng.random() < 0.3:
            archive[rng.randrange(len(archive))] ^= 1 << rng.randrange(8)
        try:
            await read_links(bytes(archive), "demo", "1.0.0")
        except MalformedMetadata:
            continue
