"""The queries of the services that read the graph.

These are the services' own queries, written down here so that a change of the data contract fails a
test. Services that read through APOC need it.
"""

from dataclasses import replace
from typing import Any

import pytest
from univers.version_range import (
    GemVersionRange,
    MavenVersionRange,
    NpmVersionRange,
    NugetVersionRange,
    PypiVersionRange,
)

from ssc_ingest.graph.changes import ParentEdge
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Package
from tests.conftest import Cypher
from tests.integration.test_graph.packages import LABELS, order, package

FILE = """
CREATE (f:RequirementFile {name: $n, manager: $m, moment: localdatetime()})
RETURN elementId(f) AS id
"""

PACKAGE_STATUS = """
MATCH (p:%(label)s {name: $name})-[:HAVE]->(v:Version)
WITH p, v ORDER BY v.serial_number DESC
WITH p, collect(v{.*}) AS versions
RETURN p{.*, versions: versions} AS package
"""
VERSION_STATUS = """
MATCH (p:%(label)s {name: $name})-[:HAVE]->(v:Version {name: $version})
RETURN v{.*, id: elementId(v)} AS version
"""
PACKAGES_OF_FILE = """
MATCH (f:RequirementFile) WHERE elementId(f) = $file
MATCH (f)-[r:REQUIRE]->(p)
RETURN apoc.map.fromPairs(collect([p.name, r.constraints])) AS requirements
"""
EXPAND_VERSION = """
MATCH (v:Version {purl: $version_purl})-[r:REQUIRE]->(p)
RETURN collect({name: p.name, vendor: p.vendor, repository_url: p.repository_url, purl: p.purl,
                label: labels(p)[0], constraints: r.constraints,
                parent: r.parent_version_name}) AS dependencies
"""
EXPAND_FILE = """
MATCH (f:RequirementFile)-[r]->(p) WHERE elementId(f) = $file
RETURN collect({name: p.name, vendor: p.vendor, repository_url: p.repository_url, purl: p.purl,
                label: labels(p)[0], relation: type(r), constraints: r.constraints,
                parent: r.parent_version_name}) AS dependencies
"""
EXPAND_PACKAGE = """
MATCH (p:%(label)s {purl: $purl})-[:HAVE]->(v:Version)
RETURN collect({name: v.name, release_date: v.release_date, serial_number: v.serial_number,
                vulnerabilities: v.vulnerabilities, purl: v.purl}) AS versions
"""
SSC_INFO = """
MATCH (start) WHERE elementId(start) = $file
CALL apoc.path.expandConfig(start, {
  relationshipFilter: 'REQUIRE>|HAVE>', labelFilter: '+%(label)s|+Version', maxLevel: 4,
  uniqueness: 'NODE_GLOBAL'
}) YIELD path
WITH last(nodes(path)) AS node, last(relationships(path)) AS edge
RETURN collect(CASE WHEN node:Version
  THEN {version: node.name, mean: node.mean, weighted_mean: node.weighted_mean,
        serial_number: node.serial_number, vulnerabilities: node.vulnerabilities}
  WHEN node IS NOT NULL AND edge IS NOT NULL
  THEN {package: node.name, vendor: node.vendor, constraints: edge.constraints} END) AS found
"""
SMT_MODEL = """
MATCH (f:RequirementFile) WHERE elementId(f) = $file
CALL apoc.path.subgraphAll(f, {relationshipFilter: '>', maxLevel: 6}) YIELD relationships
UNWIND relationships AS r
WITH type(r) AS kind, startNode(r) AS s, endNode(r) AS e, r
RETURN
  [row IN collect(CASE kind WHEN 'REQUIRE' THEN {
     parent_serial_number: s.serial_number, dependency: e.purl, constraints: r.constraints,
     parent_version_name: r.parent_version_name,
     type: CASE WHEN r.parent_version_name IS NULL THEN 'direct' ELSE 'indirect' END} END)
   WHERE row IS NOT NULL] AS requires,
  apoc.coll.sortMaps([row IN collect(CASE kind WHEN 'HAVE' THEN {
     dependency: s.purl, release: e.name, serial_number: e.serial_number, mean: e.mean,
     weighted_mean: e.weighted_mean} END) WHERE row IS NOT NULL], 'serial_number') AS have
"""
VERSION_BY_SERIAL_NUMBER = """
MATCH (p {purl: $purl})-[:HAVE]->(v:Version {serial_number: 1}) RETURN v.name AS name
"""
SERIAL_NUMBER_OF_VERSION = """
MATCH (p {name: $name})-[:HAVE]->(v:Version {name: $version}) RETURN v.serial_number AS number
"""
EXISTS = """
MATCH (p:%(label)s {name: $name}) RETURN count(p) AS packages
"""
IMPORT_NAMES = """
MATCH (p:%(label)s {name: $name})
RETURN p.import_names + [p.name] + [coalesce(p.group_id, '')] AS names
"""
VULNERABILITIES = """
MATCH (p:%(label)s {name: $name})-[:HAVE]->(v:Version {name: $version})
UNWIND CASE v.vulnerabilities WHEN [] THEN ['(none)'] ELSE v.vulnerabilities END AS id
RETURN id
"""


