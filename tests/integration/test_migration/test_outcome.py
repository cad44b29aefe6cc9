"""A migrated graph: contract, readers, packages, requirements; and what comes afterwards.

All tests read one migrated graph; only the last one changes it.
"""

import pytest
from neo4j import AsyncDriver

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.graph.properties import VERSION
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.values import FEW, FLAG
from ssc_ingest.graph.writer import GraphWriter
from tests.conftest import Cypher
from tests.integration.test_graph import test_consumer_reads as reads
from tests.integration.test_graph.packages import package as read_package
from tests.integration.test_migration.migrating import (
    LABELS,
    NODES,
    Migrated,
    assert_contract,
    content,
    package,
    run,
)

# Contract and readers ----------------------------------------------------------------------


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
    """Packages are found by name, by purl and from a requirement file, complete for a solver."""
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


# Packages and versions ---------------------------------------------------------------------


def test_duplicates_of_a_package_become_its_oldest_node(migrated: Migrated, cypher: Cypher) -> None:
    """The oldest node gets all properties and versions.

    It has the registry's spelling and the later moment.
    """
    django = package(cypher, "pkg:pypi/django")
    assert (django["id"], django["labels"]) == (migrated.ids["django"], ["PyPIPackage"])
    assert (django["name"], django["registry_name"]) == ("django", "Django")
    assert django["vendor"] == "django"
    assert django["repository_url"] == "https://github.com/django/django"
    assert django["import_names"] == ["django"]
    assert django["moment"].iso_format().startswith("2025-11-21T00:00:00")
    assert django["moment"].tzinfo is None
    versions = django["versions"]
    assert list(versions) == ["final?", "1.9", "1.10", "2.0"]
    assert [v["id"] for v in versions.values()] == [
        migrated.ids[key] for key in ("django-odd", "django-1.9", "django-1.10", "django-2.0")
    ]
    assert versions["final?"]["purl"] == "pkg:pypi/django@final%3F"
    assert versions["1.9"]["release_date"] == "2015-12-01T20:00:00.000Z"
    assert versions["1.10"]["vulnerabilities"] == ["CVE-1", "CVE-2"]
    assert (versions["1.10"]["mean"], versions["1.10"]["weighted_mean"]) == (6.0, 6.0)
    assert versions["2.0"]["vulnerabilities"] == []
    assert versions["2.0"]["mean"] == 0.0
    assert "release_date" not in versions["2.0"]
    typing = package(cypher, "pkg:pypi/typing-extensions")
    assert (typing["id"], typing["name"]) == (migrated.ids["typing"], "typing_extensions")
    assert typing["versions"]["4.0"]["id"] == migrated.ids["typing-4"]


def test_packages_that_differ_in_case_stay_two(migrated: Migrated, cypher: Cypher) -> None:
    """The lower-case one owns the name; a single one is looked up in lower case."""
    upper, lower = package(cypher, "pkg:npm/JSONStream"), package(cypher, "pkg:npm/jsonstream")
    assert (upper["id"], upper["name"]) == (migrated.ids["JSONStream"], "JSONStream")
    assert (lower["id"], lower["name"]) == (migrated.ids["jsonstream"], "jsonstream")
    assert lower["versions"]["1.0.0+b"]["purl"] == "pkg:npm/jsonstream@1.0.0%2Bb"
    other = package(cypher, "pkg:npm/BufferList")
    assert (other["name"], other["registry_name"]) == ("bufferlist", "BufferList")


def test_maven_and_nuget(migrated: Migrated, cypher: Cypher) -> None:
    """Coordinates keep their case, milliseconds become ISO 8601, versions are normalised."""
    maven = package(cypher, "pkg:maven/com.Foo/Bar")
    assert (maven["name"], maven["group_id"], maven["artifact_id"]) == (
        "com.foo:bar",
        "com.Foo",
        "Bar",
    )
    assert list(maven["versions"]) == ["1.0", "1.9", "1.10"]
    for name in ("1.0", "1.10"):
        assert maven["versions"][name]["release_date"] == "2015-01-01T00:00:00.000Z"
    nuget = package(cypher, "pkg:nuget/newtonsoft.json")
    assert nuget["registry_name"] == "Newtonsoft.Json"
    assert [v["id"] for v in nuget["versions"].values()] == [migrated.ids["nuget-1"]]
    assert list(nuget["versions"]) == ["1.0.0"]


