"""Reads selected members of zip archives (wheels, jars, nupkgs).

Why not ``zipfile``: it creates all members before a limit can apply (a million take 17 s and 290
MB). It accepts compression methods that no registry uses, silently takes the last of equal names,
and raises seven kinds of foreign errors.

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

import asyncio
import struct
import zlib
from collections.abc import Callable
from typing import TypeVar

from ssc_ingest.archives.source import ByteSource
from ssc_ingest.archives.zip_directory import Directory, Member, members_of, read_directory
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive

T = TypeVar("T")

MAX_RATIO = 200
"""Maximum compression ratio of members larger than :data:`ANY_RATIO`."""

ANY_RATIO = 1024 * 1024
"""Bytes up to which every compression ratio is accepted."""

PARSED_INLINE = 128 * 1024
"""Bytes up to which unpacking is faster than starting a thread."""

_STORED, _DEFLATED = 0, 8
_LOCAL = struct.Struct("<4s5H3L2H")  # APPNOTE 4.3.7
_SIZES_FOLLOW = 0x8  # 4.4.4: the local header does not have the sizes yet
_EXTRA = 256
"""Expected bytes of a local header's extra fields; the central directory does not have this
length."""


class ZipArchive:
    """The members of a zip archive; reads their content on request.

    .. code-block:: python

        archive = await ZipArchive.open(source)
        if member := archive.find("demo-1.0.dist-info/METADATA"):
            content = await archive.read(member, max_size=2 * 1024 * 1024)
    """

    def __init__(
        self, source: ByteSource, directory_start: int, members: tuple[Member, ...]
    ) -> None:
        self._source = source
        self._directory_start = directory_start
        self.members = members
        """Members in the order of the central directory; several may have the same name."""

    @classmethod
    async def open(
        cls, source: ByteSource, wanted: Callable[[str], bool] = lambda _: True
    ) -> "ZipArchive":
        """Read the central directory, with one request if it is small, or else two.

        Args:
            source: the archive.
            wanted: whether to keep a member, by its name.

        Raises:
            MalformedArchive: the source is not a zip archive, or is inconsistent.
            ArchiveTooLarge: the archive has too many members.
            IngestError: the errors of the source.
        """
        directory = await read_directory(source)
        members = await _off_loop(len(directory.content), _chosen, directory, wanted)
        return cls(source, directory.start, members)

    def find(self, name: str) -> Member | None:
        """Find a member by its name.

        Raises:
            MalformedArchive: several members have the name, so readers would differ.
        """
        found = [member for member in self.members if member.name == name]
        if len(found) > 1:
            raise MalformedArchive(f"{len(found)} members have the name {name[:200]!r}")
        return found[0] if found else None

    async def read(self, member: Member, max_size: int) -> bytes:
        """Read a member's content, with one request, or two if its local header is unusually long.

        Raises:
            ArchiveTooLarge: the member has more than ``max_size`` bytes or a too high compression
                ratio.
            MalformedArchive: the member is encrypted, damaged, has an unsupported compression, or
                differs from the central directory.
            IngestError: the errors of the source.
        """
        _check(member, max_size)
        room = self._directory_start - member.offset
        length = min(room, _LOCAL.size + len(member.name.encode()) + _EXTRA + member.packed_size)
        data = await self._source.read(member.offset, length)
        start = _start_of_content(data, member)
        end = start + member.packed_size
        if end > room:
            raise MalformedArchive(f"{member.name[:200]!r} overlaps the central directory")
        if end > length:
            data += await self._source.read(member.offset + length, end - length)
        return await _off_loop(member.size, _unpacked, data[start:end], member)


def _chosen(directory: Directory, wanted: Callable[[str], bool]) -> tuple[Member, ...]:
    return tuple(member for member in members_of(directory) if wanted(member.name))


def _check(member: Member, max_size: int) -> None:
    name = member.name[:200]
    if member.is_encrypted:
        raise MalformedArchive(f"{name!r} is encrypted")
    if member.method not in {_STORED, _DEFLATED}:
        raise MalformedArchive(f"{name!r} is compressed by an unsupported method: {member.method}")
    if max(member.size, member.packed_size) > max_size:
        raise ArchiveTooLarge(f"{name!r} has more than {max_size} bytes")
    if member.size > max(ANY_RATIO, MAX_RATIO * member.packed_size):
        raise ArchiveTooLarge(
            f"{name!r} has {member.size} bytes, compressed to {member.packed_size}"
        )


def _start_of_content(data: bytes, member: Member) -> int:
    """The offset of the content after the local header; checks the header."""
    name = member.name[:200]
    if len(data) < _LOCAL.size:
        raise MalformedArchive(f"{name!r} is truncated")
    signature, _, flags, method, _, _, crc32, packed, size, named, extra = _LOCAL.unpack_from(data)
    start = _LOCAL.size + named
    if (
        signature != b"PK\x03\x04"
        or method != member.method
        or flags & 1
        or not member.has_name(data[_LOCAL.size : start])
    ):
        raise MalformedArchive(f"the local header of {name!r} does not match the central directory")
    if not flags & _SIZES_FOLLOW and (
        crc32 != member.crc32
        or packed not in {member.packed_size, 0xFFFFFFFF}
        or size not in {member.size, 0xFFFFFFFF}
    ):
        raise MalformedArchive(f"{name!r} has another size than the central directory states")
    return int(start + extra)


def _unpacked(packed: bytes, member: Member) -> bytes:
    """Unpack the content; checks its size and checksum."""
    content = packed
    if member.method == _DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(packed, member.size + 1)
            rest = inflater.unconsumed_tail
            if not inflater.eof and rest:  # the end marker may not have been read yet
                content += inflater.decompress(rest, 1)
        except zlib.error as error:
            raise MalformedArchive(f"{member.name[:200]!r} is damaged: {error}") from error
        if not inflater.eof or inflater.unused_data:
            raise MalformedArchive(f"{member.name[:200]!r} does not end at its announced end")
    if len(content) != member.size or zlib.crc32(content) != member.crc32:
        raise MalformedArchive(f"{member.name[:200]!r} does not match its checksum")
    return content


async def _off_loop(size: int, function: Callable[..., T], *arguments: object) -> T:
    """Run long work in a thread, and short work directly."""
    if size <= PARSED_INLINE:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
