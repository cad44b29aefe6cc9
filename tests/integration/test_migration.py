"""A graph of the reference implementation becomes one of ours: every known defect, any crash."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from neo4j import AsyncDriver

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import ConfigurationError
from ssc_ingest.graph.audits import audit, questions
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.schema import ensure_schema, missing_indexes
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.migration import SupersededMigration, migrate, packages, requirements, survey
from ssc_ingest.migration import versions as versions_module
from ssc_ingest.migration.indexes import create_indexes
from ssc_ingest.migration.journal import Journal
from ssc_ingest.migration.releases import PROPERTIES
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.conftest import Cypher
from tests.integration.test_graph import test_consumer_reads as reads
from tests.integration.test_graph.packages import package as read_package
from tests.reference_graph import ReferenceGraph, build_reference_graph

LABELS = [cls.identity.label for cls in ecosystems().values()]

NODES = "MATCH (n) RETURN labels(n) AS labels, properties(n) AS properties"
EDGES = """
MATCH (a)-[r]->(b)
RETURN coalesce(a.purl, a.name) AS a, type(r) AS r, properties(r) AS p, b.purl AS b
"""


class Silent:
    """A progress that nobody sees."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, title: str, total: int | None, done: int = 0) -> None:
        pass

    def advance(self, amount: int) -> None:
        pass

    def say(self, text: str) -> None:
        self.said.append(text)


class Killed(BaseException):
    """The process is gone."""


def drop_schema(cypher: Cypher) -> None:
    """No constraint and no index on any label of ours."""
    for row in cypher("SHOW CONSTRAINTS YIELD name"):
        cypher(f"DROP CONSTRAINT {row['name']}")
    for row in cypher("SHOW INDEXES YIELD name, type WHERE type = 'RANGE'"):
        cypher(f"DROP INDEX {row['name']}")


@pytest.fixture(scope="module")
async def driver(servers: Servers, settings: Settings) -> AsyncIterator[AsyncDriver]:
    """The program's driver."""
    async with open_driver(servers, settings) as driver:
        yield driver


@pytest.fixture
def bare_graph(clean_graph: None, cypher: Cypher) -> Iterator[None]:
    """An empty graph without a schema."""
    drop_schema(cypher)
    yield
    cypher("MATCH (n) DETACH DELETE n")
    drop_schema(cypher)


@pytest.fixture
def old(bare_graph: None, cypher: Cypher) -> ReferenceGraph:
    """A graph of the reference implementation."""
    return build_reference_graph(cypher)


def use_small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pages and transactions, also for a small graph."""
    monkeypatch.setattr(packages, "NAMES_PER_PAGE", 2)
    monkeypatch.setattr(packages, "EDGES_PER_TRANSACTION", 1)
    monkeypatch.setattr(versions_module, "PACKAGES_PER_PAGE", 3)
    monkeypatch.setattr(versions_module, "VERSIONS_PER_TRANSACTION", 2)
    monkeypatch.setattr(requirements, "EDGES_PER_TRANSACTION", 1)


async def run(driver: AsyncDriver) -> Any:
    """Migrate everything."""
    return await migrate(driver, ecosystems().values(), Silent())


def content(cypher: Cypher) -> tuple[list[str], list[str]]:
    """Everything in the graph, whatever its element ids."""
    return lines(cypher(NODES)), lines(cypher(EDGES))


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """Rows in an order of their own, their properties as well."""
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
    """The schema is there, and the audits find nothing."""
    await ensure_schema(driver, LABELS)
    assert await missing_indexes(driver, LABELS) == []
    for subject, statement in questions(LABELS):
        finding = await audit(driver, subject, statement, timeout=30)
        assert finding.found == 0, finding


async def test_workers_are_refused_before_and_after_half_of_it(
    old: ReferenceGraph, driver: AsyncDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the refusal says to do is what helps."""
    with pytest.raises(ConfigurationError, match="ssc-ingest migrate"):
        await ensure_schema(driver, LABELS)
    with pytest.raises(Killed):
        await killed_after(20, driver, monkeypatch)
    with pytest.raises(ConfigurationError, match="ssc-ingest migrate` again"):
        await ensure_schema(driver, LABELS)

    await run(driver)

    await assert_contract(driver)