TEXTS: dict[str, Any] = dict.fromkeys(
    (
        *("requires_python", "engines", "license", "license_spdx", "deprecated"),
        *("features", "extra_requirements", "peer_requirements"),
    ),
    "{}",
)


@pytest.fixture(params=sorted(LABELS))
async def seeded(
    request: pytest.FixtureRequest, writer: GraphWriter, cypher: Cypher
) -> dict[str, Any]:
    """A requirement file, its package, and that package's requirements, of one ecosystem."""
    ecosystem = request.param
    manager = LABELS[ecosystem].removesuffix("Package")
    file = cypher(FILE, n="requirements", m=manager)[0]["id"]
    core = package("core", {"0.9": {}, "1.0": {}}, ecosystem=ecosystem)
    web = package(
        "web", {"1.0": {"core": ">= 0.9"}, "2.0": {"core": ">= 1.0"}}, ecosystem=ecosystem
    )
    await writer.write(with_facts(web), order=order, edges=[ParentEdge(file, ">= 1.0")])
    await writer.write(core, order=order)
    return {
        "label": LABELS[ecosystem],
        "file": file,
        "name": "web",
        "purl": f"pkg:{ecosystem}/web",
        "version": "2.0",
        "version_purl": f"pkg:{ecosystem}/web@2.0",
        "core": f"pkg:{ecosystem}/core",
    }


def with_facts(package: Package) -> Package:
    """The package with all that readers need not know of."""
    versions = tuple(
        replace(
            version,
            requirements=tuple(
                replace(requirement, kind="build", optional=True, declared='[{"target":"x"}]')
                for requirement in version.requirements or ()
            ),
            **TEXTS,
            os=("linux",),
            cpu=("x64",),
        )
        for version in package.versions
    )
    return replace(package, versions=versions, dist_tags="{}")


def ask(cypher: Cypher, query: str, seeded: dict[str, Any]) -> dict[str, Any]:
    """Run a read like its service, for one record."""
    (record,) = cypher(query % seeded, **seeded)
    return record


async def test_package_status(seeded: dict[str, Any], cypher: Cypher) -> None:
    """All properties of package and versions, with types that become JSON (read 1)."""
    found = ask(cypher, PACKAGE_STATUS, seeded)["package"]

    assert found["purl"] == seeded["purl"]
    assert found.pop("moment").to_native()
    versions = found.pop("versions")
    assert [version["serial_number"] for version in versions] == [1, 0]
    assert [version["vulnerabilities"] for version in versions] == [[], []]
    for properties in (found, *versions):
        for key, value in properties.items():
            assert isinstance(value, (str, int, float, bool, list)), key


