"""Reading members of valid and hostile zip archives."""

import io
import struct
import zipfile
import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.archives import zip_directory
from ssc_ingest.archives.source import BytesSource
from ssc_ingest.archives.zip_archive import MAX_RATIO, ZipArchive
from ssc_ingest.errors import ArchiveTooLarge, MalformedArchive
from tests.unit.archives import (
    CONTENT,
    METADATA,
    Counted,
    archive,
    archive64,
    deflated,
    entry,
    local,
    zipped,
)

MOST = 1024 * 1024


async def read(data: bytes, name: str = METADATA, most: int = MOST) -> bytes | None:
    """The content of a member."""
    found = await ZipArchive.open(BytesSource(data))
    member = found.find(name)
    return await found.read(member, most) if member else None


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"a comment", b"PK\x05\x06" + b"x" * 40, b"x" * 65_535])
@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\nexec java -jar $0\n" * 9])
async def test_archives_of_the_standard_library(method: int, comment: bytes, prefix: bytes) -> None:
    """With comments and prefixes; each content is correct."""
    members = {"demo/": b"", "demo/__init__.py": b"", METADATA: CONTENT, "naïve/päth.txt": b"x" * 9}
    data = prefix + zipped(members, method=method, comment=comment)
    found = await ZipArchive.open(BytesSource(data))
    assert [member.name for member in found.members] == list(members)
    assert {m.name: await found.read(m, MOST) for m in found.members} == members


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0\\", exclude_categories=["Cs"]), min_size=1),
        st.binary(max_size=300),
        max_size=6,
    ),
    st.binary(max_size=30).filter(lambda comment: b"PK" not in comment),
)
async def test_any_archive_is_read_as_the_standard_library_does(
    members: dict[str, bytes], comment: bytes
) -> None:
    """Names and contents equal the original ones."""
    data = zipped(members, comment=comment)
    judge = zipfile.ZipFile(io.BytesIO(data))
    found = await ZipArchive.open(BytesSource(data))
    assert [m.name for m in found.members] == judge.namelist()
    for member in found.members:
        assert await found.read(member, MOST) == judge.read(member.name)


async def test_what_is_not_wanted_is_not_read() -> None:
    """A few kilobytes of an archive of megabytes are read, in two parts."""
    rng = Random(7)
    members = {f"demo/{n}.so": rng.randbytes(500_000) for n in range(6)} | {METADATA: CONTENT}
    for data in (zipped(members), zipped(dict(reversed(members.items())))):
        source = Counted(data)
        found = await ZipArchive.open(source, wanted=lambda name: name.endswith("/METADATA"))
        (member,) = found.members
        assert await found.read(member, MOST) == CONTENT
        assert source.bytes_read < 40_000
        # The end with the directory, twice in memory, and the member.
        assert len({start for start, _ in source.reads}) <= 4


async def test_a_member_that_is_not_there() -> None:
    """A missing member is not found."""
    assert await read(zipped({"demo/__init__.py": b""})) is None
    assert await read(zipped({})) is None


async def test_an_archive_that_is_told_in_64_bits() -> None:
    """Counts, sizes and offsets in 64 bits are found, also after a prefix."""
    wide = struct.pack("<HHQQQ", 1, 24, len(CONTENT), len(CONTENT), 0)
    other = struct.pack("<HH3s", 0x5455, 3, b"abc")
    large = entry(size=0xFFFFFFFF, packed_size=0xFFFFFFFF, offset=0xFFFFFFFF, extra=other + wide)
    for data in (archive64([large]), b"prefix" + archive64([large]), archive64([entry()])):
        assert await read(data) == CONTENT
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w") as made,
        made.open(METADATA, "w", force_zip64=True) as member,
    ):
        member.write(CONTENT)
    assert await read(buffer.getvalue()) == CONTENT


async def test_sizes_that_follow_the_content() -> None:
    """A stream's local header does not have them; the directory does."""

    class Stream(io.RawIOBase):
        """A stream for bytes, without seeking."""

        def __init__(self) -> None:
            self.content = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.content += bytes(data)
            return len(data)

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(METADATA, CONTENT)
    assert await read(stream.content) == CONTENT


async def test_a_long_local_header() -> None:
    """A local header's extra fields may be longer than those of the directory."""
    extra = b"\xfe\xca" + struct.pack("<H", 30_000) + b"x" * 30_000
    assert await read(archive([entry()], local(extra=extra))) == CONTENT


