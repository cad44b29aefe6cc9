"""The Maven index's binary form, written: the other half of what the program reads.

Fields of documents as ``org.apache.maven.index.updater.IndexDataWriter`` writes them.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

Fields: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str | bytes]]
"""In their order; bytes are written as they are."""

STORED = 4
INDEXED = 1

_BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")


def header(timestamp: int = -1, version: int = 1) -> bytes:
    """``timestamp`` in milliseconds since 1970, -1 for none."""
    return struct.pack(">Bq", version, timestamp)


def document(fields: Fields) -> bytes:
    """One document."""
    pairs = list(fields.items() if isinstance(fields, Mapping) else fields)
    return struct.pack(">i", len(pairs)) + b"".join(_field(*pair) for pair in pairs)


def _field(name: str, value: str | bytes) -> bytes:
    content = value if isinstance(value, bytes) else modified_utf8(value)
    return _head(name) + struct.pack(">i", len(content)) + content


@lru_cache  # of the dozen names of every document
def _head(name: str) -> bytes:
    encoded = modified_utf8(name)
    flags = STORED | INDEXED if name in {"u", "1", "del"} else STORED
    return struct.pack(">BH", flags, len(encoded)) + encoded


def modified_utf8(text: str) -> bytes:
    """As Java's ``DataOutput.writeUTF``: no NUL, and surrogates one by one."""
    units = _BEYOND_16_BITS.sub(_surrogates, text)
    return units.encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")


def _surrogates(character: re.Match[str]) -> str:
    number = ord(character[0]) - 0x10000
    return chr(0xD800 + (number >> 10)) + chr(0xDC00 + (number & 0x3FF))


def packed(pieces: Iterable[bytes], *, trailing: bytes = b"", level: int = 1) -> Iterator[bytes]:
    """The gzip file of that content, piece by piece; ``trailing`` follows uncompressed."""
    packer = zlib.compressobj(level, wbits=zlib.MAX_WBITS | 16)
    for piece in pieces:
        if squeezed := packer.compress(piece):
            yield squeezed
    yield packer.flush() + trailing


def index_file(documents: Iterable[Fields], *, timestamp: int = -1, trailing: bytes = b"") -> bytes:
    """A whole index file in memory."""
    pieces = (header(timestamp), *map(document, documents))
    return b"".join(packed(pieces, trailing=trailing))
