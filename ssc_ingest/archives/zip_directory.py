"""Reads the central directory of a zip file: its members and their positions.

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (6.3.10; numbers of sections below)
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ssc_ingest.archives.source import ByteSource
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive

MAX_DIRECTORY = 32 * 1024 * 1024
"""Maximum bytes of a central directory. The largest jars have about 10 MB."""

MAX_MEMBERS = 200_000
"""Maximum members of an archive. The largest jars have about 100,000."""

READ_FIRST = 32 * 1024
"""Bytes of the first read, from the end; sufficient for small archives."""

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_ENTRY = struct.Struct("<4s6H3L5H2L")  # 4.3.12
_MAX_COMMENT = 0xFFFF
_SIGNATURE_OF_DIRECTORY = b"PK\x05\x05"  # 4.3.13

_UNSET, _UNSET_DISK = 0xFFFFFFFF, 0xFFFF
"""Placeholders for values in a Zip64 field."""

_ENCRYPTED, _UTF8 = 0x1, 0x800  # 4.4.4


@dataclass(frozen=True, slots=True)
class Member:
    """A member as described by the central directory; sizes are in bytes."""

    name: str
    size: int
    packed_size: int
    method: int
    """0 is stored, 8 deflated."""
    crc32: int
    flags: int
    offset: int
    """Offset of its local header from the start of the file."""

    @property
    def is_encrypted(self) -> bool:
        """Whether it is encrypted."""
        return bool(self.flags & _ENCRYPTED)

    def has_name(self, encoded: bytes) -> bool:
        """Whether ``encoded`` is its name in a header with its flags."""
        return decoded_name(encoded, self.flags) == self.name


@dataclass(frozen=True, slots=True)
class Directory:
    """A raw central directory."""

    content: bytes
    start: int
    """Its offset in the file."""
    prefix: int
    """Bytes before the archive, which its own offsets do not include."""
    count: int
    """Number of entries modulo 65,536."""


async def read_directory(source: ByteSource) -> Directory:
    """Find and read the central directory, with one request if it is small, or else two.

    Raises:
        MalformedArchive: the file has no central directory, or its end record is inconsistent.
        ArchiveTooLarge: the central directory has more than :data:`MAX_DIRECTORY` bytes or
            :data:`MAX_MEMBERS` members.
    """
    size = await source.size()
    end = await source.read(max(0, size - READ_FIRST), min(size, READ_FIRST))
    if await source.size() != size:  # a source may get its size with the first read
        return await read_directory(source)
    record = _find_end(end)
    if record is None and size > READ_FIRST:  # there may be a long comment
        length = min(size, _END.size + _MAX_COMMENT)
        end = await source.read(size - length, length)
        record = _find_end(end)
    if record is None:
        raise MalformedArchive("no end of a central directory: not a zip file, or truncated")
    count, directory_size, offset, directory_end = await _place(source, record, size)
    if directory_size > MAX_DIRECTORY:
        raise ArchiveTooLarge(
            f"the central directory has {directory_size} bytes; the limit is {MAX_DIRECTORY}"
        )
    if count > MAX_MEMBERS:
        raise ArchiveTooLarge(f"{count} members")
    start = directory_end - directory_size
    if not 0 <= offset <= start:
        raise MalformedArchive("the central directory is not at the position in its end record")
    content = await source.read(start, directory_size)
    return Directory(content, start, prefix=start - offset, count=count & 0xFFFF)


def members_of(directory: Directory) -> Iterator[Member]:
    """Parse the entries of a central directory, in its order.

    Raises:
        MalformedArchive: an entry is truncated or inconsistent, or the number of entries is wrong.
        ArchiveTooLarge: the directory has more than :data:`MAX_MEMBERS` entries.
    """
    content, place, count = memoryview(directory.content), 0, 0
    while place < len(content) and content[place : place + 4] != _SIGNATURE_OF_DIRECTORY:
        if count == MAX_MEMBERS:
            raise ArchiveTooLarge(f"more than {MAX_MEMBERS} members")
        member, place = _entry(content, place, directory)
        count += 1
        yield member
    if count & 0xFFFF != directory.count:
        raise MalformedArchive(f"{count} members, but the end record has another number")


def decoded_name(encoded: bytes, flags: int) -> str:
    """A member's name as text; invalid UTF-8 is replaced."""
    return encoded.decode("utf-8" if flags & _UTF8 else "cp437", errors="replace")


