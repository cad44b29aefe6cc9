"""Constraints and indexes, and statements that use them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from neo4j import AsyncDriver

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.graph import (
    attributions,
    dependents,
    facts,
    import_names,
    reader,
    requirement_files,
    staleness,
    statements,
    views,
)
from ssc_ingest.graph.driver import ping
from ssc_ingest.graph.schema import ensure_schema, missing_indexes, required_indexes
from tests.conftest import Cypher
from tests.integration.test_graph.packages import LABELS

LABEL = "TestedPackage"


@pytest.fixture
async def bare_label(clean_graph: None, cypher: Cypher) -> AsyncIterator[str]:
    """A label that has no constraints or indexes before and after the test."""
    drop_schema(cypher)
    yield LABEL
    cypher("MATCH (n) DETACH DELETE n")
    drop_schema(cypher)


def drop_schema(cypher: Cypher) -> None:
    """Remove the schema of the label."""
    constraints = "SHOW CONSTRAINTS YIELD name, labelsOrTypes AS l WHERE l = [$l] RETURN name"
    for row in cypher(constraints, l=LABEL):
        cypher(f"DROP CONSTRAINT {row['name']}")
    indexes = "SHOW INDEXES YIELD name, labelsOrTypes AS l WHERE l = [$l] RETURN name"
    for row in cypher(indexes, l=LABEL):
        cypher(f"DROP INDEX {row['name']}")


async def test_the_server_says_who_it_is(driver: AsyncDriver) -> None:
    """Version, edition and APOC, which the graph's readers need."""
    server = await ping(driver)

    assert server.version.startswith("5.26.")
    assert server.edition == "community"
    assert server.has_apoc


