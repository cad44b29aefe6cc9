"""After a migration: a second one, which changes nothing, and the next extraction."""

from neo4j import AsyncDriver

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.writer import GraphWriter
from tests.conftest import Cypher
from tests.integration.test_graph.packages import package as read_package
from tests.integration.test_migration.migrating import LABELS, content, package, run
from tests.reference_graph import ReferenceGraph


async def test_a_second_migration_changes_nothing(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Even the element ids of edges stay, and the output says so."""
    await run(driver)
    before = content(cypher)
    ids = cypher("MATCH (n) RETURN elementId(n) AS id ORDER BY id")
    edges = cypher("MATCH ()-[r]->() RETURN elementId(r) AS id ORDER BY id")

    counts = await run(driver)

    assert content(cypher) == before
    assert cypher("MATCH (n) RETURN elementId(n) AS id ORDER BY id") == ids
    assert cypher("MATCH ()-[r]->() RETURN elementId(r) AS id ORDER BY id") == edges
    assert {key for key, n in counts.items() if n} <= {"packages_invalid", "packages_twins"}


async def test_the_next_extraction_corrects_requirements(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """On the same nodes: wrong edges of the old program are removed, nothing is duplicated."""
    await run(driver)
    await ensure_schema(driver, LABELS)
    known = package(cypher, "pkg:pypi/django")
    read = read_package("django", {"1.9": {"sqlparse": "any"}, "1.10": {}, "2.0": None, "3.0": {}})

    async with GraphWriter(driver) as writer:
        await writer.write(read, order=ecosystems()["pypi"].order)

    found = package(cypher, "pkg:pypi/django")
    assert found["id"] == known["id"]
    assert list(found["versions"]) == ["final?", "1.9", "1.10", "2.0", "3.0"]
    for name, version in known["versions"].items():
        assert found["versions"][name]["id"] == version["id"]
    assert found["versions"]["1.9"]["requires"] == [["pkg:pypi/sqlparse", "any", found["purl"]]]
    assert found["versions"]["1.10"]["requires"] == []
    assert found["versions"]["2.0"]["requires"] == known["versions"]["2.0"]["requires"]
