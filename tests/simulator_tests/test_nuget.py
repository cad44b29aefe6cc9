"""The simulator's NuGet.org, compared with its data and real documents."""

import codecs
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from univers.versions import NugetVersion

from tests.simulator.nuget import NuGet
from tests.simulator.nuget.documents import INLINED, NOT_FOUND, PER_PAGE, Page
from tests.simulator.registries import open_registry
from tests.simulator.truth import PackageTruth, truth_of
from tests.simulator.universe import Package

PACKAGES = 120

Shown = list[tuple[Package, PackageTruth, Page]]


@pytest.fixture(scope="module")
def registrations() -> Shown:
    """Packages with their correct data and their documents."""
    registry = open_registry("nuget")
    packages = filter(None, map(registry.package, range(PACKAGES)))
    found = [(package, truth_of(package), registry.page(package)) for package in packages]
    assert len(found) > PACKAGES / 2
    return found


def entries(page: Page) -> list[dict[str, Any]]:
    """All versions of a registration, in the index or in pages."""
    index = json.loads(page.index.body)
    items = [
        item if "items" in item else json.loads(page.pages[key].body)
        for item, key in zip(index["items"], page.pages or [""], strict=True)
    ]
    assert [item["count"] for item in items] == [len(item["items"]) for item in items]
    return [leaf["catalogEntry"] for item in items for leaf in item["items"]]


def test_registrations(registrations: Shown) -> None:
    """Each version has its date, its listing, and its requirements for all frameworks."""
    for package, truth, page in registrations:
        for entry, version in zip(entries(page), truth.versions, strict=True):
            assert entry["id"] == package.name
            assert NugetVersion(entry["version"]) == NugetVersion(version.name)
            published = datetime.fromisoformat(entry["published"])
            assert entry["listed"] is not version.yanked
            assert version.release_date == (published if entry["listed"] else None)
            assert published.year > 1900 or version.yanked
            required = {
                f"pkg:nuget/{dependency['id'].lower()}"
                for group in entry["dependencyGroups"]
                for dependency in group.get("dependencies", ())
            }
            assert required == version.requirements.keys()


def test_groups(registrations: Shown) -> None:
    """Groups for all frameworks, for some, and frameworks with different groups exist."""
    groups = [e["dependencyGroups"] for _, _, page in registrations for e in entries(page)]
    assert {len(each) for each in groups} == {1, 3}
    assert {"targetFramework" in group for each in groups for group in each} == {True, False}
    ranges = [[group.get("dependencies") for group in each] for each in groups if len(each) == 3]
    assert any(first != second for first, second, _ in ranges)


def test_pages() -> None:
    """From 128 versions on, the index has pages of 64, each at its address."""
    for count in (INLINED, INLINED + 1, 3 * PER_PAGE):
        registry = open_registry("nuget", versions=str(count), packages=3)
        package = registry.package(2)
        assert package
        page: Page = registry.page(package)
        assert len(entries(page)) == count
        items = json.loads(page.index.body)["items"]
        if count <= INLINED:
            assert len(items) == 1
            assert not page.pages
            continue
        assert {item["count"] for item in items[:-1]} == {PER_PAGE}
        for item in items:
            assert "items" not in item
            path = "/" + item["@id"].removeprefix(page.base_url + "/")
            route = registry.ecosystem.route(path, registry)
            assert route
            found = json.loads(route.document({}).body)
            assert (found["lower"], found["upper"]) == (item["lower"], item["upper"])


def test_nuspecs(registrations: Shown) -> None:
    """The latest version's nuspec names the repository, if the registration does not."""
    boms = set()
    for package, truth, page in registrations:
        assert truth.latest
        body = page.nuspec(truth.latest.lower()).body
        boms.add(body.startswith(codecs.BOM_UTF8))
        metadata = etree.fromstring(body)[0]
        assert NugetVersion(str(metadata.findtext("{*}version"))) == NugetVersion(truth.latest)
        repository = metadata.find("{*}repository")
        assert (repository is not None) == (package.link.field == "repository")
        if repository is not None:
            assert repository.get("url") == package.link.wire
            for release in package.releases:
                if release.version != truth.latest:
                    assert b"before/it-moved" in page.nuspec(release.version.lower()).body
    assert boms == {True, False}


def test_only_lower_case_is_found() -> None:
    """An address with capitals in the id is not found."""
    registry = open_registry("nuget", packages=50)
    name = next(p.name for p in map(registry.package, range(50)) if p and p.name != p.name.lower())
    for path, there in ((name.lower(), True), (name, False)):
        route = NuGet().route(f"/v3/registration5-gz-semver2/{path}/index.json", registry)
        assert route
        assert (route.document({}) is not NOT_FOUND) == there
        assert route.package == f"pkg:nuget/{name.lower()}"


@pytest.mark.recordings
def test_registrations_have_the_recorded_keys(recordings: Path, registrations: Shown) -> None:
    """The simulator has all fields of recorded registrations."""
    folder = recordings / "_decoded/google__osv.dev~go~osv~ecosystem~testdata~TestNuGet_GetVersions"
    inlined = json.loads(next(folder.glob("001_*")).read_bytes())
    paged = json.loads(next(folder.glob("003_*")).read_bytes())
    registry = open_registry("nuget", versions="200", packages=1)
    package = registry.package(0)
    assert package
    page: Page = registry.page(package)
    assert set(paged) == set(json.loads(page.index.body))
    assert set(paged["items"][0]) <= set(json.loads(page.index.body)["items"][0])
    (recorded,) = inlined["items"]
    for _, _, page in registrations:
        index = json.loads(page.index.body)
        assert set(inlined) == set(index)
        if page.pages:
            continue
        assert set(recorded) == set(index["items"][0])
        for leaf in index["items"][0]["items"]:
            assert set(recorded["items"][-1]) == set(leaf)
            assert set(recorded["items"][-1]["catalogEntry"]) <= set(leaf["catalogEntry"])


@pytest.mark.recordings
def test_the_error_is_the_recorded_one(recordings: Path) -> None:
    """The response for an unknown id is the recorded one."""
    name = "google__osv.dev~go~osv~ecosystem~testdata~TestNuGet_GetVersions_NotFound"
    (path,) = (recordings / "_decoded" / name).iterdir()
    recorded, simulated = (etree.fromstring(body) for body in (path.read_bytes(), NOT_FOUND.body))
    assert recorded.findtext("Code") == simulated.findtext("Code") == "BlobNotFound"
    assert path.read_bytes()[:3] == NOT_FOUND.body[:3] == codecs.BOM_UTF8