MALFORMED = {
    "nothing": b"",
    "a page": b"<html>404</html>",
    "zeros": b"\0" * 100,
    "tar": b"demo-1.0/" + b"\0" * 1000,
    "cut off": zipped({METADATA: CONTENT})[:-1],
    "only its beginning": zipped({METADATA: CONTENT})[:200],
    "something behind it": zipped({METADATA: CONTENT}) + b"\n",
    "directory before the file": archive([entry()], size=100_000),
    "directory behind its end": archive([entry()], offset=100_000),
    "directory longer than told": archive([entry()], size=90),
    "more members than told": archive([entry(), entry(b"x")], count=1),
    "fewer members than told": archive([entry()], count=2),
    "no members, but told": archive([], count=1),
    "several volumes": archive([entry()], disk=1),
    "a member on another volume": archive([entry(disk=3)]),
    "an entry that is none": archive([b"PK\x01\x03" + entry()[4:]]),
    "a name beyond the directory": archive([entry()[:28] + b"\xff\xff" + entry()[30:]]),
    "a member behind the directory": archive([entry(offset=50_000)]),
    "a member that is too long": archive([entry(packed_size=50_000)]),
    "64 bits that contradict": archive64([entry()], short=(7, 0xFFFFFFFF, 0xFFFFFFFF)),
    "64 bits that are elsewhere": archive([entry()])[:-22]
    + struct.pack("<4sLQL", b"PK\x06\x07", 0, 9, 1)
    + archive([entry()])[-22:],
    "64 bits that are cut off": archive([entry(size=0xFFFFFFFF, extra=b"\1\0\4\0abcd")]),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_archive(data: bytes) -> None:
    """An invalid archive is one typed error when it is opened."""
    with pytest.raises(MalformedArchive):
        await ZipArchive.open(BytesSource(data))


BAD_MEMBERS = {
    "encrypted": archive([entry(flags=1)]),
    "encrypted, says its own header": archive([entry()], local(flags=1)),
    "LZMA": archive([entry(method=14)], local(method=14)),
    "a method of its own": archive([entry()], local(method=8)),
    "another name": archive([entry()], local(b"x" * len(METADATA))),
    "a longer name": archive([entry()], local(METADATA.encode() + b"/x")),
    "elsewhere": archive([entry(offset=10)]),
    "another checksum": archive([entry(crc=1)], local(crc=1)),
    "another checksum than its own": archive([entry(crc=1)]),
    "another size than its own": archive([entry(size=9, packed_size=9)]),
    "shorter than told": archive([entry(size=len(CONTENT) + 9)], local(size=len(CONTENT) + 9)),
    "longer than told": archive(
        [entry(packed=deflated(CONTENT), size=9, method=8)],
        local(packed=deflated(CONTENT), size=9, method=8),
    ),
    "cut off": archive(
        [entry(packed=deflated(CONTENT)[:-3], size=len(CONTENT), method=8)],
        local(packed=deflated(CONTENT)[:-3], size=len(CONTENT), method=8),
    ),
    "something behind it": archive(
        [entry(packed=deflated(CONTENT) + b"x", size=len(CONTENT), method=8)],
        local(packed=deflated(CONTENT) + b"x", size=len(CONTENT), method=8),
    ),
    "damaged": archive(
        [entry(packed=b"\xff" * 90, size=900, method=8)],
        local(packed=b"\xff" * 90, size=900, method=8),
    ),
    "into the directory": archive([entry()], local(extra=b"x" * 99)[: len(local())]),
    "twice": archive([entry(), entry()]),
}


@pytest.mark.parametrize("data", BAD_MEMBERS.values(), ids=BAD_MEMBERS)
async def test_a_member_that_lies(data: bytes) -> None:
    """The local header and the content must match the directory."""
    with pytest.raises(MalformedArchive):
        await read(data)


async def test_members_of_one_name() -> None:
    """Equal names are an error only if the name is requested."""
    data = archive([entry(), entry(b"x.py"), entry(b"x.py")])
    found = await ZipArchive.open(BytesSource(data))
    assert len(found.members) == 3
    assert found.find(METADATA)
    with pytest.raises(MalformedArchive, match="2 members"):
        found.find("x.py")


async def test_names_are_only_names() -> None:
    """Absolute paths, parent directories and undecodable bytes are ordinary names."""
    names = [b"/etc/passwd", b"../../x", b"C:\\x", b"a\0b", b"\xff\xfe", b"", b"x" * 60_000]
    found = await ZipArchive.open(BytesSource(archive([entry(n, flags=0x800) for n in names])))
    expected = ["/etc/passwd", "../../x", "C:\\x", "a\0b", "\ufffd\ufffd", "", "x" * 60_000]
    assert [member.name for member in found.members] == expected


async def test_bombs() -> None:
    """Large members and highly compressed ones are not unpacked, whatever their announced size.

    Unpacking stops if a member exceeds its announced size.
    """
    bomb = deflated(b"\0" * 20_000_000)
    assert len(bomb) * MAX_RATIO < 20_000_000
    for size, error in ((20_000_000, ArchiveTooLarge), (900_000, MalformedArchive)):
        made = [entry(packed=bomb, size=size, method=8)], local(packed=bomb, size=size, method=8)
        with pytest.raises(error):
            await read(archive(*made), most=30_000_000)
    with pytest.raises(ArchiveTooLarge, match="more than 900 bytes"):
        await read(zipped({METADATA: CONTENT}), most=900)


async def test_links_are_only_files() -> None:
    """A symbolic link is a file with the text of its target; nothing is followed or unpacked."""
    link = zipfile.ZipInfo(METADATA)
    link.create_system, link.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(link, "/etc/passwd")
    assert await read(buffer.getvalue()) == b"/etc/passwd"


async def test_an_archive_that_contains_an_archive() -> None:
    """The outer archive's directory is read, even if the inner one is stored at the file's end."""
    inner = zipped({"x.py": b"inner"})
    data = zipped({"x.py": b"outer", "inner.zip": inner}, method=zipfile.ZIP_STORED)
    assert await read(data, "x.py") == b"outer"
    assert await read(data, "inner.zip") == inner
    with pytest.raises(MalformedArchive):
        await read(zipped({"x.py": b"outer"}, comment=b"c") + inner[:-1], "x.py")


async def test_members_that_share_their_content() -> None:
    """Many entries for one large content: only those of its own name are unpacked."""
    size, content = 900_000, b"\0" * 900_000
    packed, crc = deflated(content), zlib.crc32(content)
    entries = [
        entry(b"%d" % number, packed=packed, size=size, method=8, crc=crc) for number in range(500)
    ]
    own = local(b"7", packed, size=size, method=8, crc=crc)
    found = await ZipArchive.open(BytesSource(archive(entries, own)))
    unpacked = 0
    for member in found.members:
        try:
            unpacked += len(await found.read(member, MOST))
        except MalformedArchive:
            continue
    assert unpacked == size


async def test_a_directory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million members are refused before they are created; so is a too long directory."""
    directory = b"".join(entry(b"%d" % number) for number in range(1000)) * 1000
    million = 1_000_000
    for data in (
        archive64([directory], count=million),
        archive64([directory], count=999),
        archive([directory], count=million),
    ):
        source = Counted(data)
        with pytest.raises(ArchiveTooLarge):
            await ZipArchive.open(source)
        assert source.bytes_read < 100_000  # only what says how large it is
    monkeypatch.setattr(zip_directory, "MAX_DIRECTORY", 10**9)
    with pytest.raises(ArchiveTooLarge, match="more than 200000 members"):
        await ZipArchive.open(BytesSource(archive([directory], count=million)))


@pytest.mark.parametrize("start", [zipped({METADATA: CONTENT, "x": b""}), archive64([entry()])])
@given(st.data())
async def test_any_damage_is_a_typed_error(start: bytes, data: st.DataObject) -> None:
    """Bytes are changed, removed or inserted: the content is correct, or there is a typed error."""
    changed = bytearray(start)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert", "far"])):
            case "change":
                changed[place] = data.draw(st.integers(0, 255))
            case "cut":
                del changed[place : place + data.draw(st.integers(1, 40))]
            case "insert":
                changed[place:place] = data.draw(st.binary(max_size=20))
            case _:
                changed[place : place + 4] = b"\xff\xff\xff\xff"
        changed = changed or bytearray(b"x")
    try:
        content = await read(bytes(changed))
    except (MalformedArchive, ArchiveTooLarge):
        return
    assert content is None or zlib.crc32(content) == zlib.crc32(CONTENT)


@given(st.binary(max_size=200))
async def test_any_bytes_are_refused(data: bytes) -> None:
    """Any bytes that are not an archive are a typed error."""
    for content in (data, data + archive([])[-22:], archive([data])):
        try:
            await ZipArchive.open(BytesSource(content))
        except (MalformedArchive, ArchiveTooLarge):
            continue
