"""Reads tar archives forward, member by member; the caller may stop early.

``tarfile`` only parses the headers of members. This module iterates over the archive itself,
because ``tarfile`` blocks on its input and has no limit for announced lengths.

https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html (ustar and pax),
https://www.gnu.org/software/tar/manual/html_node/Standard.html (GNU)
"""

import re
import tarfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from ssc_ingest.archives.source import ForwardStream
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive

MAX_MEMBERS = 50_000
"""Maximum number of members to read."""

MAX_HEADER = 64 * 1024
"""Maximum bytes of a member's extended header (a long name or pax records)."""

_MAX_DIGITS = 18
_RECORD = re.compile(rb"(\d{1,7}) ([^=]{1,200})=")
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_ABOUT_THE_NEXT = (*_PAX, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


@dataclass(slots=True)
class TarMember:
    """A regular file; its content is readable until the next member is requested."""

    name: str
    size: int
    unread: int
    """Bytes that are not read yet."""
    stream: ForwardStream

    async def read(self, max_size: int) -> bytes:
        """Read the content, once.

        Raises:
            ArchiveTooLarge: the content has more than ``max_size`` bytes.
            MalformedArchive: the content is truncated.
        """
        if self.size > max_size:
            raise ArchiveTooLarge(f"{self.name[:200]!r} has more than {max_size} bytes")
        content = await self.stream.read(self.unread)
        self.unread -= len(content)
        if self.unread:
            raise MalformedArchive(f"{self.name[:200]!r} is truncated")
        return content


async def tar_members(stream: ForwardStream) -> AsyncGenerator[TarMember]:
    """Iterate over the regular files of an archive, in its order; use ``aclosing`` to stop early.

    Raises:
        MalformedArchive: the archive is damaged or truncated.
        ArchiveTooLarge: the archive has more than :data:`MAX_MEMBERS` members or a too long
            extended header, or exceeds a limit of the stream.
        IngestError: the errors of the stream's source.
    """
    extended: dict[str, str] = {}
    for _ in range(MAX_MEMBERS):
        block = await stream.read(tarfile.BLOCKSIZE)
        if not block.strip(b"\0"):
            return
        header = _header(block)
        if header.type in _ABOUT_THE_NEXT:
            content = await _extended(stream, header.size)
            if header.type in _PAX:
                extended |= _records(content)
            elif header.type == tarfile.GNUTYPE_LONGNAME:
                extended["path"] = content.rstrip(b"\0").decode(errors="replace")
            continue
        if header.type == tarfile.XGLTYPE:
            await stream.skip(_in_blocks(header.size))
            continue
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise MalformedArchive(f"{header.name[:200]!r} is a sparse file")
        has_content = header.isreg() or header.type not in tarfile.SUPPORTED_TYPES
        size = _size(extended.get("size"), header.size) if has_content else 0
        unread = size
        if header.isreg():
            member = TarMember(extended.get("path", header.name), size, size, stream)
            yield member
            unread = member.unread
        await stream.skip(unread + _in_blocks(size) - size)
        extended = {}
    raise ArchiveTooLarge(f"more than {MAX_MEMBERS} members")


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except (tarfile.HeaderError, ValueError) as error:
        raise MalformedArchive(f"not a tar archive: {error}") from error
    if header.size < 0:
        raise MalformedArchive("a member has a negative size")
    return header


async def _extended(stream: ForwardStream, size: int) -> bytes:
    """The content of an extended header."""
    if size > MAX_HEADER:
        raise ArchiveTooLarge(f"an extended header has {size} bytes")
    content = await stream.read(_in_blocks(size))
    if len(content) < size:
        raise MalformedArchive("an extended header is truncated")
    return content[:size]


def _records(content: bytes) -> dict[str, str]:
    """The records of a pax header: length of the record, blank, key, ``=``, value, line feed."""
    records: dict[str, str] = {}
    while content:
        match = _RECORD.match(content)
        length = int(match[1]) if match else 0
        if match is None or not match.end() < length <= len(content):
            raise MalformedArchive("an extended header has an invalid record")
        records[match[2].decode(errors="replace")] = content[match.end() : length - 1].decode(
            errors="replace"
        )
        content = content[length:]
    return records


def _size(extended: str | None, size: int) -> int:
    if extended is None:
        return size
    if not (extended.isascii() and extended.isdecimal() and len(extended) <= _MAX_DIGITS):
        raise MalformedArchive("the size of a member is not a number")
    return int(extended)


def _in_blocks(size: int) -> int:
    """The size rounded up to whole blocks."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
