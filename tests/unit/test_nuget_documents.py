"""NuGet's registrations: recorded ones and broken ones."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ssc_ingest.ecosystems.nuget import NuGet
from ssc_ingest.ecosystems.nuget.registration import (
    CatalogEntry,
    Index,
    PageDocument,
    parse,
    releases,
)
from ssc_ingest.ecosystems.nuget.requirements import RequirementReader, Requirements
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import VersionName
from tests.unit.nuget_readers import selected

URL = "https://registration.example/demo/index.json"
REF = NuGet.ref("Demo")


def leaf(**fields: Any) -> dict[str, Any]:
    """A leaf for version 1.0.0 of the package ``Demo``, with some fields changed."""
    whole = {"id": "Demo", "version": "1.0.0", "listed": True, **fields}
    return {"@id": "x", "catalogEntry": {k: v for k, v in whole.items() if v is not ...}}


def index(*leaves: dict[str, Any]) -> bytes:
    """A registration index with these leaves."""
    return json.dumps({"count": 1, "items": [{"@id": "p", "items": leaves}]}).encode()


def entry(**fields: Any) -> Any:
    """The parsed entry of that leaf."""
    (page,) = parse(Index, index(leaf(**fields)), REF, URL).pages
    (found,) = releases(page.leaves or (), REF, URL).values()
    return found


def read(*groups: dict[str, Any] | None) -> Requirements:
    """What a version with these dependency groups requires."""
    reader = RequirementReader("demo")
    found = reader.read(entry(dependencyGroups=groups))
    reader.report()
    return found


def requirements_of(*groups: dict[str, Any] | None) -> dict[str, str] | None:
    """Constraint by purl of a version with these dependency groups."""
    found = read(*groups).found
    return None if found is None else {r.package.purl: r.constraints for r in found}


def versions_in(body: bytes) -> list[VersionName]:
    """The readable versions of an index."""
    pages = parse(Index, body, REF, URL).pages
    return list(releases([leaf for page in pages for leaf in page.leaves or ()], REF, URL))


def test_ids_are_in_the_lower_case_of_the_invariant_culture() -> None:
    """By character: a dotted capital I has no lower case there, and stays."""
    ref = NuGet.ref("\u0130O.\u00c5\u1e9e")
    assert ref.name == "\u0130o.\u00e5\u00df"
    assert NuGet.ref(ref.name).purl == ref.purl


# Entries --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("published", "date"),
    [
        ("2017-10-05T18:40:32.43+00:00", datetime(2017, 10, 5, 18, 40, 32, 430_000, UTC)),
        ("2014-09-26T17:57:31.5009055Z", datetime(2014, 9, 26, 17, 57, 31, 500_905, UTC)),
        ("2020-01-01T00:00:00+02:00", datetime(2019, 12, 31, 22, tzinfo=UTC)),
        ("2020-01-01T00:00:00", datetime(2020, 1, 1, tzinfo=UTC)),
        # "On nuget.org, the published value is set to year 1900 when the package is unlisted."
        ("1900-01-01T00:00:00+00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (..., None),
    ],
)
def test_release_date(published: Any, date: datetime | None) -> None:
    """The date is in UTC, and unknown if the registry dropped it."""
    assert entry(published=published).release_date == date


@pytest.mark.parametrize(
    ("authors", "first"),
    [
        ("James Newton-King", "James Newton-King"),
        (" Microsoft , xunit", "Microsoft"),
        (["A B", "C"], "A B"),
        ([5, "", "C, D"], "C"),
        (", ,", None),
        ("", None),
        (5, None),
        ({"a": 1}, None),
        (None, None),
    ],
)
def test_first_author(authors: Any, first: str | None) -> None:
    """The specification says "string or array of strings"; other types count as absent."""
    assert entry(authors=authors).first_author == first


@pytest.mark.parametrize(
    ("listed", "is_listed"), [(True, True), (False, False), (None, True), (..., True)]
)
def test_listed_unless_said_otherwise(listed: Any, is_listed: bool) -> None:  # noqa: FBT001
    """The specification says that it "should be considered as listed if absent"."""
    assert (entry(listed=listed).listed is not False) is is_listed


def test_spellings_of_one_release_are_one() -> None:
    """Leading zeros, four numbers, build metadata and case make no new version."""
    leaves = [
        leaf(version=v) for v in ("1.0", "1.0.0.0", "1.00.0+a", "1.0.0-RC", "1.0.0-rc", "1.0.0.1")
    ]
    (page,) = parse(Index, index(*leaves), REF, URL).pages
    assert page.leaves
    found = releases(page.leaves, REF, URL)
    assert {name: entry.version for name, entry in found.items()} == {
        "1.0.0": "1.0",
        "1.0.0-RC": "1.0.0-RC",
        "1.0.0.1": "1.0.0.1",
    }


# Requirements ---------------------------------------------------------------------------


def group(framework: str | None = None, **ranges: str | None) -> dict[str, Any]:
    """A dependency group; a range of ``None`` is left out."""
    dependencies = [
        {"id": name.replace("_", "."), **({} if text is None else {"range": text})}
        for name, text in ranges.items()
    ]
    target = {} if framework is None else {"targetFramework": framework}
    return {**target, "dependencies": dependencies}


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        ((), {}),
        ((None,), None),  # unreadable: unknown, not none
        ((group(a="[1.0, )"), 5), None),
        (({"dependencies": 5},), None),
        (({},), {}),
        (({"targetFramework": "net6.0"},), {}),
        (({"targetFramework": "net6.0", "dependencies": None},), {}),
        ((group(A_B="[1.0, )"),), {"pkg:nuget/a.b": "[1.0.0, )"}),
        ((group("net6.0", a="[1.0, )"),), {"pkg:nuget/a": "[1.0.0, )"}),
        ((group(a=None),), {"pkg:nuget/a": "any"}),
        ((group(a=""),), {"pkg:nuget/a": "any"}),
        # all target frameworks: the union
        (
            (group(".NETFramework4.6.2", a="[1.0, )"), group("net8.0", b="[2.0]")),
            {"pkg:nuget/a": "[1.0.0, )", "pkg:nuget/b": "[2.0.0]"},
        ),
        # the same package, in any case: equal ranges, and different ones
        ((group("x", a="[1.0, )"), group("y", A="[1.0.0, )")), {"pkg:nuget/a": "[1.0.0, )"}),
        ((group("x", a="[6.0.0, )"), group("y", a="[4.7.0, )")), {"pkg:nuget/a": "[4.7.0, )"}),
        ((group("x", a="[1.0]"), group("y", a="[2.0,3)")), {"pkg:nuget/a": "[1.0.0, 3.0.0)"}),
        ((group("x", a="[1.0]"), group("y", a=None)), {"pkg:nuget/a": "any"}),
        ((group(demo="(, 1.0)"),), {"pkg:nuget/demo": "(, 1.0.0)"}),
    ],
)
def test_which_dependencies_are_taken(groups: Any, found: Any) -> None:
    """Dependencies of all groups are taken, one per package."""
    assert requirements_of(*groups) == found


def test_requirement_that_cannot_be_a_package_is_left_out_and_told() -> None:
    """An invalid id is skipped with a warning; the other requirements stay."""
    with capture_logs() as logs:
        found = requirements_of({"dependencies": [{"id": "../x"}, {"id": "ok"}, {"id": ""}]})
    assert found == {"pkg:nuget/ok": "any"}
    assert [(log["event"], log["requirements"]) for log in logs] == [
        ("requirements_skipped", ["", "../x"])
    ]


# Documents ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b"<html></html>", b"\xff\xfe", b"[" * 100_000,
        index(leaf())[:-5],
        b'{"items": 5}', b'{"items": {}}', b'{"items": [5]}', b'{"items": [{"items": []}]}',
        b'{"items": [{"@id": 5}]}', b'{"items": [{"@id": "p", "items": {}}]}',
        b'{"items": [{"@id": "p", "items": [{}]}]}', index(leaf(version=...)), index(leaf(id=...)),
        index(leaf(version=1)), index(leaf(version="")), index(leaf(version="1/..")),
        index(leaf(version="1\n")), index(leaf(version="1" * 300)),
    ],
)  # fmt: skip
def test_what_is_no_registration_is_malformed(body: bytes) -> None:
    """Errors, truncation, missing keys and wrong types are never "no versions"."""
    with pytest.raises(MalformedMetadata) as problem:
        versions_in(body)
    assert problem.value.url == URL
    assert len(str(problem.value)) < 300


@pytest.mark.parametrize("bad", [5, None, {}, leaf(version=None), leaf(id="Other"), leaf(id=5)])
def test_one_bad_leaf_costs_itself(bad: Any) -> None:
    """The others are read, and the bad one is logged once per package."""
    with capture_logs() as logs:
        assert versions_in(index(leaf(), bad, leaf(version="2.0.0"))) == ["1.0.0", "2.0.0"]
    assert [(log["event"], log["count"]) for log in logs] == [("entries_skipped", 1)]


@pytest.mark.parametrize(
    "fields",
    [
        {"listed": "maybe"},
        {"listed": None},
        {"published": 5},
        {"published": "0001-01-01T00:00:00+01:00"},
    ],
)
def test_a_field_of_the_wrong_type_counts_as_absent(fields: dict[str, Any]) -> None:
    """The version stays."""
    found = entry(**fields)
    assert (found.listed in {None, True}, found.release_date) == (True, None)


@pytest.mark.parametrize("bad", [{}, {"range": "[1.0.0, )"}, {"id": 5}, {"id": " "}, 5, None])
def test_one_bad_dependency_costs_itself(bad: Any) -> None:
    """A dependency without a valid package is skipped; the others stay."""
    assert requirements_of({"dependencies": [bad, {"id": "a", "range": "[2.0.0, )"}]}) == {
        "pkg:nuget/a": "[2.0.0, )"
    }


@pytest.mark.parametrize(
    ("range_", "constraints"),
    [(["[1.0.0, )", "[2.0.0, )"], "[1.0.0, )"), ([], "any"), ([5], "any"), ({}, "any"), (5, "any")],
)
def test_ranges_in_every_shape(range_: Any, constraints: str) -> None:
    """Several ranges become the smallest one around them; other types mean any version."""
    found = requirements_of({"dependencies": [{"id": "a", "range": range_}]})
    assert found == {"pkg:nuget/a": constraints}


def test_registration_of_another_package_is_malformed() -> None:
    """A package must not get the versions of another."""
    (page,) = parse(Index, index(leaf(id="Other")), REF, URL).pages
    assert page.leaves
    with pytest.raises(MalformedMetadata, match="'Other'"):
        releases(page.leaves, REF, URL)


def test_page_without_items_is_malformed() -> None:
    """Only the index may omit the items of a page."""
    with pytest.raises(MalformedMetadata, match="items"):
        parse(PageDocument, b'{"@id": "p", "count": 64}', REF, URL)


@given(
    st.binary(max_size=60) | st.text('{}[]":,itemsversonlgEy@dI0.1\n ', max_size=60).map(str.encode)
)
def test_any_bytes_are_read_or_malformed(body: bytes) -> None:
    """Every document is read, or raises the typed error."""
    for broken in (body, index(leaf())[: len(body)] + body):
        try:
            parse(Index, broken, REF, URL)
        except MalformedMetadata:
            continue


# Recorded answers -----------------------------------------------------------------------

FOLDER = "_decoded/google__osv.dev~go~osv~ecosystem~testdata~TestNuGet_GetVersions"


def recorded(recordings: Path, name: str) -> dict[VersionName, CatalogEntry]:
    """The versions in all recorded documents of a package."""
    ref = NuGet.ref(name)
    found: dict[VersionName, CatalogEntry] = {}
    for path in sorted((recordings / FOLDER).glob(f"*_{ref.name}_*")):
        body = path.read_bytes()
        if "_page_" in path.name:
            leaves = list(parse(PageDocument, body, ref, URL).leaves)
        else:
            pages = parse(Index, body, ref, URL).pages
            leaves = [leaf for page in pages for leaf in page.leaves or ()]
        found.update(releases(leaves, ref, URL))
    return found


FACTS = [
    # package, number of "catalogEntry" in its documents, highest stable version, and a version
    # with the dependencies of all its target frameworks, by hand
    ("NuGet.Server.Core", 13, "3.4.2", "3.4.2", {
        "microsoft.web.xdt": "[2.1.1, )", "newtonsoft.json": "[13.0.1, )",
        "nuget.core": "[2.14.0, )"}),
    # net6.0 wants [6.0.0, ) of the first, .NETStandard2.0 and 2.1 want [4.7.0, )
    ("Castle.Core", 34, "5.2.1", "5.2.1", {
        "system.diagnostics.eventlog": "[4.7.0, )", "system.reflection.emit": "[4.7.0, )"}),
    # none for net6.0 and later, three for .NETFramework4.6.2, two for the others
    ("Serilog", 64 * 9 + 17, "4.3.1", "4.3.1", {
        "system.diagnostics.diagnosticsource": "[8.0.1, )",
        "system.threading.channels": "[8.0.0, )", "system.valuetuple": "[4.5.0, )"}),
]  # fmt: skip


@pytest.mark.recordings
@pytest.mark.parametrize(("name", "count", "latest", "version", "requirements"), FACTS)
def test_recorded_facts(  # noqa: PLR0917
    recordings: Path,
    name: str,
    count: int,
    latest: str,
    version: str,
    requirements: dict[str, str],
) -> None:
    """The facts are those that a person found in the recorded documents."""
    entries = recorded(recordings, name)
    assert len(entries) == count
    assert {entry.version for entry in entries.values()} == set(entries), "normalised already"
    stable = [v for v in NuGet.order((v, None) for v in entries) if not NuGet.is_prerelease(v)]
    assert stable[-1] == latest
    reader = RequirementReader(name)
    by_version = {version: reader.read(entry).found for version, entry in entries.items()}
    found = {r.package.name: r.constraints for r in by_version[VersionName(version)] or ()}
    assert found == requirements
    for each in by_version.values():
        assert each is not None
        for requirement in each:
            selected(requirement.constraints, ["1.0.0"])


@pytest.mark.recordings
def test_recorded_index_points_to_its_pages(recordings: Path) -> None:
    """Serilog has so many versions that its ten pages are separate documents."""
    (path,) = (recordings / FOLDER).glob("003_*")
    pages = parse(Index, path.read_bytes(), NuGet.ref("serilog"), URL).pages
    assert len(pages) == 10
    assert {page.leaves for page in pages} == {None}


@pytest.mark.recordings
def test_recorded_unlisted_version(recordings: Path) -> None:
    """One of 640 versions is unlisted, and NuGet.org dates it in the year 1900."""
    names = ("NuGet.Server.Core", "Castle.Core", "Serilog")
    entries = {(n, v): e for n in names for v, e in recorded(recordings, n).items()}
    assert len(entries) == 640
    unlisted = {key: e for key, e in entries.items() if e.listed is False}
    assert {(version, e.release_date) for (_, version), e in unlisted.items()} == {("3.2.0", None)}
    undated = [key for key, e in entries.items() if e.release_date is None]
    assert undated == list(unlisted)


@pytest.mark.recordings
def test_recorded_documents_of_other_kinds_are_malformed(recordings: Path) -> None:
    """A leaf, a catalog entry, a search response and a page of the catalog are errors."""
    folder = recordings / "aboutcode-org__purldb/minecode/tests"
    others = [
        *(folder / "testfiles/nuget").glob("*.json"),
        *(folder / "data/nuget").rglob("*.json"),
    ]
    assert len(others) == 4
    for path in others:
        with pytest.raises(MalformedMetadata):
            releases(parse(PageDocument, path.read_bytes(), REF, URL).leaves, REF, URL)


@pytest.mark.recordings
def test_recorded_answer_for_an_unknown_package(recordings: Path) -> None:
    """The response is XML with a byte order mark, and no registration."""
    (path,) = (recordings / "_decoded").glob("*NuGet_GetVersions_NotFound/*")
    body = path.read_bytes()
    assert b"BlobNotFound" in body
    with pytest.raises(MalformedMetadata):
        parse(Index, body, REF, URL)
