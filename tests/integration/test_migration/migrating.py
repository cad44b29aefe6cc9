"""Migrates a graph, and reads the result."""

import json
from typing import Any, NamedTuple

from neo4j import AsyncDriver

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.graph.audits import audit, questions
from ssc_ingest.graph.schema import ensure_schema, missing_indexes
from ssc_ingest.migration import migrate
from tests.conftest import Cypher

LABELS = [cls.identity.label for cls in ecosystems().values()]

NODES = "MATCH (n) RETURN labels(n) AS labels, properties(n) AS properties"
EDGES = """
MATCH (a)-[r]->(b)
RETURN coalesce(a.purl, a.name) AS a, type(r) AS r, properties(r) AS p, b.purl AS b
"""


class Silent:
    """A progress without output."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, title: str, total: int | None, done: int = 0) -> None:
        pass

    def advance(self, amount: int) -> None:
        pass

    def say(self, text: str) -> None:
        self.said.append(text)


class Migrated(NamedTuple):
    """The contents of a migrated graph."""

    ids: dict[str, str]
    """Element ids of what it had before, by the names in :mod:`tests.reference_graph`."""
    said: list[str]
    """What the migration told its user."""


def drop_schema(cypher: Cypher) -> None:
    """Drop all constraints and indexes of our labels."""
    for row in cypher("SHOW CONSTRAINTS YIELD name"):
        cypher(f"DROP CONSTRAINT {row['name']}")
    for row in cypher("SHOW INDEXES YIELD name, type WHERE type = 'RANGE'"):
        cypher(f"DROP INDEX {row['name']}")


def empty(cypher: Cypher) -> None:
    """Remove all nodes and the schema."""
    cypher("MATCH (n) DETACH DELETE n")
    drop_schema(cypher)


async def run(driver: AsyncDriver) -> Any:
    """Migrate everything."""
    return await migrate(driver, ecosystems().values(), Silent())


def content(cypher: Cypher) -> tuple[list[str], list[str]]:
    """Everything in the graph, independent of element ids."""
    return lines(cypher(NODES)), lines(cypher(EDGES))


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """Rows and their properties in a fixed order."""
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)


def package(cypher: Cypher, purl: str) -> dict[str, Any]:
    """A package's properties, with ``id``, ``labels`` and ``versions`` (name -> properties)."""
    rows = cypher(
        "MATCH (p {purl: $purl}) WHERE NOT p:Version RETURN elementId(p) AS id, "
        "labels(p) AS labels, properties(p) AS p, COLLECT { MATCH (p)-[:HAVE]->(v) "
        "RETURN v{.*, id: elementId(v), labels: labels(v), requires: COLLECT { "
        "MATCH (v)-[r:REQUIRE]->(d) RETURN [d.purl, r.constraints, r.parent_version_name] }} "
        "ORDER BY v.serial_number} AS versions",
        purl=purl,
    )
    assert len(rows) == 1, f"{purl} is there {len(rows)} times"
    row = rows[0]
    versions = {v["name"]: v for v in row["versions"]}
    assert [v["serial_number"] for v in row["versions"]] == list(range(len(versions)))
    return {**row["p"], "id": row["id"], "labels": row["labels"], "versions": versions}


async def assert_contract(driver: AsyncDriver) -> None:
    """Check that the schema exists, and that the audits find nothing."""
    await ensure_schema(driver, LABELS)
    assert await missing_indexes(driver, LABELS) == []
    for subject, statement in questions(LABELS):
        finding = await audit(driver, subject, statement, timeout=30)
        assert finding.found == 0, finding
