"""The simulator's Maven Central, compared with its data and real documents.

A small reader of POMs computes the requirements again. It knows Maven's documentation of
inheritance and interpolation, and nothing of the program.
"""

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from lxml import etree

from tests.simulator.maven import NOT_FOUND, Maven
from tests.simulator.maven.forms import ORPHAN, RELOCATED
from tests.simulator.maven.poms import SHARED_GROUP, Page
from tests.simulator.registries import open_registry
from tests.simulator.registry import Registry
from tests.simulator.truth import PackageTruth, truth_of
from tests.simulator.universe import Package

PACKAGES = 100

Shown = list[tuple[Package, PackageTruth, Page]]


@pytest.fixture(scope="module")
def registry() -> Registry:
    """A separate repository."""
    return open_registry("maven", versions="1-30")


@pytest.fixture(scope="module")
def projects(registry: Registry) -> Shown:
    """Packages with their correct data and their documents."""
    packages = filter(None, map(registry.package, range(PACKAGES)))
    found = [(package, truth_of(package), registry.page(package)) for package in packages]
    assert len(found) > PACKAGES / 2
    return found


class Dependency(NamedTuple):
    """A ``<dependency>`` with its texts."""

    group: str
    artifact: str
    kind: str
    version: str
    scope: str
    optional: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What management goes by."""
        return self[:3]


class Pom:
    """A POM with its inherited values."""

    def __init__(self, registry: Registry, group: str, artifact: str, version: str) -> None:
        self.registry = registry
        path = f"/{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.pom"
        route = registry.ecosystem.route(path, registry)
        assert route
        document = route.document({})
        self.modified = document.headers.get("Last-Modified", "")
        self.root = etree.fromstring("<project/>")
        if document is not NOT_FOUND:
            self.root = etree.fromstring(as_utf8(document.body))
        parent = self.root.find("{*}parent")
        self.parent = None if parent is None else Pom(registry, *texts(parent)[:3])
        self.known = {"groupId": group, "artifactId": artifact, "version": version}

    def properties(self) -> dict[str, str]:
        """A POM's own properties, before its parent's."""
        inherited = self.parent.properties() if self.parent else {}
        own = {
            etree.QName(e).localname: e.text or "" for e in self.root.iterfind("{*}properties/*")
        }
        return inherited | own

    def declared(self, *paths: str) -> Iterator[tuple[str, ...]]:
        """The texts of dependencies at these paths, in the POM and its parents."""
        for path in paths:
            for element in self.root.iterfind(path):
                names = ("groupId", "artifactId", "type", "version", "scope", "optional")
                found = [element.findtext(f"{{*}}{name}") or "" for name in names]
                found[2] += element.findtext("{*}classifier") or ""
                yield tuple(found)
        if self.parent:
            yield from self.parent.declared(*paths)

    def dependencies(self) -> list[Dependency]:
        """The dependencies of an install."""
        properties = self.properties() | {
            f"{prefix}{name}": value
            for prefix in ("", "project.", "pom.")
            for name, value in self.known.items()
        }

        def put_in(text: str) -> str:
            for _ in range(5):
                text = re.sub(r"\$\{([^${}]+)\}", lambda m: properties.get(m[1], m[0]), text)
            return text

        managed: dict[tuple[str, str, str], Dependency] = {}
        for found in self.declared("{*}dependencyManagement/{*}dependencies/{*}dependency"):
            entry = Dependency(*map(put_in, found))
            if entry.scope == "import":
                bom = Pom(self.registry, entry.group, entry.artifact, entry.version)
                for text in bom.declared("{*}dependencyManagement/{*}dependencies/{*}dependency"):
                    managed.setdefault(Dependency(*text).key, Dependency(*text))
            else:
                managed.setdefault(entry.key, entry)
        active = "{*}profiles/{*}profile[{*}id='usual']/{*}dependencies/{*}dependency"
        found_here = []
        for found in self.declared("{*}dependencies/{*}dependency", active):
            entry = Dependency(*map(put_in, found))
            if entry.key in managed:
                entry = entry._replace(
                    version=entry.version or managed[entry.key].version,
                    scope=entry.scope or managed[entry.key].scope,
                )
            found_here.append(entry)
        return found_here


def as_utf8(body: bytes) -> bytes:
    """Replace Latin-1 letters that are declared as UTF-8, which XML parsers reject."""
    try:
        etree.fromstring(body)
    except etree.XMLSyntaxError:
        return body.decode("latin-1").encode()
    return body


def texts(element: etree._Element) -> list[str]:
    """The texts of the children."""
    return [child.text or "" for child in element]


def constraint(versions: list[str]) -> str:
    """The graph's constraint for a package's versions in a POM."""
    tidy = ["".join(version.split()) for version in versions]
    if any(not v or "$" in v or v in {"(,)", "LATEST", "RELEASE"} for v in tidy):
        return "any"
    return ",".join(v if v[0] in "[(" else f"[{v}]" for v in tidy)


def test_poms(registry: Registry, projects: Shown) -> None:
    """The requirements of a POM, with its parents and bills of materials, are correct."""
    for package, truth, page in projects:
        for release, version in zip(package.releases, truth.versions, strict=True):
            pom = Pom(registry, page.group, page.artifact, release.version)
            assert parsedate_to_datetime(pom.modified) == version.release_date
            if (relocation := pom.root.find("{*}distributionManagement/{*}relocation")) is not None:
                assert release.form == RELOCATED
                purl = "pkg:maven/" + "/".join([*texts(relocation)][:2])
                assert version.requirements == {purl: f"[{release.version}]"}
                continue
            required: dict[str, list[str]] = {}
            for entry in pom.dependencies():
                if entry.scope in {"", "compile", "runtime"} and entry.optional != "true":
                    purl = f"pkg:maven/{entry.group}/{entry.artifact}"
                    required.setdefault(purl, []).append(entry.version)
            assert version.requirements == {p: constraint(v) for p, v in required.items()}


def test_lists_of_versions(projects: Shown) -> None:
    """All versions, or all except the one that the list names as the newest release."""
    hidden = 0
    for package, truth, page in projects:
        root = etree.fromstring(page.metadata.body)
        assert f"{root.findtext('groupId')}:{root.findtext('artifactId')}" == package.name
        listed = [e.text for e in root.iterfind("versioning/versions/version")]
        assert len(listed) == len(set(listed))
        newest = {root.findtext("versioning/latest"), root.findtext("versioning/release")}
        names = {version.name for version in truth.versions}
        hidden += set(listed) != names
        assert names - set(listed) <= newest
        assert set(listed) <= names
        assert newest - names == {decoy.version for decoy in package.decoys}
    assert hidden > PACKAGES / 20


def test_a_parent_that_is_not_there(registry: Registry, projects: Shown) -> None:
    """Some releases have a parent that the repository lacks."""
    orphans = 0
    for package, _, page in projects:
        for release in package.releases:
            if release.form == ORPHAN:
                pom = Pom(registry, page.group, page.artifact, release.version)
                assert pom.parent is not None
                assert not len(pom.parent.root)
                orphans += 1
    assert orphans


def test_shared_documents(registry: Registry, projects: Shown) -> None:
    """Packages of different projects inherit from the same parents."""
    users: dict[tuple[str, ...], set[str]] = {}
    for package, _, page in projects:
        pom: Pom | None = Pom(registry, page.group, page.artifact, package.releases[-1].version)
        while pom and (parent := pom.root.find("{*}parent")) is not None:
            users.setdefault(tuple(texts(parent)[:3]), set()).add(package.name)
            pom = pom.parent
    shared = {place[0] for place, packages in users.items() if len(packages) > 1}
    assert {SHARED_GROUP, f"{SHARED_GROUP}.team0"} <= shared
    assert all(group.startswith(SHARED_GROUP) for group in shared)


def test_encodings(projects: Shown) -> None:
    """POMs have several encodings, and a few declare a wrong one."""
    bodies = [newest_pom(page) for _, _, page in projects]
    assert {re.findall(rb'encoding="([\w-]+)"', body[:60])[:1] == [] for body in bodies} == {
        True,
        False,
    }
    assert any(body[:2] == b"\xff\xfe" for body in bodies)
    assert any(body[:3] == b"\xef\xbb\xbf" for body in bodies)
    assert any(b"ISO-8859-1" in body[:60] for body in bodies)
    assert any(as_utf8(body) != body for body in bodies)


def newest_pom(page: Page) -> bytes:
    """The POM of the highest version."""
    document = page.pom(page.artifact, page.package.releases[-1].version)
    assert document
    return document.body


def test_documents_never_change() -> None:
    """A parent is the same before and after a release, so caches keep it."""
    registry = open_registry("maven", packages=60, versions="3")
    for index in range(60):
        package = registry.package(index)
        assert package
        page: Page = registry.page(package)
        before = {v: page.pom(f"{page.artifact}-parent", v) for v in page._demands}
        registry.publish(package.name)
        registry.delete_version(package.name, package.releases[0].version)
        changed: Page = registry.page(registry.package(index))  # type: ignore[arg-type]
        for version in before.keys() & changed._demands.keys():
            after = changed.pom(f"{page.artifact}-parent", version)
            assert after == before[version] is not None


def test_paths_tell_case(registry: Registry) -> None:
    """A path with another case is not found, and neither is one outside the layout."""
    names = map(registry.universe.name_of, range(PACKAGES))
    name = next(name for name in names if name != name.lower())
    group, _, artifact = name.partition(":")
    for path, there in (
        (f"/{group.replace('.', '/')}/{artifact}/maven-metadata.xml", True),
        (f"/{group.replace('.', '/')}/{artifact.upper()}/maven-metadata.xml", False),
    ):
        route = Maven().route(path, registry)
        assert route
        assert (route.document({}) is not NOT_FOUND) == there
    assert Maven().route("/maven-metadata.xml", registry) is None
    assert Maven().route("/org/x/1.0/y-1.0.pom", registry) is None
    assert Maven().route("/", registry) is None


@pytest.mark.recordings
def test_lists_have_the_recorded_elements(recordings: Path, projects: Shown) -> None:
    """A list of versions has the elements that Maven Central's have."""
    folder = recordings / "dependabot__dependabot-core/maven/spec/fixtures/maven_central_metadata"
    real = etree.fromstring((folder / "with_release.xml").read_bytes())
    wanted = {element.tag for element in real.iter()}
    for _, _, page in projects:
        found = {element.tag for element in etree.fromstring(page.metadata.body).iter()}
        assert wanted == found | {"version"}


@pytest.mark.recordings
def test_poms_have_recorded_elements(recordings: Path, projects: Shown) -> None:
    """All elements of simulated POMs are in real ones, or in Maven's description."""
    folder = recordings / "aboutcode-org__purldb/minecode/tests/testfiles/maven/pom"
    real: set[str] = set()
    for path in folder.glob("*.pom"):
        parser = etree.XMLParser(recover=True)
        real |= names_in(etree.fromstring(path.read_bytes(), parser))
    for _, _, page in projects:
        found = names_in(etree.fromstring(as_utf8(newest_pom(page))))
        assert found - real <= {
            "relocation",
            "activeByDefault",
            "systemPath",
            "developerConnection",
        }


def names_in(root: etree._Element) -> set[str]:
    """Local names of the elements, without those of properties."""
    for element in root.iterfind(".//{*}properties"):
        element.clear()
    return {etree.QName(element).localname for element in root.iter("*")}
