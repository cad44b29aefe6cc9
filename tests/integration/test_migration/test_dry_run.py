"""A dry run writes nothing and counts the changes."""

from neo4j import AsyncDriver

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.migration import survey
from tests.conftest import Cypher
from tests.integration.test_migration.migrating import Silent, content, run
from tests.reference_graph import ReferenceGraph


async def test_a_dry_run_writes_nothing_and_counts(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """A dry run writes neither nodes nor indexes.

    It counts all changes except the consequences of merging.
    """
    before = content(cypher), cypher("SHOW INDEXES YIELD name RETURN name")

    foreseen = await survey(driver, ecosystems().values(), Silent())

    assert (content(cypher), cypher("SHOW INDEXES YIELD name RETURN name")) == before
    done = await run(driver)
    for key in (
        "packages_merged", "packages_invalid", "packages_deleted", "packages_twins",
        "requirements_unreadable", "requirements_deleted", "file_requirements_changed",
    ):  # fmt: skip
        assert foreseen[key] == done[key], key
    assert 0 < foreseen["versions_merged"] <= done["versions_merged"]
    assert foreseen["versions_changed"] > 0
    assert foreseen["requirements_changed"] > 0
