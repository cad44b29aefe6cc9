"""A gem file: a tar archive of ``metadata.gz`` and ``data.tar.gz``.

https://guides.rubygems.org/command-reference/#gem-unpack
"""

from contextlib import aclosing
from dataclasses import dataclass, field

from ssc_ingest.archives.gzip_stream import GzipStream
from ssc_ingest.archives.plain_stream import PlainStream
from ssc_ingest.archives.source import BytesSource
from ssc_ingest.archives.tar_stream import tar_members
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive

MAX_GEM = 128 * 1024 * 1024
"""Bytes of the file; the largest, with compiled libraries, have some 100 MB."""

MAX_SPECIFICATION = 8 * 1024 * 1024
"""Bytes of the unpacked specification, which lists all files."""

MAX_UNPACKED = 1024 * 1024 * 1024
"""Bytes to unpack of ``data.tar.gz``."""

MAX_SOURCE = 8 * 1024 * 1024
"""Bytes of one Ruby file that is parsed; larger ones are data."""

MAX_SOURCES = 64 * 1024 * 1024
"""Bytes of all Ruby files that are kept."""

MAX_PATHS = 16 * 1024 * 1024
"""Characters of all paths."""


@dataclass(slots=True)
class GemFile:
    """The contents of a gem file."""

    specification: bytes | None = None
    paths: list[str] | None = None
    """All regular files; ``None`` without ``data.tar.gz``."""
    sources: dict[str, bytes] = field(default_factory=dict)
    """Ruby files."""


async def read_gem_file(gem: bytes) -> GemFile:
    """Read a gem file.

    Raises:
        MalformedArchive: the content is not a gem file, or is damaged.
        ArchiveTooLarge: the gem file exceeds a limit.
    """
    found = GemFile()
    async with aclosing(tar_members(PlainStream(BytesSource(gem)))) as members:
        async for member in members:
            name = member.name.removeprefix("./")
            if name == "metadata.gz":
                packed = BytesSource(await member.read(MAX_SPECIFICATION))
                found.specification = await _unpacked(packed)
            elif name == "metadata":  # of the first versions of RubyGems
                found.specification = await member.read(MAX_SPECIFICATION)
            elif name == "data.tar.gz":
                await _read_data(BytesSource(await member.read(MAX_GEM)), found)
    if found.specification is None or found.paths is None:
        missing = "metadata.gz" if found.specification is None else "data.tar.gz"
        raise MalformedArchive(f"the gem has no {missing}")
    return found


async def _unpacked(packed: BytesSource) -> bytes:
    stream = GzipStream(packed, max_packed=MAX_SPECIFICATION, max_unpacked=MAX_SPECIFICATION)
    return await stream.read(MAX_SPECIFICATION + 1)  # to the end


async def _read_data(data: BytesSource, found: GemFile) -> None:
    found.paths, left, characters = [], MAX_SOURCES, MAX_PATHS
    stream = GzipStream(data, max_packed=MAX_GEM, max_unpacked=MAX_UNPACKED)
    async with aclosing(tar_members(stream)) as members:
        async for member in members:
            path = member.name.removeprefix("./")
            characters -= len(path)
            if characters < 0:
                raise ArchiveTooLarge("the paths of the gem's files are too long")
            found.paths.append(path)
            if path.endswith(".rb") and member.size <= min(left, MAX_SOURCE):
                left -= member.size
                found.sources[path] = await member.read(MAX_SOURCE)
