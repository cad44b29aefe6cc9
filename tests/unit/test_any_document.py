"""Every parser of a registry's documents raises only typed errors, for any input."""

import asyncio
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.crates.crate_file import read_links
from ssc_ingest.ecosystems.crates.dump import Dump
from ssc_ingest.ecosystems.crates.feed import parse_feed
from ssc_ingest.ecosystems.crates.identity import reference as crate
from ssc_ingest.ecosystems.crates.index import parse_index
from ssc_ingest.ecosystems.maven.index.properties import parse_properties
from ssc_ingest.ecosystems.maven.metadata import parse_metadata
from ssc_ingest.ecosystems.maven.pom.model import parse_pom
from ssc_ingest.ecosystems.npm import Npm
from ssc_ingest.ecosystems.npm import feed as npm_feed
from ssc_ingest.ecosystems.nuget import catalog
from ssc_ingest.ecosystems.nuget.identity import reference as nuget
from ssc_ingest.ecosystems.nuget.nuspec import read_repository
from ssc_ingest.ecosystems.nuget.registration import Index, PageDocument, parse, releases
from ssc_ingest.ecosystems.nuget.requirements import RequirementReader as NuGetReader
from ssc_ingest.ecosystems.pypi.metadata import parse_json_document, parse_metadata_file
from ssc_ingest.ecosystems.pypi.requirements import requirements_of
from ssc_ingest.ecosystems.pypi.simple_index import parse_project_page
from ssc_ingest.ecosystems.repository_urls import clean_repository_url
from ssc_ingest.ecosystems.rubygems.api import (
    license_of,
    licenses_of,
    links_of,
    parse_gem,
    parse_releases,
    release_dates,
)
from ssc_ingest.ecosystems.rubygems.builds import RequirementReader as GemReader
from ssc_ingest.ecosystems.rubygems.identity import reference as gem
from ssc_ingest.ecosystems.rubygems.info import parse_info, without_line
from ssc_ingest.ecosystems.rubygems.lists import Lists
from ssc_ingest.ecosystems.wire import read_json
from ssc_ingest.errors import IngestError
from ssc_ingest.http.responses import Response
from ssc_ingest.models import VersionName, now
from tests.properties import examples

URL = "https://registry.example/x"
DATE = "2020-01-01T00:00:00Z"
LINKS = {"repository": {"url": "git+https://github.com/a/b"}, "homepage": "https://x.example"}


def packument(body: bytes) -> None:
    """Read everything that the program uses of a packument."""
    Npm._read(Npm.ref("x"), Response(URL, 200, body, {}), now())


def index(body: bytes) -> None:
    """Read a crate's file of the index."""
    parse_index(body, crate("x"), URL)


def registration(body: bytes) -> None:
    """Read a document as an index and as a page."""
    ref = nuget("x")
    with suppress(IngestError):
        releases(parse(PageDocument, body, ref, URL).leaves, ref, URL)
    found = parse(Index, body, ref, URL)
    assert found.stamp is None or found.stamp
    leaves = [leaf for page in found.pages for leaf in page.leaves or ()]
    entries = releases(leaves, ref, URL)
    reader = NuGetReader("x")
    for entry in entries.values():
        _ = entry.release_date, entry.first_author, entry.license_text, entry.deprecated
        reader.read(entry)


def builds(body: bytes) -> None:
    """Dates, licences and links of a gem."""
    found = parse_releases(body, URL)
    release_dates(found)
    licenses_of(found)
    clean_repository_url(links_of(found, VersionName("1")))


def gem_document(body: bytes) -> None:
    """Links and licences of a gem's latest version."""
    found = parse_gem(body, "x", URL)
    list(found.addresses())
    license_of(found.licenses)


def info(body: bytes) -> None:
    """Read a gem's file of the compact index."""
    found = parse_info(body, gem("x"), URL)
    reader = GemReader("x")
    for release in found.values():
        reader.read(release)
    without_line([VersionName("1")], body)


def lists(body: bytes) -> None:
    """Read the compact index's lists."""
    found = Lists(io.BytesIO(body), URL)
    list(found.names())
    for line in found.latest_lines(len(found.head())):
        _ = line.change


def metadata_file(body: bytes) -> None:
    """Read a release's metadata file."""
    requirements_of(parse_metadata_file(body, URL).requires_dist or ())


def release(body: bytes) -> None:
    """Read a document of PyPI's JSON API."""
    _, found = parse_json_document(body, URL)
    clean_repository_url(found.links)
    requirements_of(found.requires_dist or ())


def feed_page(body: bytes) -> None:
    """Read a page of npm's feed."""
    npm_feed._number(read_json(npm_feed._Page, body, URL).last_seq, URL)


