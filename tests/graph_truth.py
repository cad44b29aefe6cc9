"""The contents of the graph in the form of the simulator's data."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from ssc_ingest.ecosystems import ecosystem, of_purl_type
from ssc_ingest.graph.values import iso_date
from tests import facts
from tests.simulator.client import Simulator
from tests.simulator.truth import PackageTruth, VersionTruth

_TABLES = ", ".join(f"v.{name}" for name in facts.TABLES)

Cypher = Callable[..., list[dict[str, Any]]]

PACKAGE = """
MATCH (p:%(label)s) WHERE p.purl IN $purls
RETURN p{.*} AS package, labels(p) AS labels, COLLECT {
  MATCH (p)-[:HAVE]->(v:Version)
  RETURN v{.*, requirements: COLLECT {
    MATCH (v)-[r:REQUIRE]->(d) RETURN [d.purl, r.constraints, r.parent_version_name, properties(r)]
  }, tables: COLLECT {
    MATCH (t:RequirementTable)
    WHERE t.digest IN [%(tables)s]
    RETURN [t.digest, t.table]
  }} ORDER BY v.serial_number
} AS versions
"""
"""By the label's index: without it, every node of a large graph is looked at for each package."""

AT_ONCE = 100
"""Packages in one query: a query for each takes longer than what it asks for."""

NAMES = "MATCH (p:%s) WHERE p.purl IN $purls RETURN p.purl AS purl, p.registry_name AS name"


def label_of(purl: str) -> str:
    """The label of a package's node."""
    found = of_purl_type(purl.removeprefix("pkg:").partition("/")[0])
    assert found is not None, purl
    return found.identity.label


def assert_graph_holds(cypher: Cypher, *truths: PackageTruth, links: bool = True) -> None:
    """Check that the graph has each package exactly once, equal to the registry's data.

    Args:
        cypher: runs a query.
        truths: the registry's data, of one registry.
        links: whether repository and vendor must be known (crates.io has them in the crate files,
            which are read only for packages that a caller named).
    """
    (registry,) = {truth.ecosystem for truth in truths}
    query = PACKAGE % {"label": ecosystem(registry).identity.label, "tables": _TABLES}
    for start in range(0, len(truths), AT_ONCE):
        batch = truths[start : start + AT_ONCE]
        found: dict[str, list[dict[str, Any]]] = {truth.purl: [] for truth in batch}
        for row in cypher(query, purls=list(found)):
            found[row["package"]["purl"]].append(row)
        for truth in batch:
            _assert_package(found[truth.purl], truth, links=links)


def _assert_package(rows: list[dict[str, Any]], truth: PackageTruth, *, links: bool) -> None:
    assert len(rows) == 1, f"{truth.purl} is in the graph {len(rows)} times"
    package, versions = rows[0]["package"], rows[0]["versions"]
    assert len(rows[0]["labels"]) == 1
    assert package["name"] == truth.name
    assert package["moment"] is not None
    assert package.get("latest") == truth.latest
    if links:
        assert (package["vendor"], package["repository_url"]) == (
            truth.vendor,
            truth.repository_url,
        )
    if truth.dist_tags is not None:
        assert json.loads(package["dist_tags"]) == truth.dist_tags
    assert [version["name"] for version in versions] == [v.name for v in truth.versions]
    assert [version["serial_number"] for version in versions] == list(range(len(versions)))
    for version, expected in zip(versions, truth.versions, strict=True):
        assert version["purl"] == expected.purl
        assert version.get("release_date") == iso_date(expected.release_date)
        assert version["yanked"] == expected.yanked
        assert version.get("requirements_unknown", False) == expected.unknown, expected.purl
        assert version["vulnerabilities"] == []
        assert (version["mean"], version["weighted_mean"]) == (0.0, 0.0)
        found = {purl: constraints for purl, constraints, *_ in version["requirements"]}
        assert found == expected.requirements, expected.purl
        assert len(found) == len(version["requirements"]), "a requirement is there twice"
        assert all(parent == truth.purl for _, _, parent, _ in version["requirements"])
        if expected.facts is not None:
            _assert_facts(version, expected)


def _assert_facts(version: dict[str, Any], expected: VersionTruth) -> None:
    """The version and its edges have exactly the facts that the truth has."""
    tables = dict(version["tables"])
    found = facts.values(
        {
            name: tables[value] if name in facts.TABLES and value else value
            for name, value in ((name, version.get(name)) for name in facts.OF_VERSIONS)
        }
    )
    assert found == expected.facts, expected.purl
    edges = {
        purl: facts.values({name: edge.get(name) for name in facts.OF_REQUIREMENTS})
        for purl, _, _, edge in version["requirements"]
    }
    assert {purl: edge for purl, edge in edges.items() if edge} == expected.edges, expected.purl


def assert_closure_is_filled(
    cypher: Cypher, simulator: Simulator, registry: str, purls: Iterable[str]
) -> None:
    """Check that each of these packages is in the graph, exactly once and correct."""
    wanted = sorted(purls)
    rows = cypher(NAMES % ecosystem(registry).identity.label, purls=wanted)
    names = {row["purl"]: row["name"] for row in rows}
    assert set(wanted) == set(names), "packages are not in the graph"
    truths = [simulator.truth(registry, names[purl]) for purl in wanted]
    assert_graph_holds(cypher, *truths, links=registry != "cargo")


def snapshot(cypher: Cypher) -> tuple[list[Any], list[Any]]:
    """Every node and edge with its identity, to compare before and after."""
    nodes = cypher("MATCH (n) RETURN elementId(n) AS id, n.purl AS purl ORDER BY id")
    edges = cypher(
        "MATCH (a)-[r]->(b) RETURN elementId(r) AS id, elementId(a) AS a, elementId(b) AS b, "
        "r.constraints AS constraints ORDER BY id"
    )
    return nodes, edges
