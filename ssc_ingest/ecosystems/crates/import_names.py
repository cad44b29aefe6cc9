"""The names that Rust code can import from a crate.

Such as ``tokio``, ``tokio::sync``, ``tokio::sync::Mutex``.

Two requests: the index, for the digest, and the crate file, which is read as a whole, because its
names are in its sources. :mod:`ssc_ingest.source_code.rust_exports` parses them.
"""

from contextlib import aclosing
from urllib.parse import quote

from ssc_ingest.archives.gzip_stream import GzipStream
from ssc_ingest.archives.source import BytesSource
from ssc_ingest.archives.tar_stream import tar_members
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.crates.crate_file import MAX_CRATE, MAX_MANIFEST
from ssc_ingest.ecosystems.crates.identity import IDENTITY
from ssc_ingest.ecosystems.crates.index import MAX_INDEX, Release, index_path, parse_index
from ssc_ingest.ecosystems.crates.library import Library, library_of
from ssc_ingest.errors import (
    ArchiveTooLarge,
    MalformedArchive,
    PackageNotFound,
    RegistryError,
    ResourceNotFound,
)
from ssc_ingest.models import PackageRef, VersionName
from ssc_ingest.source_code.incomplete import parse_or_keep

MAX_UNPACKED = 512 * 1024 * 1024
"""Bytes to unpack of a crate file."""

MAX_SOURCE = 16 * 1024 * 1024
"""Bytes of one source file; the largest, generated bindings, have some 10 MB."""

MAX_SOURCES = 128 * 1024 * 1024
"""Bytes of all sources of a crate."""

_NOT_LIBRARY = ("benches/", "examples/", "tests/")
"""Folders of other targets."""


async def read_names(crates: Ecosystem, ref: PackageRef, version: VersionName) -> frozenset[str]:
    """The names of one version; raises the errors of :meth:`Ecosystem.read_import_names`."""
    release = await _release(crates, ref, version)
    file_name = f"{release.name}-{release.vers}.crate"
    url = crates.endpoints.url("crates", release.name, quote(file_name))
    try:
        file = await crates.client.get_immutable(
            url, max_bytes=MAX_CRATE, sha256=release.cksum or None
        )
    except ResourceNotFound as error:
        raise PackageNotFound(crates.version_purl(ref, version), url=url) from error
    try:
        return await names_of_crate(file.body, release.name, release.vers)
    except RegistryError as error:
        error.url = error.url or url
        raise


async def _release(crates: Ecosystem, ref: PackageRef, version: VersionName) -> Release:
    """The version's line of the index."""
    url = crates.endpoints.url("index", *index_path(ref.name))
    try:
        response = await crates.client.get(url, max_bytes=MAX_INDEX)
    except ResourceNotFound as error:
        raise PackageNotFound(ref.purl, url=url) from error
    quoted = f'"{version}"'.encode()
    lines = b"".join(line + b"\n" for line in response.body.split(b"\n") if quoted in line)
    releases = await off_loop(len(lines), parse_index, lines, ref, url) if lines else {}
    if version not in releases:
        raise PackageNotFound(crates.version_purl(ref, version), url=url)
    return releases[version]


async def names_of_crate(crate: bytes, name: str, version: str) -> frozenset[str]:
    """The names of a crate file; only the library's name if its sources cannot be parsed.

    Args:
        crate: the file.
        name: the crate's name, as the registry spells it.
        version: its version.

    Raises:
        MalformedArchive: the content is not a crate file, or has no usable manifest.
        ArchiveTooLarge: the crate file exceeds a limit of size or members.
    """
    manifest, sources = await _read(crate, f"{name}-{version}/")
    if manifest is None:
        raise MalformedArchive(f"{name}-{version}.crate has no Cargo.toml")
    library = library_of(manifest, name, sources)
    if library is None:
        return frozenset()
    if library.root not in sources:
        return frozenset({library.name})
    return await parse_or_keep(
        "rust",
        _options(library),
        sources,
        known=frozenset({library.name}),
        package={"ecosystem": IDENTITY.name, "package": name, "version": version},
    )


def _options(library: Library) -> dict[str, object]:
    return {
        "root": library.root,
        "library": library.name,
        "edition": library.edition,
        "procedural": library.procedural,
    }


async def _read(crate: bytes, folder: str) -> tuple[bytes | None, dict[str, bytes]]:
    """The manifest, and the sources by their path in the crate."""
    manifest, sources, left = None, dict[str, bytes](), MAX_SOURCES
    stream = GzipStream(BytesSource(crate), max_packed=MAX_CRATE, max_unpacked=MAX_UNPACKED)
    async with aclosing(tar_members(stream)) as members:
        async for member in members:
            if not member.name.startswith(folder):
                continue
            path = member.name.removeprefix(folder)
            if path == "Cargo.toml":
                manifest = await member.read(MAX_MANIFEST)
            elif path.endswith(".rs") and not path.startswith(_NOT_LIBRARY):
                left -= member.size
                if left < 0:
                    raise ArchiveTooLarge(f"the sources have more than {MAX_SOURCES} bytes")
                sources[path] = await member.read(MAX_SOURCE)
    return manifest, sources
