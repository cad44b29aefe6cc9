"""The migration of requirements."""

from tests.conftest import Cypher
from tests.integration.test_migration.migrating import Migrated, package


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
    """One edge per package, verbatim and without owner; the file does not change."""
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
