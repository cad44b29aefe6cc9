"""A graph of the reference implementation, with its known defects."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.conftest import Cypher

MOMENT = "2025-11-20T10:20:30.5"

POOL = 100
"""Nodes that are created beforehand: the server gives a node the number of one that is gone, and
which of two nodes is the older must not depend on that."""

PACKAGE = """
MATCH (p) WHERE elementId(p) = $id
REMOVE p:Pool
SET p:%(label)s, p += {name: $name, vendor: $vendor, repository_url: $url,
                     moment: localdatetime($moment)}
SET p += $more
"""
VERSION = """
MATCH (p) WHERE elementId(p) = $package
MATCH (v) WHERE elementId(v) = $id
REMOVE v:Pool
SET v:Version, v += {name: $name, serial_number: $serial, mean: $mean, weighted_mean: $mean}
SET v += $more
CREATE (p)-[:HAVE]->(v)
"""
REQUIRE = """
MATCH (s) WHERE elementId(s) = $source
MATCH (t) WHERE elementId(t) = $target
CREATE (s)-[r:REQUIRE]->(t)
SET r = $properties
"""


@dataclass
class ReferenceGraph:
    """Element ids of the created nodes, by the test's names."""

    cypher: Cypher
    ids: dict[str, str]
    pool: Iterator[str]

    def package(self, key: str, label: str, name: Any, **more: Any) -> str:
        """A package node without purl."""
        fields = {"vendor": "n/a", "url": "n/a", "moment": MOMENT} | {
            k: more.pop(k) for k in ("vendor", "url", "moment") if k in more
        }
        self.ids[key] = id_ = next(self.pool)
        self.cypher(PACKAGE % {"label": label}, id=id_, name=name, more=more, **fields)
        return id_

    def version(self, key: str, package: str, name: Any, serial: int = 0, **more: Any) -> str:
        """A version node under a package."""
        mean = more.pop("mean", 0.0)
        self.ids[key] = id_ = next(self.pool)
        parameters = {"name": name, "serial": serial, "mean": mean, "more": more}
        self.cypher(VERSION, id=id_, package=self.ids[package], **parameters)
        return id_

    def require(self, source: str, target: str, **properties: Any) -> None:
        """An edge."""
        self.cypher(
            REQUIRE, source=self.ids[source], target=self.ids[target], properties=properties
        )

    def link(self, package: str, version: str) -> None:
        """Add another HAVE relationship."""
        self.cypher(
            "MATCH (p) WHERE elementId(p) = $p MATCH (v) WHERE elementId(v) = $v "
            "CREATE (p)-[:HAVE]->(v)",
            p=self.ids[package],
            v=self.ids[version],
        )

    def file(self, key: str, manager: str) -> str:
        """A requirement file of another service."""
        rows = self.cypher(
            "CREATE (f:RequirementFile {name: $key, manager: $manager, "
            "moment: localdatetime($moment)}) RETURN elementId(f) AS id",
            key=key,
            manager=manager,
            moment=MOMENT,
        )
        self.ids[key] = rows[0]["id"]
        return self.ids[key]


def build_reference_graph(cypher: Cypher) -> ReferenceGraph:
    """Create every known defect at least once, in the order of docs/migration.md."""
    rows = cypher("UNWIND range(1, $n) AS i CREATE (n:Pool) RETURN elementId(n) AS id", n=POOL)
    ids = sorted((row["id"] for row in rows), key=lambda id_: int(id_.split(":")[2]))
    g = ReferenceGraph(cypher, {}, iter(ids))
    _pypi(g)
    _npm(g)
    _others(g)
    _strays(g)
    cypher("MATCH (n:Pool) DELETE n")
    return g


def _pypi(g: ReferenceGraph) -> None:
    """Projects with several spellings."""
    # PyPI: a listed name with capitals, the same project from a requirement, and a third.
    g.package("django", "PyPIPackage", "Django", vendor="django", import_names=["django"])
    g.package(
        "django-twice",
        "PyPIPackage",
        "django",
        url="https://github.com/django/django",
        moment="2025-11-21T00:00:00",
    )
    g.package("typing", "PyPIPackage", "typing_extensions")
    g.package("typing-twice", "PyPIPackage", "typing-extensions")
    g.version("django-1.9", "django", "1.9", 1, release_date="2015-12-01T20:00:00")
    g.version("django-1.10", "django", "1.10", 0, vulnerabilities=["CVE-1"], mean=5.0)
    g.version("django-odd", "django", "final?", -1)
    g.version(
        "django-1.10-twice", "django-twice", "1.10", 0, vulnerabilities=["CVE-1", "CVE-2"], mean=6.0
    )
    g.version("django-2.0", "django-twice", "2.0", 1, mean=3.0, release_date="not a date")
    g.version("typing-4", "typing", "4.0", 0)
    g.version("typing-4-twice", "typing-twice", "4.0", 0)
    g.require("django-1.9", "typing", constraints=">=3,<4", parent_version_name="Django")
    g.require("django-1.10", "typing", constraints="", parent_version_name="Django")
    g.require("django-1.10", "typing-twice", constraints=">= 3", parent_version_name="Django")
    g.require("django-1.10-twice", "typing", constraints=">= 3, < 5")
    g.require("django-2.0", "typing", constraints="~= 4.0", parent_version_name="django")