async def test_every_label_gets_its_indexes(
    bare_label: str, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Unique purls, plain names and moments; all filled when the call returns."""
    labels = [*LABELS.values(), bare_label]

    await ensure_schema(driver, labels)

    found = cypher(
        "SHOW INDEXES YIELD labelsOrTypes AS l, properties AS p, state, owningConstraint AS c "
        "WHERE l = [$label] RETURN p[0] AS key, state, c IS NOT NULL AS is_unique ORDER BY key",
        label=bare_label,
    )
    assert found == [
        {"key": "import_names", "state": "ONLINE", "is_unique": False},
        {"key": "import_names_from", "state": "ONLINE", "is_unique": False},
        {"key": "moment", "state": "ONLINE", "is_unique": False},
        {"key": "name", "state": "ONLINE", "is_unique": False},
        {"key": "purl", "state": "ONLINE", "is_unique": True},
        {"key": "versions_without_facts", "state": "ONLINE", "is_unique": False},
    ]
    assert await missing_indexes(driver, labels) == []


async def test_processes_may_create_the_schema_at_once(
    bare_label: str, driver: AsyncDriver
) -> None:
    """Workers start together, and all of them succeed."""
    await asyncio.gather(*(ensure_schema(driver, [bare_label]) for _ in range(6)))
    await ensure_schema(driver, [bare_label])

    assert await missing_indexes(driver, [bare_label]) == []


async def test_a_graph_without_purls_is_refused(
    bare_label: str, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Packages of the reference implementation must be migrated first."""
    cypher(f"CREATE (:{bare_label} {{name: 'Requests', moment: localdatetime()}})")

    with pytest.raises(ConfigurationError, match=r"'Requests'.*`ssc-ingest migrate`"):
        await ensure_schema(driver, [bare_label])

    assert len(await missing_indexes(driver, [bare_label])) == 6


async def test_two_packages_with_one_purl_are_refused(
    bare_label: str, driver: AsyncDriver, cypher: Cypher
) -> None:
    """A violated constraint is reported as an operator's problem."""
    cypher(f"UNWIND [1, 2] AS n CREATE (:{bare_label} {{purl: 'pkg:pypi/a'}})")

    with pytest.raises(ConfigurationError, match="cannot be made unique"):
        await ensure_schema(driver, [bare_label])


async def test_a_label_is_a_plain_word(driver: AsyncDriver) -> None:
    """Labels become part of statements, so other characters are rejected."""
    with pytest.raises(ValueError, match="cannot be a graph label"):
        await ensure_schema(driver, ["A) DETACH DELETE (n"])


SCANS = ("AllNodesScan", "LabelScan", "LabelsScan", "TypeScan", "RelationshipsScan", "IndexScan")
MODULES = (
    statements,
    import_names,
    reader,
    views,
    staleness,
    facts,
    requirement_files,
    dependents,
)
OF_ATTRIBUTION = (attributions.ATTRIBUTED_VERSIONS, attributions.PACKAGES_BEHIND)
"""Its other statements count or draw among all packages."""


def all_statements() -> Iterator[Any]:
    """Every Cypher constant of the modules that workers and the CLI use."""
    for module in MODULES:
        for name, text in vars(module).items():
            if name.isupper() and isinstance(text, str) and " " in text:
                yield pytest.param(name, text, id=name.lower())
    for text in OF_ATTRIBUTION:
        yield pytest.param("attribution", text)


@pytest.fixture(scope="module")
def populated(driver: AsyncDriver, cypher: Cypher) -> Iterator[None]:
    """Nodes for the planner's statistics: on an empty graph it prefers scans."""
    cypher("MATCH (n) DETACH DELETE n")
    cypher(
        "UNWIND range(1, 100) AS n "
        "CREATE (:PyPIPackage {purl: 'p' + n, name: 'n' + n, moment: localdatetime()})"
        "-[:HAVE]->(:Version {purl: 'v' + n, name: '1'})"
    )
    cypher("CALL db.prepareForReplanning()")
    yield
    cypher("MATCH (n) DETACH DELETE n")


@pytest.mark.parametrize(("name", "text"), list(all_statements()))
async def test_no_statement_scans(
    driver: AsyncDriver, populated: None, name: str, text: str
) -> None:
    """The planner finds every node by an index or an id (counts may read a whole index)."""
    async with driver.session() as session:
        result = await session.run("EXPLAIN " + text % {"label": "PyPIPackage"})
        plan = (await result.consume()).plan
    assert plan
    operators = list(operators_of(plan))
    scans = [operator for operator in operators if operator.endswith(SCANS)]
    allowed = ["NodeIndexScan"] if name in {"COUNTS", "AGES"} else []
    assert [scan for scan in scans if scan not in allowed] == []
    if name == "IMPORTED_AS":
        assert "ProcedureCall" in operators  # of a full-text index
    else:
        assert any("Seek" in operator or "Count" in operator for operator in operators)


def operators_of(plan: dict[str, Any]) -> Iterator[str]:
    """The operators of a plan, without the name of the planner."""
    yield plan["operatorType"].partition("@")[0]
    for child in plan.get("children", ()):
        yield from operators_of(child)


def test_the_inventory_of_statements_is_complete() -> None:
    """Every statement is in one of the two tables, so tests and tools find all of them."""
    constants = {
        name
        for name, text in vars(statements).items()
        if name.isupper() and isinstance(text, str) and ("MATCH" in text or "MERGE" in text)
    }
    assert constants == {*statements.WITH_LABEL, *statements.WITHOUT_LABEL}
    assert statements.WITH_LABEL
    assert all("%(label)s" in text for text in statements.WITH_LABEL.values())
    assert all("%(label)s" not in text for text in statements.WITHOUT_LABEL.values())


def test_indexes_are_computed_from_labels() -> None:
    """A new ecosystem's indexes follow from its label."""
    indexes = required_indexes(["NewPackage"])
    assert {index.label for index in indexes} >= {"NewPackage", "Version"}
    for index in indexes:
        assert "NewPackage" in index.statement or index.label in {
            "Version",
            "RequirementFile",
            "RequirementTable",
        }
