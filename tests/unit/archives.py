"""Archives for tests: valid ones by the standard library, and invalid ones."""

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping

METADATA = "demo-1.0.dist-info/METADATA"
CONTENT = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n" + b"Requires-Dist: idna>=2\n" * 40


class Counted:
    """A source that counts its reads."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.reads: list[tuple[int, int]] = []

    async def size(self) -> int:
        """The archive's size in bytes."""
        return len(self.content)

    async def read(self, start: int, length: int) -> bytes:
        """The requested bytes."""
        assert 0 <= start <= start + length <= len(self.content)
        self.reads.append((start, length))
        return self.content[start : start + length]

    @property
    def bytes_read(self) -> int:
        """The number of requested bytes."""
        return sum(length for _, length in self.reads)


def zipped(
    members: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b""
) -> bytes:
    """A zip archive by the standard library."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(
    members: Mapping[str, bytes], *, form: int = tarfile.PAX_FORMAT, mode: str = "w:gz"
) -> bytes:
    """A gzipped tar archive by the standard library."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def deflated(content: bytes) -> bytes:
    """The content, compressed as in a zip archive."""
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(content) + packer.flush()


def entry(
    name: bytes = METADATA.encode(),
    *,
    packed: bytes = CONTENT,
    size: int | None = None,
    packed_size: int | None = None,
    method: int = 0,
    flags: int = 0,
    crc: int | None = None,
    offset: int = 0,
    disk: int = 0,
    extra: bytes = b"",
) -> bytes:
    """An entry of a central directory."""
    return (
        struct.pack(
            "<4s6H3L5H2L",
            b"PK\x01\x02", 20, 20, flags, method, 0, 0,
            zlib.crc32(packed) if crc is None else crc,
            len(packed) if packed_size is None else packed_size,
            len(packed) if size is None else size,
            len(name), len(extra), 0, disk, 0, 0, offset,
        )
        + name
        + extra
    )  # fmt: skip


def local(
    name: bytes = METADATA.encode(),
    packed: bytes = CONTENT,
    *,
    size: int | None = None,
    method: int = 0,
    flags: int = 0,
    crc: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """A local header with its content."""
    return (
        struct.pack(
            "<4s5H3L2H",
            b"PK\x03\x04", 20, flags, method, 0, 0,
            zlib.crc32(packed) if crc is None else crc,
            len(packed),
            len(packed) if size is None else size,
            len(name), len(extra),
        )
        + name
        + extra
        + packed
    )  # fmt: skip


def archive(
    entries: Iterable[bytes],
    content: bytes = local(),
    *,
    count: int | None = None,
    size: int | None = None,
    offset: int | None = None,
    disk: int = 0,
    comment: bytes = b"",
) -> bytes:
    """A zip archive of these parts."""
    entries = list(entries)
    directory = b"".join(entries)
    number = (len(entries) if count is None else count) & 0xFFFF
    end = struct.pack(
        "<4s4H2LH",
        b"PK\x05\x06", disk, disk, number, number,
        len(directory) if size is None else size,
        len(content) if offset is None else offset,
        len(comment),
    )  # fmt: skip
    return content + directory + end + comment


def archive64(
    entries: Iterable[bytes],
    content: bytes = local(),
    *,
    count: int | None = None,
    place: int | None = None,
    short: tuple[int, int, int] = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
) -> bytes:
    """A zip archive with a Zip64 central directory."""
    entries = list(entries)
    directory = b"".join(entries)
    number = len(entries) if count is None else count
    start = len(content) + len(directory)
    end64 = struct.pack(
        "<4sQ2H2L4Q",
        b"PK\x06\x06", 44, 45, 45, 0, 0, number, number, len(directory), len(content),
    )  # fmt: skip
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start if place is None else place, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, short[0], short[0], *short[1:], 0)
    return content + directory + end64 + locator + end
