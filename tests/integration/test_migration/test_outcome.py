"""A migrated graph keeps the data contract and serves its readers."""

import pytest
from neo4j import AsyncDriver

from ssc_ingest.graph.properties import VERSION
from ssc_ingest.graph.values import FEW, FLAG
from tests.conftest import Cypher
from tests.integration.test_graph import test_consumer_reads as reads
from tests.integration.test_migration.migrating import NODES, Migrated, assert_contract


async def test_all_properties_are_those_of_the_contract(
    migrated: Migrated, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Types become JSON, there are no digests or temporary data, and the readers' reads succeed."""
    await assert_contract(driver)
    known = [p for p in VERSION.properties if p.default is not None and p.type not in {FLAG, FEW}]
    always = {p.name for p in known} | {"release_date"}  # flags and rare lists are sparse
    for row in cypher(NODES):
        if row["labels"] == ["Version"]:
            properties = row["properties"]
            assert set(properties) | {"release_date"} == always
            assert isinstance(properties["yanked"], bool)
        else:
            assert row["labels"] != ["SscIngestMigration"]
    names = cypher("SHOW INDEXES YIELD name WHERE name STARTS WITH 'migration' RETURN name")
    assert names == []


@pytest.mark.parametrize(
    ("file", "label", "name", "purl", "version"),
    [
        ("requirements.txt", "PyPIPackage", "django", "pkg:pypi/django", "1.10"),
        ("package.json", "NPMPackage", "JSONStream", "pkg:npm/JSONStream", "1.0.0"),
    ],
)
def test_the_readers_queries_find_what_they_want(
    migrated: Migrated,
    cypher: Cypher,
    *,
    file: str,
    label: str,
    name: str,
    purl: str,
    version: str,
) -> None:
    """By name, by purl, and from a requirement file, complete for a solver."""
    asked = {
        "file": migrated.ids[file],
        "label": label,
        "name": name,
        "purl": purl,
        "version": version,
        "version_purl": f"{purl}@{version}",
    }

    assert reads.ask(cypher, reads.EXISTS, asked) == {"packages": 1}
    status = reads.ask(cypher, reads.PACKAGE_STATUS, asked)["package"]
    assert status["purl"] == purl
    assert reads.ask(cypher, reads.VERSION_STATUS, asked)["version"]["vulnerabilities"] is not None
    assert name in reads.ask(cypher, reads.PACKAGES_OF_FILE, asked)["requirements"]
    assert reads.ask(cypher, reads.IMPORT_NAMES, asked)["names"]
    assert cypher(reads.VULNERABILITIES % asked, **asked)
    versions = reads.ask(cypher, reads.EXPAND_PACKAGE, asked)["versions"]
    assert versions
    assert all(row["purl"].startswith(f"{purl}@") for row in versions)
    model = reads.ask(cypher, reads.SMT_MODEL, asked)
    packages_of_model = {row["dependency"] for row in model["have"]}
    assert purl in packages_of_model
    for row in model["requires"]:
        assert row["dependency"] in packages_of_model
        assert row["type"] == "direct" or row["parent_version_name"] in packages_of_model
