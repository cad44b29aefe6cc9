"""NuGet's manifests: their repository, and broken ones."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.nuget.nuspec import read_repository
from ssc_ingest.errors import MalformedMetadata

URL = "https://registration.example/demo/index.json"

NAMESPACE = "http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"


def nuspec(inside: str, namespace: str = f' xmlns="{NAMESPACE}"') -> bytes:
    """A manifest with these elements in its metadata."""
    return f"<package{namespace}><metadata><id>Demo</id>{inside}</metadata></package>".encode()


REPOSITORY = '<repository type="git" url="https://github.com/o/demo.git" commit="1" />'


@pytest.mark.parametrize(
    ("body", "address"),
    [
        (nuspec(REPOSITORY), "https://github.com/o/demo.git"),
        (nuspec(REPOSITORY, ""), "https://github.com/o/demo.git"),
        (codecs.BOM_UTF8 + nuspec(REPOSITORY), "https://github.com/o/demo.git"),
        (
            codecs.BOM_UTF8 + b'<?xml version="1.0" encoding="utf-8"?>\n' + nuspec(REPOSITORY),
            "https://github.com/o/demo.git",
        ),
        (
            '<?xml version="1.0" encoding="utf-16"?>'.encode("utf-16")
            + nuspec(REPOSITORY).decode().encode("utf-16-le"),
            "https://github.com/o/demo.git",
        ),
        (nuspec('<repository type="git" />'), None),
        (nuspec("<projectUrl>https://github.com/o/demo</projectUrl>"), None),
        (nuspec(f"<!-- {REPOSITORY} -->"), None),
        (nuspec(f"<dependencies>{REPOSITORY}</dependencies>"), None),
        (b"<package/>", None),
    ],
)
def test_repository_of_a_nuspec(body: bytes, address: str | None) -> None:
    """The repository is read for every schema namespace, byte order mark and encoding."""
    assert read_repository(body, URL) == address


BILLION = (
    b'<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"<html></html>", b"<package>", nuspec(REPOSITORY)[:-5], b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="no-such"?>' + nuspec(REPOSITORY),
        b'<!DOCTYPE package SYSTEM "file:///etc/passwd">' + nuspec(REPOSITORY),
        b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + nuspec("&x;"),
        BILLION + nuspec('<repository url="&c;"/>'), nuspec("&undeclared;"),
        b"<a>" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_nuspec_is_malformed(body: bytes) -> None:
    """A truncated or other document, or one with a document type declaration, is an error."""
    with pytest.raises(MalformedMetadata) as problem:
        read_repository(body, URL)
    assert len(str(problem.value)) < 300


@given(st.binary(max_size=60))
def test_any_bytes_are_a_nuspec_or_malformed(body: bytes) -> None:
    """Every document is read, or raises the typed error."""
    try:
        read_repository(nuspec("")[: len(body)] + body, URL)
    except MalformedMetadata:
        return
