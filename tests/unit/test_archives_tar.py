"""Gzipped tar archives, read forward until a member is found."""

import gzip
import io
import struct
import tarfile
from contextlib import aclosing
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.archives import tar_stream
from ssc_ingest.archives.gzip_stream import FIRST_STEP, GzipStream
from ssc_ingest.archives.plain_stream import PlainStream
from ssc_ingest.archives.source import ByteSource, BytesSource
from ssc_ingest.archives.tar_stream import tar_members
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive
from tests.unit.archives import Counted, tarred

MOST = 8 * 1024 * 1024
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def stream(source: ByteSource | bytes, packed: int = MOST, unpacked: int = MOST) -> GzipStream:
    """The unpacked content of a file."""
    source = BytesSource(source) if isinstance(source, bytes) else source
    return GzipStream(source, max_packed=packed, max_unpacked=unpacked)


async def contents(data: bytes) -> list[tuple[str, bytes]]:
    """All regular files, in their order."""
    return [(m.name, await m.read(MOST)) async for m in tar_members(stream(data))]


def header(name: str = "x", size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """One block."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def with_size(field: bytes) -> bytes:
    """A header with this size field and a valid checksum."""
    block = bytearray(header())
    block[124:136] = field.ljust(12, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("form", FORMATS)
@given(
    st.lists(
        st.tuples(
            st.text("abcXYZ0-_.", min_size=1, max_size=90).filter(lambda name: name.strip("./")),
            st.binary(max_size=1100),
        ),
        max_size=6,
        unique_by=lambda pair: pair[0],
    )
)
async def test_archives_of_the_standard_library(
    form: int, members: list[tuple[str, bytes]]
) -> None:
    """All three formats are read, with content of any length."""
    assert await contents(tarred(dict(members), form=form)) == members


@pytest.mark.parametrize("form", FORMATS[1:])
async def test_long_names(form: int) -> None:
    """Long names are in a separate header of either kind."""
    members = {f"demo-1.0/{'x' * 240}/ä.py": b"1", "demo-1.0/PKG-INFO": b"2"}
    assert dict(await contents(tarred(members, form=form))) == members


async def test_everything_but_files_is_passed_over() -> None:
    """Directories, links, devices and global headers are skipped."""
    buffer = io.BytesIO()
    headers = {"comment": "global"}
    with tarfile.open(
        fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers=headers
    ) as made:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("demo-1.0/PKG-INFO")
            info.type, info.linkname = kind, "../" * 60 + "etc/passwd"
            made.addfile(info)
        info = tarfile.TarInfo("demo-1.0/PKG-INFO")
        info.size = 2
        made.addfile(info, io.BytesIO(b"ok"))
    assert await contents(buffer.getvalue()) == [("demo-1.0/PKG-INFO", b"ok")]


async def test_reading_stops_early() -> None:
    """Only the first step of a large archive is requested if the file is at its start."""
    rng = Random(7)
    members = {"demo/PKG-INFO": b"Name: demo"} | {f"x{n}": rng.randbytes(10**6) for n in range(4)}
    source = Counted(tarred(members))
    async with aclosing(tar_members(stream(source))) as found:
        async for member in found:
            assert (member.name, await member.read(100)) == ("demo/PKG-INFO", b"Name: demo")
            break
    assert source.reads == [(0, FIRST_STEP)]
    source = Counted(tarred(members))
    assert [m.name async for m in tar_members(stream(source))] == list(members)
    assert [length // FIRST_STEP for _, length in source.reads] == [1, 2, 4, 8, 0]


async def test_several_gzip_members() -> None:
    """Several gzip members are one content, without the zeros after them."""
    data = gzip.decompress(tarred({"a": b"1" * 3000}))
    packed = gzip.compress(data[:700]) + gzip.compress(data[700:]) + b"\0" * 100
    assert await contents(packed) == [("a", b"1" * 3000)]


async def test_an_archive_without_an_end() -> None:
    """Some archives lack the empty blocks at the end."""
    data = gzip.compress(header("a", 3) + b"abc".ljust(512, b"\0"))
    assert await contents(data) == [("a", b"abc")]


PLAIN = gzip.decompress(tarred({"a": b"1" * 3000}))

MALFORMED = {
    "nothing": b"",
    "a page": b"<html>404</html>",
    "not gzipped": PLAIN,
    "cut off": tarred({"a": Random(7).randbytes(3000)})[:2000],
    "behind it, something else": gzip.compress(header()) + b"x" * 20,
    "damaged": tarred({"a": Random(7).randbytes(3000)})[:2000] + b"\xff" * 300,
    "no tar": gzip.compress(b"x" * 2000),
    "a part of a header": gzip.compress(header()[:300]),
    "another checksum": gzip.compress(header()[:50] + b"y" + header()[51:]),
    "content cut off": gzip.compress(header("a", 3000) + b"x" * 600),
    "a negative size": gzip.compress(with_size(b"\xff" * 12)),
    "a size that is none": gzip.compress(with_size(b"12 apples")),
    "sparse": gzip.compress(header("a", kind=tarfile.GNUTYPE_SPARSE)),
    "a long name cut off": gzip.compress(header("a", 600, tarfile.GNUTYPE_LONGNAME) + b"x" * 9),
    "a record that is none": gzip.compress(
        header("a", 9, tarfile.XHDTYPE) + b"no record".ljust(512, b"\0")
    ),
    "a record that goes on": gzip.compress(
        header("a", 9, tarfile.XHDTYPE) + b"99 path=x".ljust(512, b"\0")
    ),
    "a record without length": gzip.compress(
        header("a", 9, tarfile.XHDTYPE) + b"0 path=x\n".ljust(512, b"\0")
    ),
    "a size in a record that is none": gzip.compress(
        header("a", 10, tarfile.XHDTYPE) + b"10 size=x\n".ljust(512, b"\0") + header("b")
    ),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_archive(data: bytes) -> None:
    """Any other file is a typed error."""
    with pytest.raises(MalformedArchive):
        await contents(data)


async def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """File bytes, unpacked bytes, member size, members and extended headers have limits."""
    noise = tarred({"a": Random(7).randbytes(3 * FIRST_STEP)})
    for limits in ({"packed": FIRST_STEP}, {"unpacked": 2 * FIRST_STEP}):
        with pytest.raises(ArchiveTooLarge):
            [m async for m in tar_members(stream(noise, **limits))]
    bomb = tarred({"a": b"\0" * 40 * 1024 * 1024})
    with pytest.raises(ArchiveTooLarge):
        [m async for m in tar_members(stream(bomb))]
    async for member in tar_members(stream(tarred({"a": b"x" * 901}))):
        with pytest.raises(ArchiveTooLarge):
            await member.read(900)
    exabytes = gzip.compress(with_size(b"\x80" + struct.pack(">xxxQ", 2**62)))
    async for member in tar_members(stream(exabytes)):
        with pytest.raises(ArchiveTooLarge):
            await member.read(MOST)
        break
    long = gzip.compress(header("a", 10**6, tarfile.GNUTYPE_LONGNAME))
    with pytest.raises(ArchiveTooLarge):
        await contents(long)
    monkeypatch.setattr(tar_stream, "MAX_MEMBERS", 9)
    with pytest.raises(ArchiveTooLarge):
        await contents(tarred({f"{n}": b"" for n in range(10)}))


async def test_a_million_members() -> None:
    """Reading ends at the limit, long before the end."""
    thousand = b"".join(header(f"{n}") for n in range(1000))
    source = Counted(gzip.compress(thousand * 50, 1) * 20)
    with pytest.raises(ArchiveTooLarge, match="members"):
        [m.name async for m in tar_members(stream(source, packed=2**40, unpacked=2**40))]
    assert source.bytes_read < len(source.content) / 4


async def test_names_are_passed_on() -> None:
    """Nothing is written anywhere, so absolute and parent paths are names like all others."""
    members = {"/etc/passwd": b"1", "../../up": b"2", "a/../b": b"3", "inner.tar.gz": PLAIN}
    assert dict(await contents(tarred(members))) == members
    odd = header("x").replace(b"x", b"\xff", 1)
    odd = odd[:148] + b"%06o\0 " % (sum(odd[:148]) + 8 * 32 + sum(odd[156:])) + odd[156:]
    assert await contents(gzip.compress(odd)) == [("\ufffd", b"")]


async def test_uncompressed_archives() -> None:
    """Uncompressed archives are read by the same rules, without reading the skipped content."""
    members = {"a": b"1" * 3000, "b": b"2"}
    source = Counted(tarred(members, mode="w"))
    found = [m.name async for m in tar_members(PlainStream(source))]
    assert found == ["a", "b"]
    assert all(length <= tarfile.BLOCKSIZE for _, length in source.reads)
    for cut in (100, 700, 3000):
        with pytest.raises(MalformedArchive):
            [m.name async for m in tar_members(PlainStream(BytesSource(source.content[:cut])))]
    lying = with_size(b"77777777777") + b"x" * 600
    with pytest.raises(MalformedArchive):
        [m.name async for m in tar_members(PlainStream(BytesSource(lying)))]


@given(st.data())
async def test_any_damage_is_a_typed_error(data: st.DataObject) -> None:
    """Any bytes of the tar or gzip data are changed."""
    form = data.draw(st.sampled_from(FORMATS))
    made = tarred({"demo/PKG-INFO": b"x" * 700, "demo/" + "y" * 90: b""}, form=form)
    packed = data.draw(st.booleans())
    changed = bytearray(made if packed else gzip.decompress(made))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(2048, len(changed) - 1)))
        changed[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        changed = changed or bytearray(b"x")
    try:
        await contents(bytes(changed) if packed else gzip.compress(changed))
    except (MalformedArchive, ArchiveTooLarge):
        return
