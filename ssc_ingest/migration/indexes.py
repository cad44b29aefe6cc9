"""The indexes of the migration, some of them temporary.

The unique constraint on ``purl`` can be created only after all purls exist. Until then a plain
index finds them; it also prevents workers from creating the constraint too early.
"""

from collections.abc import Iterable

from neo4j import AsyncDriver, RoutingControl

from ssc_ingest.graph.errors import translated
from ssc_ingest.graph.schema import AWAIT_INDEXES, FILL_SECONDS, Index
from ssc_ingest.graph.statements import check_label

PURL_INDEXES = """
SHOW INDEXES YIELD name, labelsOrTypes, properties, type, owningConstraint, state
WHERE type = 'RANGE' AND properties = ['purl'] AND size(labelsOrTypes) = 1
RETURN name, labelsOrTypes[0] AS label, owningConstraint IS NOT NULL AS is_unique
"""
"""Indexes for look-ups by purl."""


async def create_indexes(driver: AsyncDriver, labels: Iterable[str]) -> None:
    """Create indexes on name and purl of every package label; waits until they are filled."""
    labels = tuple(labels)
    with translated("the migration's indexes"):
        answer = await driver.execute_query(PURL_INDEXES, routing_=RoutingControl.READ)
        present = {row["label"] for row in answer.records}
        for label in labels:
            await driver.execute_query(Index(label, "name").statement)
            if label not in present:
                await driver.execute_query(
                    f"CREATE INDEX migration_{label.lower()}_purl IF NOT EXISTS "
                    f"FOR (node:{check_label(label)}) ON (node.purl)"
                )
        await driver.execute_query(AWAIT_INDEXES, seconds=FILL_SECONDS)


async def drop_indexes(driver: AsyncDriver, labels: Iterable[str]) -> None:
    """Drop all plain indexes on purls, which would prevent the constraints."""
    wanted = {*labels, "Version"}
    with translated("the migration's indexes"):
        answer = await driver.execute_query(PURL_INDEXES, routing_=RoutingControl.READ)
        for row in answer.records:
            if row["label"] in wanted and not row["is_unique"]:
                name = row["name"].replace("`", "``")
                await driver.execute_query(f"DROP INDEX `{name}` IF EXISTS")