def _find_end(data: bytes) -> bytes | None:
    """The file up to the last end record whose comment ends with the file."""
    place = len(data)
    while (place := data.rfind(b"PK\x05\x06", 0, place)) >= 0:
        if place + _END.size <= len(data):
            *_, comment = _END.unpack_from(data, place)
            if place + _END.size + comment == len(data):
                return data[place:]
    return None


async def _place(source: ByteSource, record: bytes, file_size: int) -> tuple[int, int, int, int]:
    """The number of entries, size, offset and end of the directory, from its end record."""
    start = file_size - len(record)
    _, disk, first_disk, here, count, size, offset, _ = _END.unpack_from(record)
    narrow = (count, size, offset)
    if start >= _LOCATOR.size:
        told = await source.read(start - _LOCATOR.size, _LOCATOR.size)
        signature, _, place64, disks = _LOCATOR.unpack(told)
        if signature == b"PK\x06\x07":
            if disks > 1:
                raise MalformedArchive("the archive has several volumes")
            return await _place64(source, start - _LOCATOR.size, place64, narrow)
    if disk or first_disk or here != count:
        raise MalformedArchive("the archive has several volumes")
    return *narrow, start


async def _place64(
    source: ByteSource, locator: int, place: int, narrow: tuple[int, int, int]
) -> tuple[int, int, int, int]:
    """The same from the Zip64 record before ``locator``; checks it against the end record."""
    # An archive may have a prefix that its own offsets do not include.
    for start in dict.fromkeys((locator - _END64.size, place)):
        if not 0 <= start <= locator - _END64.size:
            continue
        signature, length, _, _, disk, first_disk, here, count, size, offset = _END64.unpack(
            await source.read(start, _END64.size)
        )
        if signature != b"PK\x06\x06" or start + 12 + length != locator:
            continue
        if disk or first_disk or here != count:
            raise MalformedArchive("the archive has several volumes")
        wide = (count, size, offset)
        for value, short, bits in zip(wide, narrow, (16, 32, 32), strict=True):
            if short not in {value, (1 << bits) - 1}:
                raise MalformedArchive(
                    "two end records of the central directory contradict each other"
                )
        return *wide, start
    raise MalformedArchive(
        "the Zip64 end record of the central directory is not at its announced position"
    )


def _entry(content: memoryview, place: int, directory: Directory) -> tuple[Member, int]:
    """The entry at an offset, and the offset after it."""
    if place + _ENTRY.size > len(content):
        raise MalformedArchive("the central directory is truncated")
    (
        signature, _, _, flags, method, _, _, crc32, packed, size, named, extra, comment, disk,
        _, _, offset,
    ) = _ENTRY.unpack_from(content, place)  # fmt: skip
    name_start = place + _ENTRY.size
    extra_start = name_start + named
    end = extra_start + extra + comment
    if signature != b"PK\x01\x02" or end > len(content):
        raise MalformedArchive("the central directory has an invalid entry")
    if _UNSET in {size, packed, offset} or disk == _UNSET_DISK:
        fields = bytes(content[extra_start : extra_start + extra])
        size, packed, offset, disk = _wide(fields, size, packed, offset, disk)
    if disk:
        raise MalformedArchive("the archive has several volumes")
    offset += directory.prefix
    if offset + packed > directory.start:
        raise MalformedArchive("a member lies behind the central directory")
    name = decoded_name(bytes(content[name_start:extra_start]), flags)
    return Member(name, size, packed, method, crc32, flags, offset), end


def _wide(
    extra: bytes, size: int, packed: int, offset: int, disk: int
) -> tuple[int, int, int, int]:
    """The large values from the Zip64 extra field (4.5.3), in its order."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if kind == 1:
            field, values = extra[place + 4 : place + 4 + length], []
            for value, unset, form in (
                (size, _UNSET, "<Q"),
                (packed, _UNSET, "<Q"),
                (offset, _UNSET, "<Q"),
                (disk, _UNSET_DISK, "<L"),
            ):
                if value != unset:
                    values.append(value)
                    continue
                width = struct.calcsize(form)
                if len(field) < width:
                    raise MalformedArchive("a Zip64 field is truncated")
                values += struct.unpack_from(form, field)
                field = field[width:]
            return values[0], values[1], values[2], values[3]
        place += 4 + length
    return size, packed, offset, disk
