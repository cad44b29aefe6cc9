"""Edges from callers: from a version or a requirement file to a package."""

import asyncio
from datetime import timedelta

import pytest

from ssc_ingest.errors import GraphRefused, ParentNotFound, ParentRefused
from ssc_ingest.graph.changes import ParentEdge
from ssc_ingest.graph.writer import GraphWriter
from tests.conftest import Cypher
from tests.graph_truth import snapshot
from tests.integration.test_graph.packages import FETCHED, order, package, ref

LATER = FETCHED + timedelta(days=1)

EDGES_OF = "MATCH (s)-[r:REQUIRE]->(p) WHERE elementId(s) = $id RETURN p.name AS p, r{.*} AS r"


@pytest.fixture
def file(clean_graph: None, cypher: Cypher) -> str:
    """A requirement file of another service, with its moment."""
    (row,) = cypher(
        "CREATE (f:RequirementFile {name: 'requirements.txt', manager: 'PyPI', "
        "moment: localdatetime('2020-01-01T00:00:00')}) RETURN elementId(f) AS id"
    )
    return str(row["id"])


def version_id(cypher: Cypher, purl: str) -> str:
    """The elementId of a version."""
    (row,) = cypher("MATCH (v:Version {purl: $purl}) RETURN elementId(v) AS id", purl=purl)
    return str(row["id"])


async def test_a_requirement_file_gets_package_versions_and_edge_together(
    file: str, writer: GraphWriter, cypher: Cypher
) -> None:
    """The edge has the constraints verbatim and no parent; the file's moment stays."""
    outcome = await writer.write(
        package("web", ["1.0"]), order=order, edges=[ParentEdge(file, ">=1.0;  weird")]
    )

    assert outcome.parents_attached == 1
    assert cypher(EDGES_OF, id=file) == [{"p": "web", "r": {"constraints": ">=1.0;  weird"}}]
    (row,) = cypher("MATCH (f:RequirementFile) RETURN f{.*, moment: toString(f.moment)} AS f")
    assert row["f"] == {
        "name": "requirements.txt",
        "manager": "PyPI",
        "moment": "2020-01-01T00:00:00",
    }