def test_misplaced_nodes_and_edges(migrated: Migrated, cypher: Cypher) -> None:
    """Invalid names, foreign labels, shared versions, edges with a wrong start or end."""
    invalid = package(cypher, "pkg:pypi/not%20a%20name%21")
    assert invalid["id"] == migrated.ids["invalid"]
    assert "moment" not in invalid
    assert list(invalid["versions"]) == ["1.0"]
    nameless = package(cypher, f"pkg:pypi/%3F{migrated.ids['nameless'].split(':')[2]}")
    assert nameless["id"] == migrated.ids["nameless"]
    assert cypher("MATCH (p {name: '-lost-'}) RETURN p") == []
    assert any(
        "'not a name!' is not a valid package name of PyPI: kept" in said for said in migrated.said
    )
    labelled = package(cypher, "pkg:pypi/labelled")
    assert labelled["labels"] == ["PyPIPackage"]
    assert labelled["versions"]["1"]["labels"] == ["Version"]
    owner, sharer = package(cypher, "pkg:pypi/owner"), package(cypher, "pkg:pypi/sharer")
    assert owner["versions"]["1.0"]["id"] == migrated.ids["shared"]
    assert owner["versions"]["1.0"]["requires"] == [
        ["pkg:pypi/typing-extensions", "any", "pkg:pypi/owner"]
    ]
    assert sharer["versions"]["1.0"]["purl"] == "pkg:pypi/sharer@1.0"
    assert sharer["versions"]["1.0"]["requires"] == []
    assert cypher("MATCH (v:Version) WHERE NOT (v)<-[:HAVE]-() OR v.name IS NULL RETURN v") == []
    assert (
        cypher("MATCH (p)-[r:REQUIRE]->() WHERE NOT p:Version AND NOT p:RequirementFile RETURN r")
        == []
    )
    assert cypher("MATCH (:Version)-[:REQUIRE]->(:RubyGemsPackage {name: 'x'}) RETURN 1") == []
    assert package(cypher, "pkg:pypi/empty")["versions"] == {}


# Requirements ------------------------------------------------------------------------------


def test_requirements_are_one_per_package_readable_and_owned(
    migrated: Migrated, cypher: Cypher
) -> None:
    """In the readers' notation; several for one package become the smallest range around them."""
    found = package(cypher, "pkg:pypi/django")["versions"]
    typing, me = "pkg:pypi/typing-extensions", "pkg:pypi/django"
    assert found["1.9"]["requires"] == [[typing, ">= 3, < 4", me]]
    assert found["1.10"]["requires"] == [[typing, ">= 3", me]]
    assert found["2.0"]["requires"] == [[typing, ">= 4.0, < 5", me]]
    node = package(cypher, "pkg:npm/%40types/node")
    assert node["vendor"] == "n/a"
    assert sorted(node["versions"]["1.0.0"]["requires"]) == [
        ["pkg:npm/BufferList", "any", node["purl"]],
        ["pkg:npm/jsonstream", "any", node["purl"]],
    ]
    maven = package(cypher, "pkg:maven/com.Foo/Bar")
    assert maven["versions"]["1.0"]["requires"][0][1] == "[1.2.3]"
    assert maven["versions"]["1.10"]["requires"][0][1:] == ["any", "pkg:maven/com.Foo/Bar"]
    crate = package(cypher, "pkg:cargo/inflector")["versions"]["1.0.0"]
    assert crate["requires"] == [["pkg:cargo/inflector", "^1.2", "pkg:cargo/inflector"]]
    gem = package(cypher, "pkg:gem/ZenTest")["versions"]["1.0"]
    assert gem["requires"] == [["pkg:gem/ZenTest", "< 2", "pkg:gem/ZenTest"]]


def test_requirement_files_keep_their_texts(migrated: Migrated, cypher: Cypher) -> None:
    """A requirement file keeps one edge per package, verbatim and without owner.

    The file does not change.
    """
    rows = cypher(
        "MATCH (f:RequirementFile)-[r:REQUIRE]->(p) "
        "RETURN elementId(f) AS f, p.purl AS p, properties(r) AS r ORDER BY p"
    )
    pip, npm = migrated.ids["requirements.txt"], migrated.ids["package.json"]
    assert rows == [
        {"f": npm, "p": "pkg:npm/JSONStream", "r": {"constraints": "^1.0.0"}},
        {"f": pip, "p": "pkg:pypi/django", "r": {"constraints": "== 1.10"}},
        {"f": pip, "p": "pkg:pypi/typing-extensions", "r": {"constraints": "any"}},
    ]
    moments = cypher("MATCH (f:RequirementFile) RETURN toString(f.moment) AS m")
    assert {row["m"] for row in moments} == {"2025-11-20T10:20:30.5"}


# Afterwards --------------------------------------------------------------------------------


async def test_a_second_migration_changes_nothing(
    migrated: Migrated, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Even the element ids of edges stay, and the output says so."""
    before = content(cypher)
    ids = cypher("MATCH (n) RETURN elementId(n) AS id ORDER BY id")
    edges = cypher("MATCH ()-[r]->() RETURN elementId(r) AS id ORDER BY id")

    counts = await run(driver)

    assert content(cypher) == before
    assert cypher("MATCH (n) RETURN elementId(n) AS id ORDER BY id") == ids
    assert cypher("MATCH ()-[r]->() RETURN elementId(r) AS id ORDER BY id") == edges
    assert {key for key, n in counts.items() if n} <= {"packages_invalid", "packages_twins"}


async def test_the_next_extraction_corrects_requirements(
    migrated: Migrated, driver: AsyncDriver, cypher: Cypher
) -> None:
    """An extraction removes wrong edges of the old program, and duplicates nothing."""
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