async def test_version_status(seeded: dict[str, Any], cypher: Cypher) -> None:
    """One version with its elementId (read 2)."""
    found = ask(cypher, VERSION_STATUS, seeded)["version"]

    assert found["purl"] == seeded["version_purl"]
    assert found["id"].startswith("4:")
    assert (found["mean"], found["weighted_mean"], found["vulnerabilities"]) == (0.0, 0.0, [])


async def test_packages_of_a_file(seeded: dict[str, Any], cypher: Cypher) -> None:
    """Names and constraints (read 3)."""
    assert ask(cypher, PACKAGES_OF_FILE, seeded)["requirements"] == {"web": ">= 1.0"}


async def test_expand_a_version(seeded: dict[str, Any], cypher: Cypher) -> None:
    """The dependencies of a version, marked as indirect (read 4)."""
    assert ask(cypher, EXPAND_VERSION, seeded)["dependencies"] == [
        {
            "name": "core",
            "vendor": "somebody",
            "repository_url": "https://example.org/core",
            "purl": seeded["core"],
            "label": seeded["label"],
            "constraints": ">= 1.0",
            "parent": seeded["purl"],
        }
    ]


async def test_expand_a_file(seeded: dict[str, Any], cypher: Cypher) -> None:
    """The dependencies of a file, by one kind of relationship, marked as direct (read 5)."""
    (found,) = ask(cypher, EXPAND_FILE, seeded)["dependencies"]

    assert (found["purl"], found["relation"], found["parent"]) == (
        seeded["purl"],
        "REQUIRE",
        None,
    )


async def test_expand_a_package(seeded: dict[str, Any], cypher: Cypher) -> None:
    """Versions with all properties that the service filters by (read 6)."""
    found = ask(cypher, EXPAND_PACKAGE, seeded)["versions"]

    assert {version["name"] for version in found} == {"1.0", "2.0"}
    assert all(value is not None for version in found for value in version.values())


async def test_supply_chain_information(seeded: dict[str, Any], cypher: Cypher) -> None:
    """Packages and versions around a file, up to a depth (read 7)."""
    found = [row for row in ask(cypher, SSC_INFO, seeded)["found"] if row]

    assert {row["package"] for row in found if "package" in row} == {"web", "core"}
    versions = sorted(row["version"] for row in found if "version" in row)
    assert versions == ["0.9", "1.0", "1.0", "2.0"]


async def test_the_solvers_model(seeded: dict[str, Any], cypher: Cypher) -> None:
    """Every indirect requirement names a package whose versions are in the model (read 8)."""
    model = ask(cypher, SMT_MODEL, seeded)

    packages = {row["dependency"] for row in model["have"]}
    assert packages == {seeded["purl"], seeded["core"]}
    assert {row["dependency"] for row in model["requires"]} == packages
    direct = [row for row in model["requires"] if row["type"] == "direct"]
    assert [row["dependency"] for row in direct] == [seeded["purl"]]
    for row in model["requires"]:
        if row["type"] == "indirect":
            assert row["parent_version_name"] in packages
            assert row["parent_serial_number"] is not None
    numbers = [row["serial_number"] for row in model["have"]]
    assert numbers == sorted(numbers, reverse=True)


async def test_version_by_serial_number_and_back(seeded: dict[str, Any], cypher: Cypher) -> None:
    """The solver's number becomes a version name, and a name a number (reads 9 and 10)."""
    assert ask(cypher, VERSION_BY_SERIAL_NUMBER, seeded) == {"name": "2.0"}
    assert ask(cypher, SERIAL_NUMBER_OF_VERSION, seeded) == {"number": 1}


async def test_existence_is_asked_by_name(seeded: dict[str, Any], cypher: Cypher) -> None:
    """One node per name and label (read 11)."""
    assert ask(cypher, EXISTS, seeded) == {"packages": 1}


