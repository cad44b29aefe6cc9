"""Reads a zip file entry by entry, in memory that does not grow with the number of entries.

The standard library's reader keeps all entries in memory, 600 bytes each: a dump of half a million
records costs 300 MB before the first one is read. This reader iterates over the central directory
and reads the data of one entry at a time. Stored and deflated entries, ZIP64; no encryption.
Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from ssc_ingest.errors import RegistryUnavailable, ResponseTooLarge

MAX_ENTRIES = 5_000_000

STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT = 65535
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ZIP64_FIELD = 1
_ENCRYPTED = 1
_UTF8 = 0x800
_WINDOW = 256 * 1024
"""Bytes of the directory per read; an entry has at most three times 64 KiB."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive, as the central directory describes it. Sizes are bytes."""

    name: str
    method: int
    flags: int
    crc: int
    compressed_size: int
    size: int
    offset: int
    """Position of its local header."""


class ZipEntries:
    """A zip file.

    Args:
        file: open for reading, at any position.
        where: its address or path, for errors.

    Raises:
        RegistryUnavailable: the file is truncated or damaged, now or while it is read.
        ResponseTooLarge: the file has more than :data:`MAX_ENTRIES` entries.
    """

    def __init__(self, file: IO[bytes], where: str) -> None:
        self._file = file
        self._where = where
        self._size = file.seek(0, 2)
        self.count, self.directory_size, self._directory = self._end()
        if self.count > MAX_ENTRIES:
            raise ResponseTooLarge(f"{where} has {self.count} entries", url=where)
        if self._directory + self.directory_size > self._size:
            raise self._damaged("its directory is not complete")

    def __iter__(self) -> Iterator[Entry]:
        """All entries in the order of the directory; directories among them have no data."""
        position, end = self._directory, self._directory + self.directory_size
        window = b""
        for _ in range(self.count):
            if len(window) < 3 * _MAX_COMMENT + _CENTRAL.size and position < end:
                more = self._read(position, min(_WINDOW, end - position))
                position += len(more)
                window += more
            entry, length = self._entry(window)
            window = window[length:]
            yield entry

    def read(self, entry: Entry, max_bytes: int) -> bytes:
        """The data of an entry; raises the errors of :meth:`chunks`."""
        return b"".join(self.chunks(entry, max_bytes))

    def chunks(self, entry: Entry, max_bytes: int) -> Iterator[bytes]:
        """The data of an entry, piece by piece.

        Raises:
            ResponseTooLarge: the entry's announced or decompressed size exceeds ``max_bytes``.
            RegistryUnavailable: the entry is damaged, encrypted or compressed in another way;
                pieces may have been returned before.
        """
        if entry.size > max_bytes or entry.compressed_size > max_bytes:
            raise ResponseTooLarge(f"{entry.name:.200} has {entry.size} bytes", url=self._where)
        size, checksum = 0, 0
        for piece in self._unpacked(entry):
            size += len(piece)
            if size > entry.size:
                break
            checksum = zlib.crc32(piece, checksum)
            yield piece
        if size != entry.size or checksum != entry.crc:
            raise self._damaged(f"{entry.name:.200} does not match its announced size and checksum")

    def _unpacked(self, entry: Entry) -> Iterator[bytes]:
        if entry.method not in {STORED, DEFLATED} or entry.flags & _ENCRYPTED:
            raise self._damaged(f"{entry.name:.200} is packed in an unknown way")
        packed = self._packed(entry)
        if entry.method == STORED:
            yield from packed
            return
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in packed:
                rest = piece
                while rest:
                    yield unpacker.decompress(rest, _WINDOW)
                    rest = unpacker.unconsumed_tail
            yield unpacker.flush()
        except zlib.error as error:
            raise self._damaged(f"{entry.name:.200}: {error}") from error

    def _packed(self, entry: Entry) -> Iterator[bytes]:
        """The raw data in the file."""
        head = self._read(entry.offset, _LOCAL.size)
        if len(head) < _LOCAL.size or not head.startswith(b"PK\3\4"):
            raise self._damaged(f"{entry.name:.200} is not at the position in the directory")
        name_length, extra_length = _LOCAL.unpack(head)[-2:]
        start = entry.offset + _LOCAL.size + name_length + extra_length
        end = start + entry.compressed_size
        if end > self._size:
            raise self._damaged(f"{entry.name:.200} is not complete")
        for position in range(start, end, _WINDOW):
            yield self._read(position, min(_WINDOW, end - position))

    def _end(self) -> tuple[int, int, int]:
        """Number of entries, size and position of the directory."""
        tail_start = max(0, self._size - _END.size - _MAX_COMMENT)
        tail = self._read(tail_start, self._size - tail_start)
        at = _end_position(tail)
        if at < 0:
            raise self._damaged("it has no end record: it is not a zip file, or is truncated")
        *_, count, size, offset, _ = _END.unpack_from(tail, at)
        if count == _FULL16 or _FULL32 in {size, offset}:
            return self._end64(tail_start + at - _END64_LOCATOR.size) or (count, size, offset)
        return count, size, offset

    def _end64(self, locator_at: int) -> tuple[int, int, int] | None:
        """The same for a ZIP64 file; ``None`` if it is no ZIP64 file."""
        locator = self._read(locator_at, _END64_LOCATOR.size) if locator_at >= 0 else b""
        if not locator.startswith(b"PK\6\7"):
            return None
        record = self._read(_END64_LOCATOR.unpack(locator)[2], _END64.size)
        if len(record) < _END64.size or not record.startswith(b"PK\6\6"):
            raise self._damaged("its ZIP64 end record is not at its announced position")
        *_, count, size, offset = _END64.unpack(record)
        return count, size, offset

    def _entry(self, window: bytes) -> tuple[Entry, int]:
        """The first entry of a part of the directory, and its length."""
        if len(window) < _CENTRAL.size or not window.startswith(b"PK\1\2"):
            raise self._damaged("its directory has fewer entries than announced")
        fields = _CENTRAL.unpack_from(window)
        flags, method, crc, compressed, size = (fields[at] for at in (3, 4, 7, 8, 9))
        name_length, extra_length, comment_length, offset = *fields[10:13], fields[-1]
        length = _CENTRAL.size + name_length + extra_length + comment_length
        if len(window) < length:
            raise self._damaged("its directory ends within an entry")
        name = window[_CENTRAL.size : _CENTRAL.size + name_length]
        extra = window[_CENTRAL.size + name_length : length - comment_length]
        size, compressed, offset = self._large(extra, size, compressed, offset)
        text = name.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        return Entry(text, method, flags, crc, compressed, size, offset), length

    def _large(self, extra: bytes, size: int, compressed: int, offset: int) -> tuple[int, int, int]:
        """The three fields; values too large for 32 bits come from the ZIP64 field."""
        values = [size, compressed, offset]
        if _FULL32 not in values:
            return size, compressed, offset
        while len(extra) >= 4:  # noqa: PLR2004 - the head of a field: its type and its length
            kind, length = struct.unpack_from("<2H", extra)
            content, extra = extra[4 : 4 + length], extra[4 + length :]
            if kind != _ZIP64_FIELD:
                continue
            for position, value in enumerate(values):
                if value == _FULL32 and len(content) >= 8:  # noqa: PLR2004 - bytes of a number
                    values[position] = int.from_bytes(content[:8], "little")
                    content = content[8:]
        return values[0], values[1], values[2]

    def _read(self, position: int, size: int) -> bytes:
        if position > self._size:
            return b""
        self._file.seek(position)
        return self._file.read(min(size, self._size - position))

    def _damaged(self, reason: str) -> RegistryUnavailable:
        return RegistryUnavailable(f"{self._where} is damaged: {reason}", url=self._where)


def _end_position(tail: bytes) -> int:
    """The offset of the end record, or -1; the record's comment must reach the end of the file."""
    at = len(tail) - _END.size + 1
    while (at := tail.rfind(b"PK\5\6", 0, at + 3)) >= 0:
        if at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            return at
    return -1
