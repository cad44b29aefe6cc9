"""Statements per page read only that page."""

from collections.abc import Iterator
from typing import Any

from neo4j import AsyncDriver

from ssc_ingest.migration import packages, requirements
from ssc_ingest.migration import versions as versions_module
from ssc_ingest.migration.indexes import create_indexes
from tests.integration.test_migration.migrating import LABELS
from tests.reference_graph import ReferenceGraph

SCANS = ("AllNodesScan", "LabelScan", "LabelsScan", "TypeScan", "RelationshipsScan", "IndexScan")
SCANS_ONCE = {"NAME_UNNAMED"}
"""What no index can find is looked for once per label."""


def paged_statements() -> Iterator[tuple[str, str]]:
    """Every statement that is sent once per page or transaction, with its name."""
    for module in (packages, versions_module, requirements):
        for name, text in vars(module).items():
            is_statement = name.isupper() and isinstance(text, str) and "MATCH" in text
            if is_statement and not name.startswith("_") and name not in SCANS_ONCE:
                yield f"{module.__name__}.{name}", text


def operators_of(plan: dict[str, Any]) -> Iterator[str]:
    """The operators of a plan from the last to the first, without the name of the planner."""
    yield plan["operatorType"].partition("@")[0]
    for child in plan.get("children", ()):
        yield from operators_of(child)


async def test_no_page_scans(old: ReferenceGraph, driver: AsyncDriver) -> None:
    """Nodes are found by an index or an id, and pages come in the index's order, unsorted."""
    await create_indexes(driver, LABELS)
    paged = list(paged_statements())
    assert len(paged) > 10
    for name, text in paged:
        async with driver.session() as session:
            result = await session.run("EXPLAIN " + text % {"label": "PyPIPackage"})
            plan = (await result.consume()).plan
        assert plan
        operators = list(operators_of(plan))
        assert not [each for each in operators if each.endswith(SCANS)], (name, operators)
        assert any("Seek" in each for each in operators), name
        if "LIMIT $names" in text or "LIMIT $packages" in text:
            below = operators[operators.index("Limit") :]
            assert not {"Sort", "Top"} & set(below), (name, operators)
