"""The simulator's RubyGems.org, compared with its data and real documents."""

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from tests.simulator.gem_builds import NATIVE, PLATFORMS
from tests.simulator.registries import open_registry
from tests.simulator.rubygems import Page
from tests.simulator.truth import PackageTruth, truth_of
from tests.simulator.universe import Package

PACKAGES = 120

LINE = re.compile(
    r"(?P<version>[0-9A-Za-z.]+)(-(?P<platform>\S+))? (?P<dependencies>[^|]*)"
    r"\|checksum:(?P<sha>[0-9a-f]{64})(?P<rest>,.*)?"
)

Shown = list[tuple[Package, PackageTruth, Page]]


@pytest.fixture(scope="module")
def gems() -> Shown:
    """Gems with their correct data and their documents."""
    registry = open_registry("rubygems")
    packages = filter(None, map(registry.package, range(PACKAGES)))
    found = [(package, truth_of(package), registry.page(package)) for package in packages]
    assert len(found) > PACKAGES / 2
    return found


def lines(page: Page) -> list[dict[str, str]]:
    """The lines of a gem's file of the index."""
    first, *rest, last = page.info.body.decode().split("\n")
    assert (first, last) == ("---", "")
    matches = [LINE.fullmatch(line) for line in rest]
    return [match.groupdict(default="") for match in matches if match]


def test_files_of_the_index(gems: Shown) -> None:
    """A line per version and platform; the pure Ruby line has the correct requirements."""
    platforms = set()
    for _, truth, page in gems:
        for version in truth.versions:
            builds = [line for line in lines(page) if line["version"] == version.name]
            platforms.add(tuple(sorted(build["platform"] for build in builds)))
            required = {
                build["platform"]: {
                    f"pkg:gem/{dependency.partition(':')[0]}"
                    for dependency in build["dependencies"].split(",")
                    if dependency
                }
                for build in builds
            }
            expected = required.get("", set().union(*required.values()))
            assert expected == version.requirements.keys()
    assert platforms == {("",), ("", "java", "x86_64-linux"), ("java", "x86_64-linux")}


def test_validators(gems: Shown) -> None:
    """The index's validator is the file's MD5, as in the list of all versions."""
    for _, _, page in gems:
        digest = hashlib.md5(page.info.body, usedforsecurity=False).hexdigest()
        assert page.info.etag == f'"{digest}"'


def test_lists_of_versions(gems: Shown) -> None:
    """Each build of each version, with its checksum; the first build has the true date."""
    for _, truth, page in gems:
        builds = json.loads(page.versions.body)
        assert {build["sha"] for build in builds} == {line["sha"] for line in lines(page)}
        for version in truth.versions:
            moments = [
                datetime.fromisoformat(build["created_at"])
                for build in builds
                if build["number"] == version.name
            ]
            assert min(moments) == version.release_date


def test_dates_in_the_index(gems: Shown) -> None:
    """Dates in lines equal those of the list of versions."""
    dated = [page for _, _, page in gems if "created_at:" in page.info.body.decode()]
    assert 0 < len(dated) < PACKAGES
    for page in dated:
        builds = {build["sha"]: build["created_at"] for build in json.loads(page.versions.body)}
        for line in lines(page):
            (text,) = re.findall(r"created_at:(\S+)", line["rest"])
            assert datetime.fromisoformat(text) == datetime.fromisoformat(builds[line["sha"]])


def test_links(gems: Shown) -> None:
    """The gem's document has the repository; older versions' metadata have another one."""
    for _, truth, page in gems:
        gem = json.loads(page.gem.body)
        assert gem["version"] == truth.latest
        links = [gem[key] or "" for key in ("source_code_uri", "homepage_uri", "bug_tracker_uri")]
        if truth.repository_url != "n/a":
            place = truth.repository_url.partition("//")[2]
            assert any(place in link for link in links)
        for build in json.loads(page.versions.body):
            told = set(build["metadata"].values()) - {"true"}
            if build["number"] == truth.latest:
                assert told <= set(links)
            else:
                assert told <= {"https://github.com/before/it-moved"}


def test_yanked_versions() -> None:
    """A yanked version is in no document; a gem without any other has an empty file."""
    registry = open_registry("rubygems", packages=20, versions="2")
    package = registry.package(5)
    assert package
    one, two = (release.version for release in package.releases)
    page: Page = registry.page(registry.yank(package.name, one))
    assert {line["version"] for line in lines(page)} == {two}
    assert {build["number"] for build in json.loads(page.versions.body)} == {two}
    page = registry.page(registry.yank(package.name, two))
    assert page.info.body == b"---\n"
    assert json.loads(page.versions.body) == []


def test_ways_to_publish(gems: Shown) -> None:
    """Some versions have builds for platforms, some only those."""
    forms = {release.form for package, _, _ in gems for release in package.releases}
    assert {PLATFORMS, NATIVE} <= forms


@pytest.mark.recordings
def test_documents_have_the_recorded_keys(recordings: Path, gems: Shown) -> None:
    """The simulator has all fields of recorded documents of the API."""
    folder = recordings / "dependabot__dependabot-core/bundler/spec/fixtures"
    path = folder / "rubygems_responses/versions-guard-bundler.json"
    builds = json.loads(path.read_bytes())
    gem = json.loads((folder / "ruby/rubygems_response.json").read_bytes())
    for _, _, page in gems:
        assert set(gem) <= set(json.loads(page.gem.body))
        for build in json.loads(page.versions.body):
            assert set(builds[0]) <= set(build)


@pytest.mark.recordings
def test_recorded_files_have_such_lines(recordings: Path) -> None:
    """The simulator's lines have the form of recorded ones."""
    folder = recordings / "dependabot__dependabot-core/bundler/spec/fixtures/rubygems_responses"
    found = 0
    for path in folder.glob("info-*"):
        _, *rest = path.read_text().splitlines()
        for line in rest:
            assert LINE.fullmatch(line), line
            found += 1
    assert found > 1000