async def test_an_edge_from_a_version_names_the_owner_of_that_version(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """The parent's name is the purl of the version's package."""
    await writer.write(package("app", ["1.0"]), order=order)
    parent = version_id(cypher, "pkg:pypi/app@1.0")

    await writer.write(package("web", ["1.0"]), order=order, edges=[ParentEdge(parent, ">= 1")])

    assert cypher(EDGES_OF, id=parent) == [
        {"p": "web", "r": {"constraints": ">= 1", "parent_version_name": "pkg:pypi/app"}}
    ]


async def test_a_package_that_is_there_is_only_linked(
    file: str, writer: GraphWriter, cypher: Cypher
) -> None:
    """Linking again updates the edge; the package does not change."""
    await writer.write(package("web", {"1.0": {"core": "any"}}), order=order)
    web = "MATCH (p {name: 'web'})-[:HAVE]->(v) RETURN p, v"
    before = cypher(web)

    for constraints in ("== 1.0", ">= 1.0"):
        await writer.link(ref("web"), [ParentEdge(file, constraints)])

    assert cypher(EDGES_OF, id=file) == [{"p": "web", "r": {"constraints": ">= 1.0"}}]
    assert cypher(web) == before


async def test_an_older_reading_still_brings_its_edges(
    file: str, writer: GraphWriter, cypher: Cypher
) -> None:
    """The edge is written, even if the reading is older than the graph's."""
    await writer.write(package("web", ["1.0"]), order=order)

    outcome = await writer.write(
        package("web", ["1.0"], fetched_at=FETCHED - timedelta(1)),
        order=order,
        edges=[ParentEdge(file, "any")],
    )

    assert (outcome.stale, outcome.parents_attached) == (True, 1)
    assert len(cypher(EDGES_OF, id=file)) == 1


async def test_many_files_and_packages_in_one_transaction(
    writer: GraphWriter, cypher: Cypher, clean_graph: None
) -> None:
    """Each pair of source and package has one edge, even after two requests."""
    ids = [
        row["id"]
        for row in cypher(
            "UNWIND range(1, 5) AS n CREATE (f:RequirementFile {name: 'f' + n, manager: 'ANY'}) "
            "RETURN elementId(f) AS id"
        )
    ]
    edges = [ParentEdge(file, "any") for file in [*ids, *ids]]

    await asyncio.gather(
        *(writer.write(package(f"p{n}", ["1.0"]), order=order, edges=edges) for n in range(4)),
        *(
            writer.write(package(f"p{n}", ["1.0"], ecosystem="npm"), order=order, edges=edges)
            for n in range(4)
        ),
    )

    rows = cypher("MATCH (:RequirementFile)-[r:REQUIRE]->(p) RETURN count(r) AS n")
    assert rows == [{"n": 40}]


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "17",
        "not an element id",
        "4:zzzzzzzz-0000-0000-0000-000000000000:1",
        "4:00000000-0000-0000-0000-000000000000:1",
        "4:00000000-0000-0000-0000-000000000000:999999999999999999",
        "4:00000000-0000-0000-0000-000000000000:99999999999999999999999999",
        "4:" + "a" * 36 + ":1",
        "\ud800",
    ],
)
async def test_a_missing_or_malformed_parent_leaves_nothing_behind(
    writer: GraphWriter, cypher: Cypher, parent: str
) -> None:
    """Only the submission with the bad parent fails, and nothing of it is written."""
    web = package("web", {"1.0": {"core": "any"}})

    failed, written = await asyncio.gather(
        writer.write(web, order=order, edges=[ParentEdge(parent, "any")]),
        writer.write(package("other", ["1.0"]), order=order),
        return_exceptions=True,
    )

    assert isinstance(failed, ParentNotFound)
    assert failed.parent_id == parent
    assert not isinstance(written, BaseException)
    assert cypher("MATCH (p:PyPIPackage) RETURN p.name AS name") == [{"name": "other"}]


async def test_a_parent_with_an_id_of_this_graph_that_is_not_there(
    file: str, writer: GraphWriter, cypher: Cypher
) -> None:
    """A deleted or unused id is a missing parent."""
    database = file.rsplit(":", 1)[0]
    cypher("MATCH (f:RequirementFile) DELETE f")
    for number in (file.rsplit(":", 1)[1], "99999999", "999999999999999999"):
        with pytest.raises(ParentNotFound):
            await writer.write(
                package("web", ["1.0"]), order=order, edges=[ParentEdge(f"{database}:{number}", "")]
            )
    assert snapshot(cypher) == ([], [])


