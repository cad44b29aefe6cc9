"""The simulator's npm, compared with its data and real packuments."""

import hashlib
import json
from base64 import b64encode
from datetime import datetime
from pathlib import Path

import pytest

from tests.simulator.npm_documents import ABBREVIATED, Page
from tests.simulator.registries import open_registry
from tests.simulator.truth import PackageTruth, truth_of
from tests.simulator.universe import Package

PACKAGES = 120

Shown = list[tuple[Package, PackageTruth, Page]]


@pytest.fixture(scope="module")
def packuments() -> Shown:
    """Packages with their correct data and their documents."""
    registry = open_registry("npm")
    packages = filter(None, map(registry.package, range(PACKAGES)))
    found = [(package, truth_of(package), registry.page(package)) for package in packages]
    assert len(found) > PACKAGES / 2
    return found


def test_packuments(packuments: Shown) -> None:
    """Versions, dates, tags and dependencies are correct, including aliases."""
    for package, truth, page in packuments:
        document = json.loads(page.full.body)
        assert document["name"] == package.name
        assert document["versions"].keys() == {version.name for version in truth.versions}
        assert document["dist-tags"]["latest"] == truth.latest
        for version in truth.versions:
            assert datetime.fromisoformat(document["time"][version.name]) == version.release_date
            manifest = document["versions"][version.name]
            required = {
                "pkg:npm/" + installed(key, wire).replace("@", "%40", 1)
                for section in ("dependencies", "optionalDependencies")
                for key, wire in manifest.get(section, {}).items()
            }
            assert required == version.requirements.keys()
        assert document["time"]["created"] == min(document["time"].values())


def installed(key: str, wire: str) -> str:
    """The package that a line of ``dependencies`` installs."""
    if not wire.startswith("npm:"):
        return key
    target = wire.removeprefix("npm:")
    return target[: target.find("@", 1)] if "@" in target[1:] else target


def test_abbreviated_packuments(packuments: Shown) -> None:
    """Installing clients get the same versions, without dates and repository."""
    for _, _, page in packuments:
        full, short = json.loads(page.full.body), json.loads(page.abbreviated.body)
        assert page.abbreviated.media_type == ABBREVIATED
        assert short["versions"].keys() == full["versions"].keys()
        assert not short.keys() & {"time", "repository", "homepage", "bugs"}
        for name, manifest in short["versions"].items():
            assert manifest.get("dependencies") == full["versions"][name].get("dependencies")


@pytest.mark.recordings
def test_packuments_have_the_recorded_keys(recordings: Path, packuments: Shown) -> None:
    """All keys of a simulated packument are in real ones."""
    folder = recordings / "dependabot__dependabot-core/npm_and_yarn/spec/fixtures/npm_responses"
    real = [json.loads(path.read_bytes()) for path in folder.glob("*.json")]
    real = [document for document in real if "versions" in document]
    manifests = [m for document in real for m in document["versions"].values()]
    for _, _, page in packuments:
        document = json.loads(page.full.body)
        assert set(document) <= set().union(*map(set, real))
        for manifest in document["versions"].values():
            # No recorded package is bound to a platform, and none has optional peers.
            unseen = {"os", "cpu", "peerDependenciesMeta"}
            assert set(manifest) - unseen <= set().union(*map(set, manifests))
            assert set(manifest["dist"]) <= set().union(*(set(m["dist"]) for m in manifests))


def test_manifests_and_archives(packuments: Shown) -> None:
    """A version's document is that in the packument; its archive has the announced digest."""
    registry = open_registry("npm")
    for package, _, page in packuments[:20]:
        for version, manifest in json.loads(page.full.body)["versions"].items():
            dist = manifest["dist"]
            for name in {package.name, package.name.replace("/", "%2f")}:
                route = registry.ecosystem.route(f"/{name}/{version}", registry)
                assert route
                assert json.loads(route.document({}).body) == manifest
            path = "/" + dist["tarball"].removeprefix(page.base_url).lstrip("/")
            route = registry.ecosystem.route(path, registry)
            assert route
            digest = hashlib.sha512(route.document({}).body).digest()
            assert dist["integrity"] == "sha512-" + b64encode(digest).decode()
        for path in (f"/{package.name}/99.0.0-none", "/no-such-package/1.0.0"):
            route = registry.ecosystem.route(path, registry)
            assert route
            assert route.document({}).status == 404
