"""PyPI's project pages; valid and wrong ones."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import urldefrag, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.pypi.distributions import wheel_rank
from ssc_ingest.ecosystems.pypi.simple_index import (
    ProjectPage,
    Release,
    file_address,
    parse_project_page,
)
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import VersionName

URL = "https://pypi.example.org/simple/demo/"
DIGEST = {"sha256": "ab" * 32}


def file(filename: str, **fields: Any) -> dict[str, Any]:
    """An entry of a page's ``files``."""
    url = f"https://files.example.org/packages/{filename}"
    return {"filename": filename, "url": url, "hashes": {}, "yanked": False, **fields}


def page(*files: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A page of the project ``demo``."""
    return {"meta": {"api-version": "1.4"}, "name": "demo", "files": list(files), **fields}


def parse(document: dict[str, Any]) -> ProjectPage:
    """Read a page from its bytes."""
    return parse_project_page(json.dumps(document).encode(), URL, "Demo")


# Pages --------------------------------------------------------------------------------------


def test_a_page() -> None:
    """A date is that of the earliest upload; a version is yanked if all its files are."""
    early, late = "2020-01-01T00:00:00.000001Z", "2020-01-02T00:00:00Z"
    found = parse(
        page(
            file("demo-1.0-py3-none-any.whl", **{"upload-time": late, "yanked": "broken"}),
            file("demo-1.0.tar.gz", **{"upload-time": early}),
            file("demo-2.0.tar.gz", **{"upload-time": late, "yanked": True}),
            file("demo-2.0.zip", **{"upload-time": "2020-01-02T00:00:00", "yanked": ""}),
            file("unrelated-3.0.tar.gz"),
            versions=["1.0", "2.0", "3.0"],
        )
    )
    assert [(r.name, r.release_date, r.yanked) for r in found.releases] == [
        ("1.0", datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC), False),
        ("2.0", datetime(2020, 1, 2, tzinfo=UTC), True),
        ("3.0", None, False),
    ]
    assert not found.withheld


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ([("demo-1-py3-none-any.whl", DIGEST)], "demo-1-py3-none-any.whl"),
        ([("demo-1-py3-none-any.whl", True)], "demo-1-py3-none-any.whl"),
        ([("demo-1-py3-none-any.whl", False)], None),
        # An index that is older than PEP 714 does not say: it may be there
        ([("demo-1-py3-none-any.whl", None)], "demo-1-py3-none-any.whl"),
        ([("demo-1.tar.gz", None)], None),
        # The wheel speaks, before a source distribution
        (
            [("demo-1.tar.gz", DIGEST), ("demo-1-py2-none-any.whl", DIGEST)],
            "demo-1-py2-none-any.whl",
        ),
        ([("demo-1.tar.gz", DIGEST), ("demo-1-py3-none-any.whl", False)], "demo-1.tar.gz"),
        (
            [("demo-1-py2-none-any.whl", DIGEST), ("demo-1-py3-none-any.whl", DIGEST)],
            "demo-1-py3-none-any.whl",
        ),
    ],
)
def test_which_file_speaks_for_a_version(files: list[tuple[str, Any]], chosen: str | None) -> None:
    """One metadata file is read per version, always the same one."""
    for key in ("core-metadata", "data-dist-info-metadata", "dist-info-metadata"):
        entries = [file(name, **({} if is_ is None else {key: is_})) for name, is_ in files]
        for ordered in (entries, entries[::-1]):
            (release,) = parse(page(*ordered, versions=["1"])).releases
            if chosen is None:
                assert release.metadata_file is None
                continue
            assert release.metadata_file is not None
            assert release.metadata_file.url.endswith(f"/{chosen}.metadata")
            offered = dict(files)[chosen]
            expected = offered["sha256"] if isinstance(offered, dict) else None
            assert release.metadata_file.sha256 == expected


def test_wheels_by_rank() -> None:
    """Pure wheels come first, then Linux, then others; newer Pythons first, Python 2 last."""
    best_first = [
        "demo-1-py3-none-any.whl",
        "demo-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "demo-1-cp313-cp313t-manylinux_2_17_x86_64.whl",
        "demo-1-cp39-abi3-manylinux1_x86_64.whl",
        "demo-1-cp313-cp313-musllinux_1_2_x86_64.whl",
        "demo-1-cp313-cp313-macosx_11_0_arm64.whl",
        "demo-1-cp312-cp312-win_amd64.whl",
        "demo-1-py2-none-any.whl",
        "demo-1-cp27-cp27mu-manylinux1_x86_64.whl",
        "demo-not-a-wheel-name-at-all.whl",
    ]
    shuffled = Random(7).sample(best_first, k=len(best_first))
    assert sorted(shuffled, key=wheel_rank) == best_first


def test_relative_and_marked_file_urls() -> None:
    """A file's address may be relative to the page and carry a digest as its fragment."""
    entry = file("demo-1-py3-none-any.whl") | {"url": "../../p/demo-1-py3-none-any.whl#sha256=00"}
    (release,) = parse(page(entry, versions=["1"])).releases
    assert release.metadata_file is not None
    expected = "https://pypi.example.org/p/demo-1-py3-none-any.whl.metadata"
    assert release.metadata_file.url == expected


def test_versions_without_a_list() -> None:
    """API 1.0 lists no versions: they are parsed from the names of the files."""
    found = parse(
        page(
            file("Demo-1.0.tar.gz"),
            file("demo-1.0-py3-none-any.whl"),
            file("demo-1.0.0rc1-cp39-cp39-win32.whl"),
            file("demo-2.0.win32-py2.7.exe"),
            file("demo-2.1-py2.7.egg"),
            file("demo-final.tar.gz"),
            file("readme.txt"),
            meta={"api-version": "1.0"},
        )
    )
    assert {release.name for release in found.releases} == {"1.0", "1.0.0rc1", "2.0", "2.1"}


@pytest.mark.parametrize(
    ("status", "advice", "withheld"),
    [
        ({"status": "active", "reason": "x"}, None, False),
        ({"status": "archived", "reason": " x\ny "}, "archived: x y", False),
        ({"status": "deprecated", "reason": None}, "deprecated", False),
        ({"status": "deprecated", "reason": "x" * 2000}, "deprecated: " + "x" * 988, False),
        ({"status": "quarantined"}, "quarantined", True),
        ({"status": "of-the-future", "reason": "x"}, None, False),
        ({}, None, False),
    ],
)
def test_project_status(status: dict[str, Any], advice: str | None, withheld: bool) -> None:  # noqa: FBT001
    """Only quarantine takes a project away; other notes about its status are kept."""
    found = parse(page(**{"versions": [], "project-status": status}))
    assert found == ProjectPage((), withheld, advice=advice)


@pytest.mark.parametrize(
    ("files", "supported"),
    [
        ({}, None),
        ({"demo-1.tar.gz": ">=3.8"}, ">=3.8"),
        # What the newest CPython on Linux would install decides
        ({"demo-1.tar.gz": ">=2", "demo-1-py3-none-any.whl": ">=3.8"}, ">=3.8"),
        (
            {
                "demo-1-cp310-cp310-win_amd64.whl": ">=3.8",
                "demo-1-cp313-cp313-manylinux_2_17_x86_64.whl": ">=3.9,<4",
                "demo-1-cp311-cp311-manylinux_2_17_x86_64.whl": ">=3.8",
            },
            ">=3.9,<4",
        ),
        ({"demo-1-py3-none-any.whl": None, "demo-1.tar.gz": ">=3.8"}, None),
        ({"demo-1-py3-none-any.whl": 3}, None),
        ({"demo-1-py3-none-any.whl": ""}, None),
        ({"demo-1-py3-none-any.whl": ">" * 201}, None),
    ],
)
def test_supported_pythons(files: dict[str, Any], supported: str | None) -> None:
    """The supported Pythons are those of one file of the version, as the index has them."""
    entries = [file(name, **{"requires-python": text}) for name, text in files.items()]
    (release,) = parse(page(*entries, versions=["1"])).releases
    assert release.requires_python == supported


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("<html></html>", "JSON"),
        ("[" * 100_000, "JSON"),
        ("[]", "object"),
        ("null", "object"),
        (page() | {"name": None}, "name"),
        (page() | {"name": "other"}, "name"),
        ({"name": "demo"}, "files"),
        (page() | {"files": {}}, "files"),
        (page({"url": "x"}), "files.0.filename"),
        (page(file("demo-1.tar.gz", url=7)), "files.0.url"),
        (page(file("demo-1.tar.gz", url="http://[::1/demo")), "files.0.url"),
        (page(versions=[2]), "versions.0"),
        (page(versions=[""]), "versions.0"),
        (page(versions=[".."]), "versions.0"),
        (page(versions=["../../etc"]), "versions.0"),
        (page(versions=["1.0\n"]), "versions.0"),
        (page(versions=["1\u0000"]), "versions.0"),
        (page(versions=["1" * 201]), "versions.0"),
        (page(meta={"api-version": "2.0"}), "meta.api-version"),
    ],
)
def test_wrong_pages(document: str | dict[str, Any], field: str) -> None:
    """A page that is not JSON or has no readable data is rejected, with the field."""
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(MalformedMetadata, match=field) as error:
        parse_project_page(text.encode(), URL, "demo")
    assert error.value.url == URL