def events(body: bytes) -> None:
    """Read a document of NuGet's catalog."""
    items = catalog.parse(catalog.CatalogPage, body, URL).items
    catalog.changes_of(items)
    catalog.names_of(items)


def dump(body: bytes) -> None:
    """Read a dump of crates.io."""
    list(Dump(io.BytesIO(body), URL).events())


def leaf(**fields: Any) -> dict[str, Any]:
    """A version of a NuGet registration."""
    dependencies = [{"id": "a", "range": "[1.0, )"}]
    groups = [{"targetFramework": "net8.0", "dependencies": dependencies}, {}]
    alternate = {"id": "y", "range": "*"}
    deprecation = {"message": "no", "reasons": ["Legacy"], "alternatePackage": alternate}
    entry = {"id": "x", "version": "1.0.0", "published": DATE, "listed": True}
    entry |= {"licenseExpression": "MIT", "licenseUrl": "https://x.example"}
    entry |= {"dependencyGroups": groups, "deprecation": deprecation, "authors": ["a"]}
    return {"catalogEntry": {**entry, **fields}}


DOCUMENTS: dict[str, tuple[Callable[[bytes], object], Any]] = {
    "npm packument": (
        packument,
        {
            "name": "x",
            "versions": {
                "1.0.0": {
                    "dependencies": {"a": "^1", "c": "npm:d@1"},
                    "bundleDependencies": ["b"],
                    "optionalDependencies": {"e": "next"},
                    "peerDependencies": {"f": ">=1"},
                    "peerDependenciesMeta": {"f": {"optional": True}},
                    "engines": {"node": ">=18"},
                    "os": ["linux"],
                    "cpu": ["!arm"],
                    "license": {"type": "MIT"},
                    "licenses": ["ISC"],
                    "deprecated": "use g",
                    **LINKS,
                },
                "2.0.0": {},
            },
            "dist-tags": {"latest": "1.0.0"},
            "time": {"1.0.0": DATE},
            **LINKS,
        },
    ),
    "npm feed": (feed_page, {"results": [{"id": "x", "deleted": True}], "last_seq": 5}),
    "crates index": (
        index,
        {"name": "x", "vers": "1.0.0", "cksum": "0", "yanked": False, "pubtime": DATE, "v": 1,
         "deps": [{"name": "a", "req": "^1", "kind": "normal", "optional": True, "package": "b",
                   "features": ["c"], "default_features": False, "target": "cfg(unix)"}],
         "features": {"d": ["c"]}, "features2": {"d": ["dep:a"]}},
    ),
    "NuGet registration": (
        registration,
        {"commitTimeStamp": DATE, "items": [{"@id": "p", "items": [leaf(), leaf(version="2.0")]}]},
    ),
    "NuGet catalog": (
        events,
        {"commitTimeStamp": DATE, "count": 1, "items": [{"@type": "nuget:PackageDetails",
         "commitTimeStamp": DATE, "nuget:id": "x", "nuget:version": "1.0"}]},
    ),
    "gem versions": (
        builds,
        [{"number": "1", "platform": "ruby", "created_at": DATE, "licenses": ["MIT"],
          "metadata": {"source_code_uri": "https://github.com/a/b"}}],
    ),
    "gem": (gem_document, {"name": "x", "source_code_uri": "https://github.com/a/b",
                           "version": "1", "licenses": ["MIT"]}),
    "PyPI page": (
        lambda body: parse_project_page(body, URL, "x"),
        {"name": "x", "meta": {"api-version": "1.4", "_last-serial": 5}, "versions": ["1.0"],
         "files": [{"filename": "x-1.0-py3-none-any.whl", "url": "x", "yanked": False,
                    "upload-time": DATE, "core-metadata": {"sha256": "0"}}],
         "project-status": {"status": "active"}},
    ),
    "PyPI JSON": (
        release,
        {"info": {"name": "x", "version": "1.0", "home_page": "https://github.com/a/b",
                  "project_urls": {"Source": "https://github.com/a/b"},
                  "requires_dist": ["a>=1; os_name == 'nt'"]}},
    ),
}  # fmt: skip