async def test_only_versions_and_requirement_files_require(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """A package or repository as parent counts as missing."""
    await writer.write(package("app", ["1.0"]), order=order)
    (row,) = cypher("MATCH (p {name: 'app'}) RETURN elementId(p) AS id")

    with pytest.raises(ParentNotFound):
        await writer.write(package("web", ["1.0"]), order=order, edges=[ParentEdge(row["id"], "")])


async def test_one_missing_parent_of_several_is_enough(
    file: str, writer: GraphWriter, cypher: Cypher
) -> None:
    """A submission is written completely or not at all."""
    missing = "4:00000000-0000-0000-0000-000000000000:1"

    with pytest.raises(ParentNotFound):
        await writer.write(
            package("web", ["1.0"]),
            order=order,
            edges=[ParentEdge(file, "any"), ParentEdge(missing, "any")],
        )

    assert cypher("MATCH (p:PyPIPackage) RETURN p") == []


async def test_a_file_never_requires_a_package_without_versions(
    file: str, writer: GraphWriter, cypher: Cypher
) -> None:
    """The file could not be solved; other submissions are not affected."""
    failed, written = await asyncio.gather(
        writer.write(package("empty", []), order=order, edges=[ParentEdge(file, "any")]),
        writer.write(package("web", ["1.0"]), order=order, edges=[ParentEdge(file, "any")]),
        return_exceptions=True,
    )

    assert isinstance(failed, GraphRefused)
    assert not isinstance(written, BaseException)
    assert cypher(EDGES_OF, id=file) == [{"p": "web", "r": {"constraints": "any"}}]
    assert cypher("MATCH (p {name: 'empty'}) RETURN p") == []


async def test_what_is_of_one_ecosystem_never_requires_what_is_of_another(
    file: str, writer: GraphWriter, cypher: Cypher
) -> None:
    """Neither a file nor a version requires a package of another ecosystem.

    Nothing is written, and others are not affected.
    """
    await writer.write(package("app", ["1.0"]), order=order)
    version = version_id(cypher, "pkg:pypi/app@1.0")

    *failed, written = await asyncio.gather(
        *(
            writer.write(
                package(name, ["1.0"], ecosystem="npm"), order=order, edges=[ParentEdge(parent, "")]
            )
            for name, parent in (("a", file), ("b", version))
        ),
        writer.write(package("web", ["1.0"]), order=order, edges=[ParentEdge(file, "any")]),
        return_exceptions=True,
    )

    assert [type(error) for error in failed] == [ParentRefused, ParentRefused]
    assert "PyPI" in str(failed[0])
    assert "pkg:pypi/app" in str(failed[1])
    assert not isinstance(written, BaseException)
    assert cypher("MATCH (p:NPMPackage) RETURN p") == []


@pytest.mark.parametrize("properties", ["{manager: 'ANY'}", "{manager: 'npm'}", "{}"])
async def test_a_file_may_require_what_its_manager_does_not_exclude(
    writer: GraphWriter, cypher: Cypher, clean_graph: None, properties: str
) -> None:
    """A list of a product's contents has packages of any ecosystem."""
    (row,) = cypher(f"CREATE (f:RequirementFile {properties}) RETURN elementId(f) AS id")
    web = package("web", ["1.0"], ecosystem="npm")
    outcome = await writer.write(web, order=order, edges=[ParentEdge(row["id"], "any")])
    assert outcome.parents_attached == 1


@pytest.mark.parametrize("name", ["core", "unheard-of"])
async def test_what_was_never_read_cannot_be_linked(
    file: str, writer: GraphWriter, cypher: Cypher, name: str
) -> None:
    """A requirement file never gets a bare stub."""
    await writer.write(package("web", {"1.0": {"core": "any"}}), order=order)

    with pytest.raises(GraphRefused, match="has not been read"):
        await writer.link(ref(name), [ParentEdge(file, "any")])

    assert cypher(EDGES_OF, id=file) == []


async def test_the_registry_has_the_last_word_on_a_versions_requirements(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """Edges from callers are compared with the registry at the next reading."""
    await writer.write(package("app", {"1.0": {"web": ">= 1"}}), order=order)
    await writer.write(package("web", ["1.0"]), order=order)
    await writer.write(package("extra", ["1.0"]), order=order)
    parent = version_id(cypher, "pkg:pypi/app@1.0")
    digest = "MATCH (v {purl: 'pkg:pypi/app@1.0'}) RETURN v.requirements_digest IS NOT NULL AS d"

    await writer.link(ref("web"), [ParentEdge(parent, ">= 1")])
    assert cypher(digest) == [{"d": True}]  # nothing new

    await writer.link(ref("web"), [ParentEdge(parent, "< 1")])
    await writer.link(ref("extra"), [ParentEdge(parent, "any")])
    assert cypher(digest) == [{"d": False}]

    await writer.write(package("app", {"1.0": {"web": ">= 1"}}, fetched_at=LATER), order=order)
    assert cypher(digest) == [{"d": True}]
    assert [(row["p"], row["r"]["constraints"]) for row in cypher(EDGES_OF, id=parent)] == [
        ("web", ">= 1")
    ]
