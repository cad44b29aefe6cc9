"""PyPI's metadata files and JSON API; valid and wrong documents."""

import codecs
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.ecosystems.pypi.metadata import (
    MAX_REQUIREMENTS,
    parse_json_document,
    parse_metadata_file,
)
from ssc_ingest.ecosystems.pypi.requirements import requirements_of
from ssc_ingest.ecosystems.repository_urls import clean_repository_url
from ssc_ingest.errors import MalformedMetadata

URL = "https://pypi.example.org/simple/demo/"

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
    """A byte that is not text affects only its own line."""
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
    """The best of three fields counts, in a metadata file as in the JSON API."""
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
    """A bad requirement is reported like an unreadable line."""
    document = b'{"info": {"name": "demo", "requires_dist": ["six", 1], "home_page": 5}}'
    _, found = parse_json_document(document, URL)
    assert found.requires_dist
    requirements = requirements_of(found.requires_dist)
    assert [r.package.name for r in requirements.installed] == ["six"]
    assert len(requirements.unreadable) == 1