async def test_duplicates_of_a_package_become_its_oldest_node(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """With what both knew, the registry's spelling, the later moment, and all versions."""
    await run(driver)

    django = package(cypher, "pkg:pypi/django")
    assert (django["id"], django["labels"]) == (old.ids["django"], ["PyPIPackage"])
    assert (django["name"], django["registry_name"]) == ("django", "Django")
    assert django["vendor"] == "django"
    assert django["repository_url"] == "https://github.com/django/django"
    assert django["import_names"] == ["django"]
    assert django["moment"].iso_format().startswith("2025-11-21T00:00:00")
    assert django["moment"].tzinfo is None
    versions = django["versions"]
    assert list(versions) == ["final?", "1.9", "1.10", "2.0"]
    assert [v["id"] for v in versions.values()] == [
        old.ids[key] for key in ("django-odd", "django-1.9", "django-1.10", "django-2.0")
    ]
    assert versions["final?"]["purl"] == "pkg:pypi/django@final%3F"
    assert versions["1.9"]["release_date"] == "2015-12-01T20:00:00.000Z"
    assert versions["1.10"]["vulnerabilities"] == ["CVE-1", "CVE-2"]
    assert (versions["1.10"]["mean"], versions["1.10"]["weighted_mean"]) == (6.0, 6.0)
    assert versions["2.0"]["vulnerabilities"] == []
    assert versions["2.0"]["mean"] == 0.0
    assert "release_date" not in versions["2.0"]
    typing = package(cypher, "pkg:pypi/typing-extensions")
    assert (typing["id"], typing["name"]) == (old.ids["typing"], "typing_extensions")
    assert typing["versions"]["4.0"]["id"] == old.ids["typing-4"]


async def test_requirements_are_one_per_package_readable_and_owned(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """In the readers' notation; several on one package are the smallest range around them."""
    await run(driver)

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


async def test_packages_that_differ_in_case_stay_two(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """The lower-case one owns the name; one without a twin is looked up in lower case."""
    await run(driver)

    upper, lower = package(cypher, "pkg:npm/JSONStream"), package(cypher, "pkg:npm/jsonstream")
    assert (upper["id"], upper["name"]) == (old.ids["JSONStream"], "JSONStream")
    assert (lower["id"], lower["name"]) == (old.ids["jsonstream"], "jsonstream")
    assert lower["versions"]["1.0.0+b"]["purl"] == "pkg:npm/jsonstream@1.0.0%2Bb"
    other = package(cypher, "pkg:npm/BufferList")
    assert (other["name"], other["registry_name"]) == ("bufferlist", "BufferList")


async def test_maven_and_nuget(old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher) -> None:
    """Coordinates keep their case, milliseconds become ISO 8601, versions are normalised."""
    await run(driver)

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
    assert [v["id"] for v in nuget["versions"].values()] == [old.ids["nuget-1"]]
    assert list(nuget["versions"]) == ["1.0.0"]


async def test_what_belongs_nowhere(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Impossible names, foreign labels, shared versions, edges that start or end wrongly."""
    progress = Silent()
    await migrate(driver, ecosystems().values(), progress)

    invalid = package(cypher, "pkg:pypi/not%20a%20name%21")
    assert invalid["id"] == old.ids["invalid"]
    assert "moment" not in invalid
    assert list(invalid["versions"]) == ["1.0"]
    nameless = package(cypher, f"pkg:pypi/%3F{old.ids['nameless'].split(':')[2]}")
    assert nameless["id"] == old.ids["nameless"]
    assert cypher("MATCH (p {name: '-lost-'}) RETURN p") == []
    assert any("'not a name!' cannot be a package of PyPI: kept" in said for said in progress.said)
    labelled = package(cypher, "pkg:pypi/labelled")
    assert labelled["labels"] == ["PyPIPackage"]
    assert labelled["versions"]["1"]["labels"] == ["Version"]
    owner, sharer = package(cypher, "pkg:pypi/owner"), package(cypher, "pkg:pypi/sharer")
    assert owner["versions"]["1.0"]["id"] == old.ids["shared"]
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


async def test_requirement_files_keep_their_texts(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """One edge to the surviving package, verbatim and nobody's; the file itself is untouched."""
    await run(driver)

    rows = cypher(
        "MATCH (f:RequirementFile)-[r:REQUIRE]->(p) "
        "RETURN elementId(f) AS f, p.purl AS p, properties(r) AS r ORDER BY p"
    )
    pip, npm = old.ids["requirements.txt"], old.ids["package.json"]
    assert rows == [
        {"f": npm, "p": "pkg:npm/JSONStream", "r": {"constraints": "^1.0.0"}},
        {"f": pip, "p": "pkg:pypi/django", "r": {"constraints": "== 1.10"}},
        {"f": pip, "p": "pkg:pypi/typing-extensions", "r": {"constraints": "any"}},
    ]
    moments = cypher("MATCH (f:RequirementFile) RETURN toString(f.moment) AS m")
    assert {row["m"] for row in moments} == {"2025-11-20T10:20:30.5"}


async def test_all_properties_are_those_of_the_contract(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Types that become JSON, no digests, nothing temporary; and the readers' reads succeed."""
    await run(driver)

    await assert_contract(driver)
    for row in cypher(NODES):
        if row["labels"] == ["Version"]:
            properties = row["properties"]
            assert set(properties) | {"release_date"} == set(PROPERTIES)
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
async def test_the_readers_queries_find_what_they_want(
    old: ReferenceGraph,
    driver: AsyncDriver,
    cypher: Cypher,
    *,
    file: str,
    label: str,
    name: str,
    purl: str,
    version: str,
) -> None:
    """By name, by purl, from a requirement file: complete, and of one piece for a solver."""
    await run(driver)
    asked = {
        "file": old.ids[file],
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
    assert all(row["purl"].startswith(f"{purl}@") for row in versions)
    model = reads.ask(cypher, reads.SMT_MODEL, asked)
    packages_of_model = {row["dependency"] for row in model["have"]}
    assert purl in packages_of_model
    for row in model["requires"]:
        assert row["dependency"] in packages_of_model
        assert row["type"] == "direct" or row["parent_version_name"] in packages_of_model


async def test_the_next_reading_puts_requirements_right(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """On the same nodes: what the old program attached wrongly goes, nothing is there twice."""
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


async def test_a_second_migration_changes_nothing(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Not even element ids of edges; and it says so."""
    await run(driver)
    before = content(cypher)
    ids = cypher("MATCH (n) RETURN elementId(n) AS id ORDER BY id")
    edges = cypher("MATCH ()-[r]->() RETURN elementId(r) AS id ORDER BY id")

    counts = await run(driver)

    assert content(cypher) == before
    assert cypher("MATCH (n) RETURN elementId(n) AS id ORDER BY id") == ids
    assert cypher("MATCH ()-[r]->() RETURN elementId(r) AS id ORDER BY id") == edges
    assert {key for key, n in counts.items() if n} <= {"packages_invalid", "packages_twins"}


def without_numbers(found: tuple[list[str], list[str]]) -> list[set[str]]:
    """The content without the node whose name is made of its element id."""
    return [{line for line in part if not re.search(r"(\?|%3F)\d", line)} for part in found]


async def killed_after(writes: int, driver: AsyncDriver, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A migration that is gone after so many transactions."""
    original = Journal.write
    left = writes

    async def write(self: Journal, *arguments: Any, **keywords: Any) -> Any:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return await original(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", write)
        return await run(driver)


async def test_killed_anywhere_it_goes_on_to_the_same_end(
    old: ReferenceGraph,
    driver: AsyncDriver,
    cypher: Cypher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed after every few transactions, with small pages, it ends as if it had run through."""
    total = await run(driver)
    expected = content(cypher)
    cypher("MATCH (n) DETACH DELETE n")
    drop_schema(cypher)
    build_reference_graph(cypher)
    use_small_pages(monkeypatch)

    kills = 0
    counts = None
    while counts is None:
        try:
            counts = await killed_after(5 + kills % 3, driver, monkeypatch)
        except Killed:
            kills += 1

    assert kills > 10
    for found, wanted in zip(
        without_numbers(content(cypher)), without_numbers(expected), strict=True
    ):
        assert found ^ wanted == set()
    assert counts == total
    await assert_contract(driver)


async def test_who_comes_later_takes_over(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Two at once do no harm: the first stops at its next transaction."""
    first, second = Journal(driver), Journal(driver)
    await first.open()
    await second.open()
    with pytest.raises(SupersededMigration):
        await first.write()
    await second.close()

    results = await asyncio.gather(run(driver), run(driver), return_exceptions=True)

    assert sum(isinstance(result, SupersededMigration) for result in results) <= 1
    await run(driver)
    await assert_contract(driver)


async def test_a_dry_run_writes_nothing_and_counts(
    old: ReferenceGraph, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Neither nodes nor indexes; what it counts is what is done, but for what merging entails."""
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


async def test_no_page_scans(old: ReferenceGraph, driver: AsyncDriver) -> None:
    """Nodes are found by an index or an id, and pages come in the index's order, unsorted."""
    await create_indexes(driver, LABELS)
    for name, text in paged_statements():
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


def operators_of(plan: dict[str, Any]) -> Iterator[str]:
    """The operators of a plan from the last to the first, without the name of the planner."""
    yield plan["operatorType"].partition("@")[0]
    for child in plan.get("children", ()):
        yield from operators_of(child)
