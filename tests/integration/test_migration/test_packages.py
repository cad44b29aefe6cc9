"""The migration of packages and their versions, with every known defect."""

from tests.conftest import Cypher
from tests.integration.test_migration.migrating import Migrated, package


def test_duplicates_of_a_package_become_its_oldest_node(migrated: Migrated, cypher: Cypher) -> None:
    """It has all properties and versions, the registry's spelling and the later moment."""
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
