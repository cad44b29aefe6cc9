"""The simulator's PyPI, read by other readers than the program's, and compared with real data."""

import hashlib
import json
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import (
    InvalidSdistFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from tests.simulator.pypi import PyPI
from tests.simulator.pypi.documents import Page, negotiate
from tests.simulator.pypi.facts import BARE, SDIST_BARE
from tests.simulator.registries import open_registry
from tests.simulator.truth import PackageTruth, truth_of
from tests.simulator.universe import Package

PACKAGES = 120

Shown = list[tuple[Package, PackageTruth, Page]]


@pytest.fixture(scope="module")
def projects() -> Shown:
    """Packages with their correct data and their documents."""
    registry = open_registry("pypi")
    packages = filter(None, map(registry.package, range(PACKAGES)))
    found = [(package, truth_of(package), registry.page(package)) for package in packages]
    assert len(found) > PACKAGES / 2
    return found


def test_project_pages(projects: Shown) -> None:
    """Versions, dates and yanks of a project page are correct (PEP 691 and 700)."""
    for package, truth, page in projects:
        document = json.loads(page.simple_json.body)
        assert document["name"] == canonicalize_name(package.name)
        assert set(document["versions"]) == {version.name for version in truth.versions}
        by_version = {version.name: version for version in truth.versions}
        uploads: dict[str, list[dict[str, Any]]] = {}
        for file in document["files"]:
            uploads.setdefault(version_of(file["filename"], by_version), []).append(file)
        assert uploads.keys() == by_version.keys()
        for version, files in uploads.items():
            first = min(datetime.fromisoformat(file["upload-time"]) for file in files)
            assert first == by_version[version].release_date
            assert all(file["yanked"] for file in files) == by_version[version].yanked


def version_of(filename: str, known: dict[str, Any]) -> str:
    """The version of a distribution file, in the spelling of the known ones."""
    if filename.endswith(".whl"):
        _, version, _, _ = parse_wheel_filename(filename)
    else:
        try:
            _, version = parse_sdist_filename(filename)
        except InvalidSdistFilename:
            return filename.partition("-")[2].removesuffix(".tar.gz")
    return next(name for name in known if _parsed(name) == version)


def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except ValueError:
        return None


def test_metadata_files(projects: Shown) -> None:
    """A metadata file has its announced digest, is valid, and has the correct requirements."""
    read = 0
    for package, truth, page in projects:
        document = json.loads(page.simple_json.body)
        announced = {
            f"{file['filename']}.metadata": file["data-dist-info-metadata"]["sha256"]
            for file in document["files"]
            if file["data-dist-info-metadata"]
        }
        assert announced.keys() == page.metadata.keys()
        for filename, file in page.metadata.items():
            assert hashlib.sha256(file.body).hexdigest() == announced[filename]
            metadata = Metadata.from_email(file.body)
            assert metadata.name == package.name
            truly = next(v for v in truth.versions if _parsed(v.name) == metadata.version)
            required = {
                f"pkg:pypi/{canonicalize_name(r.name)}" for r in metadata.requires_dist or ()
            }
            assert required >= truly.requirements.keys()
            read += 1
    assert read > PACKAGES


def test_json_api(projects: Shown) -> None:
    """The JSON API agrees with the metadata file, and knows releases that have none."""
    for package, truth, page in projects:
        for release in package.releases[-3:]:
            info = json.loads(page.project(release).body)["info"]
            assert (info["name"], info["version"]) == (package.name, release.version)
            lines = info["requires_dist"] or []
            required = {f"pkg:pypi/{canonicalize_name(Requirement(x).name)}" for x in lines}
            (version,) = (v for v in truth.versions if v.name == release.version)
            if release.form in BARE:
                assert info["requires_dist"] is None
            else:
                assert required >= version.requirements.keys()
            if release.form == SDIST_BARE:
                assert version.requirements == {}


class Links(HTMLParser):
    """File names and attributes of a PEP 503 page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect anchors."""
        if tag == "a":
            self.found.append(dict(attrs))


def test_html_pages(projects: Shown) -> None:
    """HTML and JSON list the same files with the same facts."""
    for _, _, page in projects[:30]:
        reader = Links()
        reader.feed(page.simple_html("text/html").body.decode())
        files = json.loads(page.simple_json.body)["files"]
        assert {link["href"] for link in reader.found} == {
            f"{file['url']}#sha256={file['hashes']['sha256']}" for file in files
        }
        assert sum("data-yanked" in link for link in reader.found) == sum(
            bool(file["yanked"]) for file in files
        )


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        ("text/csv", "text/html"),
        ("application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+json"),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
        (
            "application/vnd.pypi.simple.v1+json, text/html;q=0.01",
            "application/vnd.pypi.simple.v1+json",
        ),
        ("application/vnd.pypi.simple.v1+json;q=0.2, text/html", "text/html"),
        ("application/vnd.pypi.simple.v1+json;q=x", "text/html"),
    ],
)
def test_negotiation(accept: str | None, expected: str) -> None:
    """The format of a project page follows Accept; the default is HTML."""
    assert negotiate(accept) == expected


def test_spellings_of_a_project() -> None:
    """A project is found by any spelling, and its purl is always the same."""
    shelf = open_registry("pypi")
    for index in range(100):
        package = shelf.package(index)
        assert package
        normalized = canonicalize_name(package.name)
        assert PyPI().purl(package.name.upper()) == f"pkg:pypi/{normalized}" == package.purl
        assert shelf.find(normalized) == shelf.find(package.name.swapcase()) == package


@pytest.mark.recordings
def test_json_api_has_the_recorded_set(recordings: Path, projects: Shown) -> None:
    """A recorded response of PyPI's JSON API has the same fields."""
    folder = recordings / "dependabot__dependabot-core/python/spec/fixtures/pypi"
    recorded = json.loads((folder / "pypi_response_luigi.json").read_bytes())
    package, _, page = projects[0]
    assert package.latest
    simulated = json.loads(page.project(package.latest).body)
    assert set(recorded) <= set(simulated)
    assert set(recorded["info"]) <= set(simulated["info"])
    assert set(recorded["urls"][0]) <= set(simulated["urls"][0])
