"""Zip files, entry by entry: the same contents as from the standard library, in bounded memory."""

import io
import struct
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.archives.zip_entries import ZipEntries
from ssc_ingest.errors import IngestError, RegistryUnavailable, ResponseTooLarge

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MEGABYTE = 1024 * 1024


def packed(
    files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b""
) -> Any:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer


def unpacked(file: Any, most: int = MEGABYTE) -> dict[str, bytes]:
    """The contents of the archive's entries, by name."""
    archive = ZipEntries(file, "x.zip")
    return {entry.name: archive.read(entry, most) for entry in archive}


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=40),
        st.binary(max_size=3000),
        max_size=20,
    ),
    st.sampled_from(METHODS),
    st.binary(max_size=60).filter(lambda comment: b"PK\5\6" not in comment),
)
def test_any_archive_is_read(files: dict[str, bytes], method: int, comment: bytes) -> None:
    """Archives with any names, sizes and comment give the same result as the standard library."""
    file = packed(files, method, comment)
    with zipfile.ZipFile(file) as standard:
        expected = {info.filename: standard.read(info) for info in standard.infolist()}
    assert unpacked(file) == expected


@pytest.mark.parametrize("comment", [b"PK\5\6", b"PK\5\6" + b"\0" * 30, b"x" * 21 + b"PK\5\6"])
def test_a_comment_that_looks_like_the_end(comment: bytes) -> None:
    """The end is the one whose comment reaches the end of the file."""
    assert unpacked(packed({"a": b"content"}, comment=comment)) == {"a": b"content"}


@given(st.binary(max_size=400))
def test_no_bytes_are_an_unexpected_error(data: bytes) -> None:
    """Any other bytes are a damaged archive."""
    with pytest.raises(IngestError):
        unpacked(io.BytesIO(data))


@given(st.data())
def test_damage_is_noticed(data: st.DataObject) -> None:
    """A changed or missing byte is an error, or does not change the contents."""
    files = {"a.json": b'{"id": "a"}' * 30, "b.json": b"b"}
    original = packed(files).getvalue()
    position = data.draw(st.integers(0, len(original) - 1))
    if data.draw(st.booleans()):
        damaged = original[:position]
    else:
        damaged = bytearray(original)
        damaged[position] ^= data.draw(st.integers(1, 255))
    try:
        found = unpacked(io.BytesIO(bytes(damaged)))
    except IngestError:
        return
    assert list(found.values()) == list(files.values())[: len(found)]


def test_a_truncated_archive_is_refused_at_once() -> None:
    """An archive's directory is at its end, so nothing of an incomplete download is read."""
    with pytest.raises(RegistryUnavailable, match="truncated"):
        ZipEntries(io.BytesIO(packed({"a": b"a" * 1000}).getvalue()[:-30]), "x.zip")


def test_large_contents_are_refused_before_they_are_unpacked() -> None:
    """Contents are refused by their announced size, and by their real size."""
    file = packed({"bomb": b"0" * (4 * MEGABYTE)})
    with pytest.raises(ResponseTooLarge):
        unpacked(file)
    lying = file.getvalue().replace(struct.pack("<L", 4 * MEGABYTE), struct.pack("<L", 10))
    with pytest.raises(RegistryUnavailable, match="announced size"):
        unpacked(io.BytesIO(lying))


def test_many_entries_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that announces too many entries is not read."""
    monkeypatch.setattr("ssc_ingest.archives.zip_entries.MAX_ENTRIES", 2)
    with pytest.raises(ResponseTooLarge):
        ZipEntries(packed({"a": b"", "b": b"", "c": b""}), "x.zip")


def test_archives_with_more_than_65535_entries() -> None:
    """Archives with more than 65,535 entries have ZIP64 fields."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        writer.writestr("first.json", b"[]")
        writer.writestr("last.json", b"{}")
        first, last = writer.filelist
        writer.filelist = [*[first] * 69_999, last]  # to write so many files takes seconds
    archive = ZipEntries(file, "x.zip")
    assert archive.count == 70_000
    entries = list(archive)
    assert len(entries) == 70_000
    assert archive.read(entries[0], 10) == b"[]"
    assert archive.read(entries[-1], 10) == b"{}"


def test_large_entries_of_zip64() -> None:
    """Sizes above 32 bits are in a separate field."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w") as archive,
        archive.open("x", "w", force_zip64=True) as file,
    ):
        file.write(b"content")
    assert unpacked(buffer) == {"x": b"content"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unknown_methods_are_refused(method: int) -> None:
    """No source compresses records with them."""
    with pytest.raises(RegistryUnavailable, match="unknown way"):
        unpacked(packed({"a": b"a" * 100}, method))
