"""A ``.crate`` file: a gzipped tar of the crate's sources, read in memory and only partly.

https://doc.rust-lang.org/cargo/commands/cargo-package.html
"""

from contextlib import aclosing

from pydantic import ValidationError

from ssc_ingest.archives.gzip_stream import GzipStream
from ssc_ingest.archives.source import BytesSource
from ssc_ingest.archives.tar_stream import tar_members
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.toml import parse_toml
from ssc_ingest.ecosystems.wire import OrNone, WireModel
from ssc_ingest.errors import MalformedArchive, MalformedMetadata

MAX_CRATE = 20 * 1024 * 1024
"""Bytes of the file; crates.io accepts 10 MiB, and more by exception."""

MAX_BEFORE_MANIFEST = 64 * 1024 * 1024
"""Bytes decompressed in search of ``Cargo.toml``, which ``cargo package`` puts near the front."""

MAX_MANIFEST = 1024 * 1024
"""Bytes of ``Cargo.toml``; the largest have some 100 KB."""


class _Links(WireModel):
    repository: OrNone[str] = None
    homepage: OrNone[str] = None


class _Manifest(WireModel):
    package: _Links


async def read_links(crate: bytes, name: str, version: str) -> tuple[str | None, str | None]:
    """``repository`` and ``homepage`` of the crate's manifest.

    Raises:
        MalformedMetadata: the content is not a crate file, or has no manifest.
        ArchiveTooLarge: the crate file exceeds a limit.
    """
    manifest = await _read_member(crate, f"{name}-{version}/Cargo.toml")
    try:
        return await off_loop(len(manifest), _links, manifest)
    except ValueError as error:  # not UTF-8, or not TOML
        reason = "unexpected types" if isinstance(error, ValidationError) else error
        raise MalformedMetadata(f"{name}-{version}.crate: Cargo.toml: {reason}") from error


def _links(manifest: bytes) -> tuple[str | None, str | None]:
    package = _Manifest.model_validate(parse_toml(manifest.decode())).package
    return package.repository, package.homepage


async def _read_member(crate: bytes, path: str) -> bytes:
    stream = GzipStream(BytesSource(crate), max_packed=MAX_CRATE, max_unpacked=MAX_BEFORE_MANIFEST)
    async with aclosing(tar_members(stream)) as members:
        async for member in members:
            if member.name == path:
                return await member.read(MAX_MANIFEST)
    raise MalformedArchive(f"no {path}")
