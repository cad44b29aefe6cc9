"""The simulator's crates.io: readable archives, matching digests, and real lines for comparison."""

import hashlib
import io
import json
import tarfile
import tomllib
from datetime import datetime
from pathlib import Path

import pytest

from tests.simulator.crates import Page, index_path
from tests.simulator.registries import open_registry
from tests.simulator.truth import PackageTruth, truth_of
from tests.simulator.universe import Package

PACKAGES = 120

Shown = list[tuple[Package, PackageTruth, Page]]


@pytest.fixture(scope="module")
def index_files() -> Shown:
    """Packages with their correct data and their documents."""
    registry = open_registry("cargo")
    packages = filter(None, map(registry.package, range(PACKAGES)))
    found = [(package, truth_of(package), registry.page(package)) for package in packages]
    assert len(found) > PACKAGES / 2
    return found


def test_index_files(index_files: Shown) -> None:
    """An index file has one line per version, with the true dates, yanks and dependencies."""
    for package, truth, page in index_files:
        lines = [json.loads(line) for line in page.index.body.splitlines()]
        known = {line["vers"]: line for line in lines if line.get("v", 1) <= 2}
        assert known.keys() == {version.name for version in truth.versions}
        for version in truth.versions:
            line = known[version.name]
            assert line["name"] == package.name
            assert datetime.fromisoformat(line["pubtime"]) == version.release_date
            assert line["yanked"] == version.yanked
            required = {
                "pkg:cargo/" + (dependency.get("package") or dependency["name"]).lower()
                for dependency in line["deps"]
                if dependency["kind"] != "dev" and not dependency.get("registry")
            }
            assert required == version.requirements.keys()


def test_crate_files(index_files: Shown) -> None:
    """A crate file has the digest of the index, and names the crate and its repository."""
    for package, truth, page in index_files:
        release = package.releases[-1]
        archive = page.crate(release)
        lines = [json.loads(line) for line in page.index.body.splitlines()]
        (line,) = (line for line in lines if line["vers"] == release.version)
        assert hashlib.sha256(archive).hexdigest() == line["cksum"]
        folder = f"{package.name}-{release.version}"
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            assert tar.getnames() == [f"{folder}/Cargo.toml", f"{folder}/src/lib.rs"]
            member = tar.extractfile(f"{folder}/Cargo.toml")
            assert member
            about = tomllib.loads(member.read().decode())["package"]
        assert (about["name"], about["version"]) == (package.name, release.version)
        if truth.repository_url != "n/a":
            assert truth.repository_url in {about.get("repository"), about.get("homepage")} or (
                about["repository"].startswith(truth.repository_url)
            )


@pytest.mark.parametrize(
    ("name", "path"),
    [("a", "1/a"), ("ab", "2/ab"), ("abc", "3/a/abc"), ("abcd", "ab/cd/abcd")],
)
def test_index_paths(name: str, path: str) -> None:
    """Names of up to three characters have folders of their own."""
    assert index_path(name) == path
    assert open_registry("cargo", packages=20_000).ecosystem.candidates(name)[:1] or len(name) > 3


def test_short_crate_names() -> None:
    """Crates with one, two and three letters exist."""
    universe = open_registry("cargo", packages=20_000).universe
    lengths = {len(universe.name_of(index)) for index in range(20_000)}
    assert {1, 2, 3} <= lengths


@pytest.mark.recordings
def test_index_lines_have_the_recorded_set(recordings: Path, index_files: Shown) -> None:
    """The simulator has all fields of a recorded line of the index (2019)."""
    recorded = (recordings / "kornelski__crates.io-index/se/rd/serde_json").read_text()
    line = json.loads(recorded.splitlines()[-1])
    for _, _, page in index_files:
        for text in page.index.body.splitlines():
            simulated = json.loads(text)
            assert set(line) <= set(simulated)
            if simulated.get("v", 1) <= 2:
                for dependency in simulated["deps"]:
                    assert set(line["deps"][0]) <= set(dependency)