@pytest.mark.parametrize("bad", [2, None, "", "..", "../../etc", "1.0\n", "1\0", ".1", "1" * 201])
def test_one_bad_version_costs_itself(bad: Any) -> None:
    """The others are read, and the bad one is logged."""
    found = parse(page(versions=["1.0", bad, "2.0"]))
    assert [release.name for release in found.releases] == ["1.0", "2.0"]
    assert len(found.skipped) == 1


@pytest.mark.parametrize(
    "bad", [None, 7, {}, {"url": "x"}, {"filename": "demo-2.tar.gz", "url": 7}]
)
def test_one_bad_file_costs_itself(bad: Any) -> None:
    """The others are read, and the bad one is logged."""
    found = parse(page(file("demo-1.tar.gz"), bad))
    assert [release.name for release in found.releases] == ["1"]
    assert len(found.skipped) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"upload-time": "soon"},
        {"upload-time": 5},
        {"upload-time": "2020-02-30T00:00:00Z"},
        {"upload-time": "0001-01-01T00:00:00+14:00"},
        {"upload-time": "9999-12-31T23:59:59-14:00"},
        {"yanked": 1},
        {"yanked": None},
        {"core-metadata": "yes"},
        {"core-metadata": None},
    ],
)
def test_a_field_of_the_wrong_type_counts_as_absent(fields: dict[str, Any]) -> None:
    """The file and the page are still read."""
    (release,) = parse(page(file("demo-1.tar.gz", **{"upload-time": None} | fields))).releases
    assert replace(release, files=()) == Release(VersionName("1"), None, yanked=False)


