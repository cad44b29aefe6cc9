"""A ``.crate`` file: a gzipped tar of the crate's sources, read in memory and only partly.

https://doc.rust-lang.org/cargo/commands/cargo-package.html
"""

import gzip
import io
import tarfile
import zlib

from pydantic import ValidationError

from ssc_ingest.ecosystems.toml import parse_toml
from ssc_ingest.ecosystems.wire import OrNone, WireModel
from ssc_ingest.errors import MalformedMetadata

MAX_CRATE = 20 * 1024 * 1024
"""Bytes of the file; crates.io accepts 10 MiB, and more by exception."""

MAX_BEFORE_MANIFEST = 64 * 1024 * 1024
"""Bytes decompressed in search of ``Cargo.toml``, which ``cargo package`` puts near the front."""

MAX_MEMBERS = 10_000

MAX_MANIFEST = 1024 * 1024
"""Bytes of ``Cargo.toml``; the largest have some 100 KB."""


class _Links(WireModel):
    repository: OrNone[str] = None
    homepage: OrNone[str] = None


class _Manifest(WireModel):
    package: _Links


def read_links(crate: bytes, name: str, version: str) -> tuple[str | None, str | None]:
    """``repository`` and ``homepage`` of the crate's manifest.

    Raises:
        MalformedMetadata: the content is not a crate file, has no manifest, or exceeds a limit.
    """
    try:
        text = _read_member(crate, f"{name}-{version}/Cargo.toml").decode()
        package = _Manifest.model_validate(parse_toml(text)).package
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise MalformedMetadata(f"{name}-{version}.crate: {error}") from error
    except ValueError as error:  # not UTF-8, not TOML, or an invalid number in the archive
        reason = "unexpected types" if isinstance(error, ValidationError) else error
        raise MalformedMetadata(f"{name}-{version}.crate: Cargo.toml: {reason}") from error
    return package.repository, package.homepage


def _read_member(crate: bytes, path: str) -> bytes:
    decompressed = _Limited(gzip.GzipFile(fileobj=io.BytesIO(crate)), MAX_BEFORE_MANIFEST)
    # "r|": strictly forward, so that every byte is decompressed and counted once.
    with tarfile.open(fileobj=decompressed, mode="r|") as archive:
        for number, member in enumerate(archive):
            if number >= MAX_MEMBERS:
                raise ValueError(f"more than {MAX_MEMBERS} members")
            if member.name == path and member.isreg():
                if member.size > MAX_MANIFEST:
                    raise ValueError(f"{path} has {member.size} bytes")
                content = archive.extractfile(member)
                return content.read() if content else b""
    raise ValueError(f"no {path}")


class _Limited(io.RawIOBase):
    """A stream that fails once more than ``limit`` bytes have been read."""

    def __init__(self, stream: io.BufferedIOBase, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("the content is too large")
        return data
