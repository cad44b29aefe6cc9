"""Import names in the graph: writing them, finding packages without names, finding a name."""

from datetime import timedelta
from pathlib import Path
from re import DOTALL, findall
from typing import Any

import pytest
from neo4j import AsyncDriver

from ssc_ingest.errors import GraphRefused
from ssc_ingest.graph.import_names import ImportNamesGraph
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Purl, VersionName
from tests.conftest import Cypher
from tests.integration.test_graph.packages import FETCHED, order, package, ref

ONE, TWO = VersionName("1"), VersionName("2")
WEB = ref("web")
QUERIES = findall(
    r"```cypher\n(.*?)```",
    (Path(__file__).parents[3] / "docs/import-names.md").read_text(encoding="utf-8"),
    DOTALL,
)
REFRESH = "CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()"


@pytest.fixture
async def web(writer: GraphWriter) -> None:
    """A package with two versions and a guess."""
    guessed = package("web", ["1", "2"], import_names=(), guessed_import_name="web")
    await writer.write(guessed, order=order)


def stored(cypher: Cypher) -> dict[str, Any]:
    """The names of the package, and the version that they are of."""
    (row,) = cypher(
        "MATCH (p {purl: 'pkg:pypi/web'}) "
        "RETURN p.import_names AS names, p.import_names_from AS version"
    )
    return row


async def test_names_of_the_latest_version_win(
    web: None, writer: GraphWriter, cypher: Cypher
) -> None:
    """Names of another version replace a guess, and not those of the latest one."""
    await writer.name_imports(WEB, ONE, ("old",), "web")
    assert stored(cypher) == {"names": ["old"], "version": "1"}
    await writer.name_imports(WEB, TWO, ("new",), "web")
    await writer.name_imports(WEB, ONE, ("old",), "web")
    assert stored(cypher) == {"names": ["new"], "version": "2"}


async def test_a_version_without_names_takes_none_away(
    web: None, writer: GraphWriter, cypher: Cypher
) -> None:
    """A version without names gives the fall-back name only if no names were known before."""
    await writer.name_imports(WEB, TWO, (), "web")
    assert stored(cypher) == {"names": ["web"], "version": "2"}

    cypher("MATCH (p {purl: 'pkg:pypi/web'}) SET p.import_names = ['a'], p.import_names_from = '1'")
    await writer.name_imports(WEB, TWO, (), "web")
    assert stored(cypher) == {"names": ["a"], "version": "1"}


async def test_later_readings_keep_the_names(
    web: None, writer: GraphWriter, cypher: Cypher
) -> None:
    """A document without names changes nothing."""
    await writer.name_imports(WEB, TWO, ("a", "a.b"), "web")
    again = package(
        "web",
        ["1", "2", "3"],
        import_names=(),
        guessed_import_name="web",
        fetched_at=FETCHED + timedelta(1),
    )
    await writer.write(again, order=order)
    assert stored(cypher) == {"names": ["a", "a.b"], "version": "2"}


async def test_a_package_that_was_not_read_is_refused(writer: GraphWriter) -> None:
    """Naming creates no package."""
    with pytest.raises(GraphRefused):
        await writer.name_imports(ref("absent"), ONE, ("a",), "absent")


async def test_packages_that_lack_names_are_found_part_by_part(
    writer: GraphWriter, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Stubs and packages that are gone are passed over."""
    for name in "abcdef":
        guessed = package(name, ["1"], import_names=(), guessed_import_name=name)
        await writer.write(guessed, order=order)
    await writer.name_imports(ref("b"), ONE, ("bee",), "b")
    cypher("MATCH (p {purl: 'pkg:pypi/c'}) SET p.gone_since = localdatetime()")
    cypher("MATCH (p {purl: 'pkg:pypi/d'}) REMOVE p.moment")
    graph = ImportNamesGraph(driver)

    first = await graph.lacking("PyPIPackage", Purl(""), 4)
    rest = await graph.lacking("PyPIPackage", first.last or Purl(""), 4)
    assert [each.purl for each in first.packages] == ["pkg:pypi/a"]
    assert (first.last, rest.last) == ("pkg:pypi/d", None)
    assert [(each.name, each.names) for each in rest.packages] == [("e", ("e",)), ("f", ("f",))]
    everything = await graph.lacking("PyPIPackage", Purl(""), 10, everything=True)
    assert [each.name for each in everything.packages] == ["a", "b", "e", "f"]


async def test_a_name_is_found_exactly(
    writer: GraphWriter, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Whole names in exact case, with all safe characters."""
    await ensure_schema(driver, ["PyPIPackage"])
    names = ("requests", "requests.api", "@scope/x", "a/b.js", "node:fs", "serde::de", "Case")
    await writer.write(package("web", ["1"], import_names=names), order=order)
    await writer.write(package("other", ["1"], import_names=("requests.models",)), order=order)
    cypher(REFRESH)
    graph = ImportNamesGraph(driver)
    for name in names:
        assert [p.purl for p in await graph.imported_as("PyPIPackage", name, 9)] == ["pkg:pypi/web"]
    for name in ("case", "request", "api", "serde", "*", "a/b", 'x" OR "y', "\\", ""):
        assert await graph.imported_as("PyPIPackage", name, 9) == []


async def test_the_documented_queries(
    writer: GraphWriter, driver: AsyncDriver, cypher: Cypher
) -> None:
    """The documented queries answer what the page says."""
    await ensure_schema(driver, ["PyPIPackage"])
    many = tuple(f"requests.m{number}" for number in range(11))
    await writer.write(package("r", ["1"], import_names=("requests.api", *many)), order=order)
    await writer.write(package("s", ["1"], import_names=("json", "requests.api")), order=order)
    gem = package("json", ["1"], ecosystem="gem", import_names=("json",))
    await writer.write(gem, order=order)
    cypher(REFRESH)

    found, common, large, shared = QUERIES
    assert sorted(row["p.name"] for row in cypher(found)) == ["r", "s"]
    assert cypher(common)[0] == {"import_name": "requests.api", "packages": 2}
    assert cypher(large) == [{"p.name": "r", "names": 12}]
    assert cypher(shared) == [{"import_name": "json"}]