@pytest.mark.parametrize(
    "fields", [{"versions": "1.0"}, {"project-status": "active"}, {"meta": None}]
)
def test_a_field_of_the_page_counts_as_absent(fields: dict[str, Any]) -> None:
    """The other fields suffice."""
    found = parse(page(file("demo-1.tar.gz"), **fields))
    assert ([release.name for release in found.releases], found.withheld) == (["1"], False)


def test_a_page_that_is_not_text() -> None:
    """Bytes that are not text are rejected with the same error."""
    with pytest.raises(MalformedMetadata):
        parse_project_page(b'{"name": "\xff\xfe"}', URL, "demo")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_json_is_a_page_or_refused(value: Any) -> None:
    """Any value at any position is read, or raises the typed error."""
    for key in ("name", "files", "versions", "meta", "project-status"):
        try:
            parse(page() | {key: value})
        except MalformedMetadata:
            continue


@given(
    st.sampled_from(["", "http://", "https://", "HTTPS://", "https:///", "https:", "//"]),
    st.lists(
        st.sampled_from(["a.b", "..", ".", "/", ":", "@", "#", "?", ";", "%2F", "~", "é", " "])
    ),
)
def test_addresses_of_files(start: str, parts: list[str]) -> None:
    """Absolute ones, which are most, are not joined; the result is the same."""
    address = start + "".join(parts)
    assert file_address(address, URL) == urljoin(URL, urldefrag(address).url)
