"""PyPI's documents: project pages, metadata files, the JSON API; valid and wrong ones."""

import codecs
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.pypi.distributions import VersionIndex, wheel_rank
from ssc_ingest.ecosystems.pypi.metadata import (
    MAX_REQUIREMENTS,
    parse_json_document,
    parse_metadata_file,
)
from ssc_ingest.ecosystems.pypi.requirements import requirements_of
from ssc_ingest.ecosystems.pypi.simple_index import ProjectPage, Release, parse_project_page
from ssc_ingest.ecosystems.repository_urls import clean_repository_url
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
    """Pure wheels first, then Linux, then others; newer Pythons first, Python 2 last."""
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
    """Only quarantine takes a project away; what else speaks against it is kept."""
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
    """They are those of one file of the version, as the index has them."""
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


# Names of files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("project", "filename", "version"),
    [
        ("demo", "demo-1.0.tar.gz", "1.0"),
        ("demo", "DEMO-1.0.ZIP", "1.0"),
        ("demo", "demo-1.0-1-py3-none-any.whl", "1.0"),
        ("demo", "demo-1.0.win-amd64-py3.3.exe", "1.0"),
        ("demo", "demo-1.0-1.noarch.rpm", "1.0"),
        ("demo", "demo-1.0.linux-x86_64.tar.gz", "1.0"),
        ("demo", "demo-1.0.0.tar.gz", "1.0"),
        ("demo", "demo-v1.0.tar.gz", "1.0"),
        ("demo", "demo-2.0-beta1.tar.gz", "2.0-beta1"),
        ("demo", "demo-2.0b1-py3-none-any.whl", "2.0-beta1"),
        ("demo", "demo-2.0_beta1-py2.7.egg", "2.0-beta1"),
        ("demo", "demo-0.12.01.tar.gz", "0.12.01"),
        ("demo", "demo-0.12.1.tar.gz", "0.12.1"),
        ("demo", "demo-1!3.0.tar.gz", "1!3.0"),
        ("demo", "demo-final-cut.tar.gz", "final-cut"),
        ("demo", "demo-4.0.tar.gz", None),
        ("demo", "demolition-1.0.tar.gz", None),
        ("demo", "demo", None),
        ("my-demo.pkg", "my_demo_pkg-1.0-py3-none-any.whl", "1.0"),
        ("my-demo.pkg", "My.Demo-pkg-1.0.tar.gz", "1.0"),
        ("my-demo.pkg", "my-demo-1.0.tar.gz", None),
    ],
)
def test_version_of_a_file(project: str, filename: str, version: str | None) -> None:
    """Names of all periods are parsed; the version is in the registry's spelling."""
    versions = ["0.12.1", "0.12.01", "1.0", "2.0-beta1", "1!3.0", "final-cut"]
    assert VersionIndex(project, versions).version_of(filename) == version


def recorded_releases(recordings: Path) -> Iterator[tuple[str, dict[str, list[dict[str, Any]]]]]:
    """Projects with their files by version, from the JSON API."""
    for path in sorted(recordings.glob("*/**/pypi/*.json")):
        document = json.loads(path.read_bytes())
        if releases := document.get("releases"):
            yield document["info"]["name"], releases


@pytest.mark.recordings
def test_versions_of_recorded_files(recordings: Path) -> None:
    """For 1,500 files of real projects, some from 2005, the version is correct."""
    seen = 0
    for project, releases in recorded_releases(recordings):
        index = VersionIndex(project, releases)
        for version, files in releases.items():
            for entry in files:
                assert index.version_of(entry["filename"]) == version
                seen += 1
    assert seen > 1500


@given(st.text(max_size=20), st.text(max_size=30))
def test_any_file_name_is_read_or_passed_over(version: str, filename: str) -> None:
    """No file name raises."""
    index = VersionIndex("demo", [version])
    assert index.version_of(f"demo-{filename}") in {version, None}
    VersionIndex("demo", []).derive(f"demo-{filename}")
    wheel_rank(filename)


# Metadata files -----------------------------------------------------------------------------

