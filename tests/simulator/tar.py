"""Small tar archives, the same bytes with every version of Python and zlib."""

import tarfile
import zlib
from struct import pack
from zlib import crc32

_EMPTY_HEADER = bytearray(tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT))
_NAME, _SIZE, _CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 156)
_EMPTY_HEADER[_CHECKSUM] = b" " * 8
_EMPTY_HEADER[_SIZE] = bytes(12)


def member(name: str, content: str | bytes) -> bytes:
    """A file in a tar archive. Filling in a header is ten times as quick as making one."""
    data = content.encode() if isinstance(content, str) else content
    header = bytearray(_EMPTY_HEADER)
    header[_NAME] = name.encode().ljust(100, b"\0")
    header[_SIZE] = b"%011o\0" % len(data)
    header[_CHECKSUM] = b"%06o\0 " % sum(header)
    return bytes(header) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def gzipped(data: bytes) -> bytes:
    """The data as a gzip file without compression: the same bytes with every zlib, and quick."""
    deflated = zlib.compressobj(0, wbits=-zlib.MAX_WBITS)
    body = deflated.compress(data) + deflated.flush()
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return header + body + pack("<LL", crc32(data), len(data) & 0xFFFFFFFF)
