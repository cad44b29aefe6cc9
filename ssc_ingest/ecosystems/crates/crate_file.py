"""A ``.crate`` file: a gzipped tar of the crate's sources, read in memory and only in part.

https://doc.rust-lang.org/cargo/commands/cargo-package.html
"""

import gzip
import io
import tarfile
import tomllib
import zlib

from pydantic import BaseModel, ConfigDict, ValidationError

from ssc_ingest.errors import MalformedMetadata

MAX_CRATE = 20 * 1024 * 1024
"""Bytes of the file; crates.io takes 10 MiB, and more where an exception was asked for."""

MAX_BEFORE_MANIFEST = 64 * 1024 * 1024
"""Bytes unpacked in search of ``Cargo.toml``, which ``cargo package`` puts near the front."""

MAX_MEMBERS = 10_000

MAX_MANIFEST = 1024 * 1024
"""Bytes of ``Cargo.toml``; the largest have some 100 KB."""


class _Links(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    repository: str | None = None
    homepage: str | None = None


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    package: _Links


def read_links(crate: bytes, name: str, version: str) -> tuple[str | None, str | None]:
    """``repository`` and ``homepage`` of the crate's manifest.

    Raises:
        MalformedMetadata: not a crate file, without a manifest, or beyond the limits.
    """
    try:
        text = _read_member(crate, f"{name}-{version}/Cargo.toml").decode()
        package = _Manifest.model_validate(tomllib.loads(text)).package
    except (tarfile.TarError, OSError, EOFError, zlib.error, RecursionError) as error:
        raise MalformedMetadata(f"{name}-{version}.crate: {error}") from error
    except ValueError as error:  # not UTF-8, not TOML, a number in the archive that is none
        reason = "unexpected types" if isinstance(error, ValidationError) else error
        raise MalformedMetadata(f"{name}-{version}.crate: Cargo.toml: {reason}") from error
    return package.repository, package.homepage


def _read_member(crate: bytes, path: str) -> bytes:
    unpacked = _Limited(gzip.GzipFile(fileobj=io.BytesIO(crate)), MAX_BEFORE_MANIFEST)
    # "r|": strictly forward, so that nothing is unpacked twice or without being counted.
    with tarfile.open(fileobj=unpacked, mode="r|") as archive:
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
            raise ValueError("too much is in it")
        return data