METADATA = """\
Metadata-Version: 2.1
Name: Demo.Package
Version: 1.0
Summary: Ünïcode
Home-page: https://demo.example.org
Project-URL: Changelog, https://example.org/changes/1
Project-URL: source code, https://github.com/owner/demo
Project-URL: Homepage, https://demo.example.org/home
Requires-Dist: idna (>=2.5)
Requires-Dist: six ; extra == 'x'
Provides-Extra: x

Requires-Dist: not-this-one
Name: nor-this
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_metadata_file(newline: str) -> None:
    """Headers are read, the description is not; links are in the order of preference."""
    found = parse_metadata_file(METADATA.replace("\n", newline).encode(), URL)
    assert found.name == "Demo.Package"
    assert found.requires_dist == ("idna (>=2.5)", "six ; extra == 'x'")
    assert found.links == (
        "https://demo.example.org",
        "https://github.com/owner/demo",
        "https://demo.example.org/home",
        "https://example.org/changes/1",
    )
    assert clean_repository_url(found.links) == "https://github.com/owner/demo"


@pytest.mark.parametrize(
    "before",
    [codecs.BOM_UTF8, b"\n", b"\r\n \r\n", codecs.BOM_UTF8 + b"\n", b"\n" + codecs.BOM_UTF8],
)
def test_what_stands_before_the_headers_is_read_over(before: bytes) -> None:
    """A byte order mark or a blank line is ignored, as installers do."""
    assert parse_metadata_file(before + METADATA.encode(), URL) == parse_metadata_file(
        METADATA.encode(), URL
    )


def test_a_metadata_file_with_a_byte_that_is_not_text() -> None:
    """Only its own line is affected."""
    found = parse_metadata_file(b"Name: demo\nRequires-Dist: a\nRequires-Dist: b\xff\n", URL)
    assert found.requires_dist == ("a", "b\ufffd")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Not here</body></html>",
        b"\x00\xff\xfe",
        b"Metadata-Version: 2.1\nVersion: 1\n",
        b"Name:\n",
        b"Name: demo\n" + b"Requires-Dist: a\n" * (MAX_REQUIREMENTS + 1),
    ],
)
def test_wrong_metadata_files(body: bytes) -> None:
    """A file without a name, or with too many requirements, is rejected."""
    with pytest.raises(MalformedMetadata):
        parse_metadata_file(body, URL)


@given(st.binary(max_size=200))
def test_any_bytes_are_metadata_or_refused(body: bytes) -> None:
    """Any bytes are read, or raise the typed error."""
    for prefix in (b"", b"Name: demo\n", b"Name: demo\nRequires-Dist: "):
        try:
            parse_metadata_file(prefix + body, URL)
        except MalformedMetadata:
            continue


# The JSON API -------------------------------------------------------------------------------


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("filename", "about", "repository"),
    [
        ("pypi_response_luigi", ("3.6.0", "luigi", None), "https://github.com/spotify/luigi"),
        ("pypi_response_extras", ("4.4.0", "celery", 42), "n/a"),
        ("pypi_response_no_source", ("2.6.2", "psycopg2", None), "n/a"),
        (
            "pypi_response_project_urls_source",
            ("1.3.2", "django-split-settings", None),
            "https://github.com/xxxxx/django-split-settings",
        ),
    ],
)
def test_recorded_json_documents(
    recordings: Path, filename: str, about: tuple[str, str, int | None], repository: str
) -> None:
    """A document of the JSON API has a release's version, name, requirements and links."""
    folder = recordings / "dependabot__dependabot-core/python/spec/fixtures/pypi"
    version, found = parse_json_document((folder / f"{filename}.json").read_bytes(), URL)
    lines = found.requires_dist
    assert (version, found.name, None if lines is None else len(lines)) == about
    assert clean_repository_url(found.links) == repository


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("", "JSON"),
        ("{}", "info"),
        ('{"info": []}', "info"),
        ('{"info": {}}', "info.name"),
        ('{"info": {"name": 7}}', "info.name"),
    ],
)
def test_wrong_json_documents(document: str, field: str) -> None:
    """The error names the wrong field."""
    with pytest.raises(MalformedMetadata, match=field):
        parse_json_document(document.encode(), URL)


@pytest.mark.parametrize(
    ("said", "lines"),
    [("null", None), ('"idna"', None), ("[]", ()), ('["six"]', ("six",))],
)
def test_unknown_requirements_are_not_none(said: str, lines: tuple[str, ...] | None) -> None:
    """``null`` means that PyPI has not read them; an empty list is known."""
    document = f'{{"info": {{"name": "demo", "requires_dist": {said}, "project_urls": []}}}}'
    _, found = parse_json_document(document.encode(), URL)
    assert found.requires_dist == lines


MIT = "License :: OSI Approved :: MIT License"


@pytest.mark.parametrize(
    ("fields", "license_", "spdx"),
    [
        ({}, None, None),
        ({"License-Expression": "mit or apache-2.0"}, "mit or apache-2.0", "MIT OR Apache-2.0"),
        ({"License-Expression": "BSD-3-Clause", "License": "BSD"}, "BSD-3-Clause", "BSD-3-Clause"),
        ({"License": "MIT"}, "MIT", "MIT"),
        ({"License": "MIT", "Classifier": MIT}, "MIT", "MIT"),
        ({"License": "New BSD"}, "New BSD", None),
        ({"License": "UNKNOWN", "Classifier": MIT}, "MIT License", None),
        ({"License": "UNKNOWN"}, None, None),
        ({"Classifier": "License :: OSI Approved"}, None, None),
        ({"Classifier": "License :: Public Domain"}, "Public Domain", None),
        # The whole text of a licence says less than its name
        ({"License": "Permission is " + "hereby " * 90, "Classifier": MIT}, "MIT License", None),
        ({"License": "x" * 900}, "x" * 200, None),
    ],
)
def test_licences(fields: dict[str, str], license_: str | None, spdx: str | None) -> None:
    """The best of three fields, of a metadata file and of the JSON API alike."""
    headers = [f"{name}: {value}" for name, value in {"Name": "demo", **fields}.items()]
    found = parse_metadata_file("\n".join(headers).encode(), URL)
    assert (found.license, found.license_spdx) == (license_, spdx)
    info = {
        "name": "demo",
        "license_expression": fields.get("License-Expression"),
        "license": fields.get("License", ""),
        "classifiers": [7, *([fields["Classifier"]] if "Classifier" in fields else [])],
    }
    _, found = parse_json_document(json.dumps({"info": info}).encode(), URL)
    assert (found.license, found.license_spdx) == (license_, spdx)


def test_several_licences() -> None:
    """Classifiers do not say whether one may choose between them."""
    lines = ["Name: demo", f"Classifier: {MIT}", "Classifier: License :: Public Domain"]
    found = parse_metadata_file("\n".join([*lines, f"Classifier: {MIT}"]).encode(), URL)
    assert (found.license, found.license_spdx) == ("MIT License; Public Domain", None)


def test_one_bad_requirement_costs_itself() -> None:
    """It is reported like an unreadable line."""
    document = b'{"info": {"name": "demo", "requires_dist": ["six", 1], "home_page": 5}}'
    _, found = parse_json_document(document, URL)
    assert found.requires_dist
    requirements = requirements_of(found.requires_dist)
    assert [r.package.name for r in requirements.installed] == ["six"]
    assert len(requirements.unreadable) == 1