def _npm(g: ReferenceGraph) -> None:
    """Names that differ in case, and a package that was processed twice."""
    # npm: packages that differ in case alone, a scoped one, one that has its own capitals.
    g.package("JSONStream", "NPMPackage", "JSONStream")
    g.package("jsonstream", "NPMPackage", "jsonstream")
    g.package("node", "NPMPackage", "@types/node", vendor=None)
    g.package("Buffer", "NPMPackage", "BufferList")
    g.version("JSONStream-1", "JSONStream", "1.0.0", release_date="2015-01-01T00:00:00.000Z")
    g.version("jsonstream-1", "jsonstream", "1.0.0+b", 0)
    g.version("node-1", "node", "1.0.0", 0)
    g.version("node-1-again", "node", "1.0.0", 1)  # processed twice
    g.version("Buffer-1", "Buffer", "0.1.0", 0)
    g.require("node-1", "jsonstream", constraints="1.2", parent_version_name="@types/node")
    g.require("node-1-again", "jsonstream", constraints="latest", parent_version_name="@types/node")
    g.require("node-1-again", "Buffer", parent_version_name="@types/node")


def _others(g: ReferenceGraph) -> None:
    """Maven, NuGet, gems and crates."""
    # Maven: coordinates beside a name in lower case, epoch milliseconds, bare versions.
    g.package(
        "maven",
        "MavenPackage",
        "com.foo:bar",
        group_id="com.Foo",
        artifact_id="Bar",
    )
    g.package("maven-dep", "MavenPackage", "org.dep:dep", group_id="org.dep", artifact_id="dep")
    g.version("maven-1", "maven", "1.0", 0, release_date=1420070400000, vulnerabilities=[])
    g.version("maven-2", "maven", "1.10", 0, release_date="1420070400000")
    g.version("maven-3", "maven", "1.9", 0)
    g.require("maven-1", "maven-dep", constraints="1.2.3", parent_version_name="com.Foo:Bar")
    g.require("maven-2", "maven-dep", constraints="${dep.version}")
    # NuGet: two cases of one id, versions that are the same when normalised.
    g.package("nuget", "NuGetPackage", "Newtonsoft.Json")
    g.package("nuget-twice", "NuGetPackage", "newtonsoft.json")
    g.version("nuget-1", "nuget", "1.0", 0)
    g.version("nuget-1-twice", "nuget-twice", "1.0.0", 0)
    g.require("nuget-1", "nuget", constraints=None, parent_version_name="x")
    # Gems and crates.
    g.package("gem", "RubyGemsPackage", "ZenTest")
    g.version("gem-1", "gem", "1.0", 0)
    g.version("gem-1-java", "gem", "1.0", 1)
    g.require("gem-1", "gem", constraints=">= 0, < 2")
    g.package("crate", "CargoPackage", "Inflector")
    g.version("crate-1", "crate", "1.0.0", 0, vulnerabilities=None)
    g.require("crate-1", "crate", constraints="1.2")


def _strays(g: ReferenceGraph) -> None:
    """Defects that are possible in any ecosystem."""
    # What is not a package, belongs to nobody or to too many, or leads nowhere.
    g.package("invalid", "PyPIPackage", "not a name!")
    g.version("invalid-1", "invalid", "1.0", 0)
    g.package("lost", "PyPIPackage", "-lost-")
    g.package("nameless", "PyPIPackage", None)
    g.version("nameless-1", "nameless", "1.0", 0)
    g.package("several-labels", "PyPIPackage:Old", "labelled")
    g.version("several-labels-1", "several-labels", "1", 0)
    g.cypher("MATCH (v) WHERE elementId(v) = $id SET v:Old", id=g.ids["several-labels-1"])
    g.package("sharer", "PyPIPackage", "sharer")
    g.version("shared", "sharer", "1.0", 0)
    g.package("owner", "PyPIPackage", "owner")
    g.link("owner", "shared")
    g.link("owner", "shared")
    g.require("shared", "typing", constraints="any", parent_version_name="owner")
    g.version("version-without-name", "owner", None, 3)
    g.cypher("CREATE (:Version {name: '9.9', serial_number: 0})")
    g.require("owner", "typing", constraints="any")
    g.require("crate-1", "gem", constraints="any")
    g.package("empty", "PyPIPackage", "empty", moment="2020-01-01")
    # Requirement files.
    g.file("requirements.txt", "PyPI")
    g.require("requirements.txt", "django", constraints="== 1.10", parent_version_name="x")
    g.require("requirements.txt", "django-twice", constraints="any")
    g.require("requirements.txt", "typing", constraints="")
    g.file("package.json", "NPM")
    g.require("package.json", "JSONStream", constraints="^1.0.0")