TEXTS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "gem info": (
        info,
        b"---\n1.0-java a:>= 1&< 2,b:~> 1|checksum:0,ruby:< 2,created_at:2020-01-01\n1.0 |c:d\n",
    ),
    "gem lists": (lists, b"created_at: x\n---\na 1.0,1.1-java 0123456789abcdef0123456789abcdef\n"),
    "PyPI metadata": (
        metadata_file,
        (
            b"Metadata-Version: 2.1\nName: x\nVersion: 1\nProject-URL: Source, https://github.com/a/b\n"
            b"Requires-Dist: a>=1; os_name == 'nt' and 'x' in extras\nRequires-Dist: b (>dev)\n\nx"
        ),
    ),
    "POM": (
        lambda body: parse_pom(body, URL),
        (
            b"<project><parent><groupId>a</groupId></parent><properties><v>1</v></properties>"
            b"<dependencies><dependency><groupId>a</groupId><artifactId>b</artifactId>"
            b"<version>${v}</version></dependency></dependencies></project>"
        ),
    ),
    "Maven metadata": (
        lambda body: parse_metadata(body, "a:b", URL),
        (
            b"<metadata><groupId>a</groupId><artifactId>b</artifactId><versioning><latest>1</latest>"
            b"<versions><version>1</version></versions><lastUpdated>20200101000000</lastUpdated>"
            b"</versioning></metadata>"
        ),
    ),
    "Maven properties": (
        lambda body: parse_properties(body, URL),
        (
            b"nexus.index.chain-id=1\nnexus.index.timestamp=20181029012159.470 +0000\n"
            b"nexus.index.last-incremental=5\nnexus.index.incremental-0=5\n"
        ),
    ),
    "nuspec": (
        lambda body: read_repository(body, URL),
        b"<package><metadata><repository url='https://github.com/a/b'/></metadata></package>",
    ),
    "crates feed": (
        lambda body: parse_feed(body, URL),
        (
            b"<rss xmlns:c='https://crates.io/'><channel><item><c:name>x</c:name>"
            b"<c:version>1</c:version><pubDate>Wed, 01 Jan 2020 00:00:00 +0000</pubDate></item>"
            b"</channel></rss>"
        ),
    ),
    "crate file": (lambda body: asyncio.run(read_links(body, "x", "1")), b"\x1f\x8b\x08\x00"),
    "crates dump": (dump, b"\x1f\x8b\x08\x00"),
}

ODD: list[Any] = [
    None, True, 0, -1, 2**70, 1.5, "", " ", "x", ".", "..", "1.0.0", "\0", "\u200b", "\u0130", "@",
    "\ud83d", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2020-02-30T00:00:00Z",
    "soon", "9" * 5000, "(" * 2000, "https://[::1", "x" * 3000, "git+https://user@github.com:a/b.git",
    [], {}, [None], [[]], {"": None}, {"x": {}}, [5], ["x", None],
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values of a document, including the root."""
    yield path
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield from places(item, (*path, key))


def changed(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The document with another value at a path."""
    if not path:
        return other
    key, *rest = path
    inner = changed(value[key], tuple(rest), other)
    if isinstance(value, dict):
        return {**value, key: inner}
    return [*value[:key], inner, *value[key + 1 :]]


def renamed(value: Any, path: tuple[Any, ...], name: str) -> Any:
    """The document with another key at a path, if there is an object."""
    if not path:
        return value
    *outer, key = path
    inside = value
    for each in outer:
        inside = inside[each]
    if not isinstance(inside, dict):
        return value
    others = {name if k == key else k: v for k, v in inside.items()}
    return changed(value, tuple(outer), others)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_one_odd_value_anywhere(kind: str) -> None:
    """Each odd value replaces each field, entry and key in turn."""
    read, document = DOCUMENTS[kind]
    read(json.dumps(document).encode())
    for path in places(document):
        for odd in ODD:
            with suppress(IngestError):
                read(json.dumps(changed(document, path, odd)).encode())
            if isinstance(odd, str):
                with suppress(IngestError):
                    read(json.dumps(renamed(document, path, odd)).encode())


@pytest.mark.parametrize(
    "unread", [b'"\\ud83d"', b'"\xff\xfe"', b'"\x01"', b"[" * 5000 + b"]" * 5000, b"9" * 5000,
               b'{"a":' * 300 + b"1" + b"}" * 300, b"NaN"]
)  # fmt: skip
@pytest.mark.parametrize("kind", [kind for kind in DOCUMENTS if kind != "gem versions"])
def test_fields_that_nobody_reads_cost_nothing(kind: str, unread: bytes) -> None:
    """Unused fields may have halves of characters, foreign bytes, deep nesting, huge numbers."""
    read, document = DOCUMENTS[kind]
    read(json.dumps(document).encode()[:-1] + b', "readme": ' + unread + b"}\n")


@pytest.mark.parametrize("kind", [*DOCUMENTS, *TEXTS])
@examples(1.5)
@given(data=st.data())
def test_any_bytes_anywhere(kind: str, data: st.DataObject) -> None:
    """A part of the document is replaced by arbitrary bytes."""
    if kind in TEXTS:
        read, body = TEXTS[kind]
    else:
        read, document = DOCUMENTS[kind]
        body = json.dumps(document).encode()
    pieces = st.binary(max_size=8) | st.text("{}[]\":,<>&-|\n\\u0d8 '();@", max_size=8).map(
        str.encode
    )
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(len(body), start + 30)))
        body = body[:start] + data.draw(pieces) + body[end:]
    with suppress(IngestError):
        read(body)