async def test_a_service_may_link_and_unlink_files(
    seeded: dict[str, Any], cypher: Cypher, writer: GraphWriter
) -> None:
    """Edges that the owner of a file creates, updates and deletes itself (read 12)."""
    core = "MATCH (f:RequirementFile), (p:%(label)s {name: 'core'}) WHERE elementId(f) = $file "
    cypher(core % seeded + "CREATE (f)-[:REQUIRE {constraints: 'any'}]->(p)", **seeded)
    by_name = "MATCH (f:RequirementFile)-[r:REQUIRE]->({name: 'core'}) "
    cypher(by_name + "SET r.constraints = '== 1.0'")
    assert cypher(by_name + "RETURN r.constraints AS c") == [{"c": "== 1.0"}]

    cypher(by_name + "DELETE r")

    assert ask(cypher, PACKAGES_OF_FILE, seeded)["requirements"] == {"web": ">= 1.0"}


async def test_import_names(seeded: dict[str, Any], cypher: Cypher) -> None:
    """Names that source code imports, including the package's own name (read 13)."""
    assert ask(cypher, IMPORT_NAMES, seeded) == {"names": ["web", "web", ""]}


async def test_a_stub_has_a_list_of_import_names(writer: GraphWriter, cypher: Cypher) -> None:
    """A null would discard names that a service appends."""
    await writer.write(package("web", {"1.0": {"core": "any"}}), order=order)

    found = cypher(IMPORT_NAMES % {"label": "PyPIPackage"}, name="core")
    assert found == [{"names": ["core", ""]}]


async def test_vulnerabilities_of_a_version(seeded: dict[str, Any], cypher: Cypher) -> None:
    """A list that can be iterated, empty before attribution (read 14)."""
    assert ask(cypher, VULNERABILITIES, seeded) == {"id": "(none)"}


async def test_labels_and_relationships_are_those_of_the_contract(
    seeded: dict[str, Any], cypher: Cypher
) -> None:
    """Nodes have one label each, and only the agreed relationships."""
    rows = cypher("MATCH (n) RETURN DISTINCT labels(n) AS labels")
    assert sorted(row["labels"] for row in rows) == sorted(
        [[seeded["label"]], ["RequirementFile"], ["RequirementTable"], ["Version"]]
    )
    rows = cypher(
        "MATCH (a)-[r]->(b) RETURN DISTINCT labels(a)[0] AS a, type(r) AS r, labels(b)[0] AS b"
    )
    assert {(row["a"], row["r"], row["b"]) for row in rows} == {
        (seeded["label"], "HAVE", "Version"),
        ("Version", "REQUIRE", seeded["label"]),
        ("RequirementFile", "REQUIRE", seeded["label"]),
    }


RANGES = [
    ("pypi", PypiVersionRange, ">= 1.0, < 2"),
    ("pypi", PypiVersionRange, "!= 0.9.0"),
    ("npm", NpmVersionRange, "^1.0.0 || ^0.9.0"),
    ("npm", NpmVersionRange, "~1.0"),
    ("cargo", NpmVersionRange, ">=0.9.0, <2"),
    ("maven", MavenVersionRange, "[0.9.0],[1.0,2.0)"),
    ("gem", GemVersionRange, "~> 1.0, != 1.0.1"),
    ("nuget", NugetVersionRange, "[0.9.0, 2.0.0)"),
]


@pytest.mark.parametrize(("ecosystem", "range_class", "constraints"), RANGES)
async def test_constraints_arrive_as_the_solver_evaluates_them(
    writer: GraphWriter,
    cypher: Cypher,
    ecosystem: str,
    range_class: Any,
    constraints: str,
) -> None:
    """The text is in the ecosystem's notation, and selects some of the graph's versions."""
    core = package("core", ["0.9.0", "1.0.0"], ecosystem=ecosystem)
    web = package("web", {"1.0.0": {"core": constraints}}, ecosystem=ecosystem)
    await writer.write(web, order=order)
    await writer.write(core, order=order)

    rows = cypher(
        "MATCH (:Version)-[r:REQUIRE]->()-[:HAVE]->(v) "
        "RETURN r.constraints AS constraints, collect(v.name) AS versions"
    )

    assert [row["constraints"] for row in rows] == [constraints]
    accepted = range_class.from_native(constraints)
    assert [name for name in rows[0]["versions"] if range_class.version_class(name) in accepted]
