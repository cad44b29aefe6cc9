"""The reads for people, and the audits."""

from dataclasses import replace

import pytest
from neo4j import AsyncDriver

from ssc_ingest.errors import GraphRefused, StoreUnavailable
from ssc_ingest.graph.audits import audit, questions
from ssc_ingest.graph.views import Dependent, GraphViews, RequirementView
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Purl
from tests.conftest import Cypher
from tests.integration.test_graph.packages import FETCHED, LABELS, order, package

WEB = {f"{n}.0": {"core": f">= {n}"} for n in range(1, 6)}


@pytest.fixture
def views(driver: AsyncDriver) -> GraphViews:
    """Views of the test graph."""
    return GraphViews(driver, timeout=10)


async def test_a_package_with_its_newest_versions(
    views: GraphViews, writer: GraphWriter, cypher: Cypher
) -> None:
    """Properties, the number of versions, and the newest of them in full."""
    await writer.write(package("web", WEB, yanked=["5.0"], latest="4.0"), order=order)
    cypher("MATCH (v {purl: 'pkg:pypi/web@4.0'}) SET v.vulnerabilities = ['PYSEC-1'], v.mean = 9.8")

    found = await views.package("PyPIPackage", Purl("pkg:pypi/web"), versions=2)

    assert found
    assert (found.name, found.latest, found.version_count) == ("web", "4.0", 5)
    assert (found.moment, found.is_stub) == (FETCHED, False)
    newest, second = found.versions
    assert (newest.name, newest.serial_number, newest.yanked) == ("5.0", 4, True)
    assert (second.vulnerabilities, second.mean, second.requirements) == (("PYSEC-1",), 9.8, 1)
    assert (newest.vulnerable, second.vulnerable) == (False, True)


async def test_a_version_and_what_it_requires(views: GraphViews, writer: GraphWriter) -> None:
    """One version by its purl, and its required packages."""
    await writer.write(package("web", WEB), order=order)

    version = await views.version(Purl("pkg:pypi/web@2.0"))
    requirements = await views.requirements(Purl("pkg:pypi/web@2.0"))

    assert version
    assert (version.serial_number, version.requirements) == (1, 1)
    assert requirements == [
        RequirementView(purl=Purl("pkg:pypi/core"), constraints=">= 2", latest=None, is_stub=True)
    ]


async def test_facts_are_seen_and_unknown_ones_too(views: GraphViews, writer: GraphWriter) -> None:
    """Declarations and tables are parsed; a version without facts says so."""
    web = package("web", {"1.0": {"core": "any"}, "2.0": None})
    first, second = web.versions
    (core,) = first.requirements or ()
    declared = '[{"extras":["all"]}]'
    first = replace(
        first,
        requirements=(replace(core, optional=True, kind="build", declared=declared),),
        license="MIT",
        os=("linux",),
        extra_requirements='{"test":["pytest"]}',
    )
    await writer.write(replace(web, versions=(first, second)), order=order)

    version = await views.version(first.purl)
    assert version
    assert (version.facts_known, version.license, version.os) == (True, "MIT", ("linux",))
    assert (version.deprecated, version.engines) == (None, None)
    unread = await views.version(second.purl)
    assert unread
    assert not unread.facts_known
    (found,) = await views.requirements(first.purl)
    assert (found.kind, found.optional, found.declared) == ("build", True, [{"extras": ["all"]}])
    none = dict.fromkeys(("features", "peer_requirements", "frameworks", "builds"))
    assert await views.tables(first.purl) == none | {"extra_requirements": {"test": ["pytest"]}}
    assert await views.tables(second.purl) == none | {"extra_requirements": None}


async def test_what_is_not_there_is_none(views: GraphViews, writer: GraphWriter) -> None:
    """An unknown purl has no package, version, requirement or dependent."""
    assert await views.package("PyPIPackage", Purl("pkg:pypi/x"), versions=1) is None
    assert await views.version(Purl("pkg:pypi/x@1")) is None
    assert await views.requirements(Purl("pkg:pypi/x@1")) == []
    nobody = await views.dependents("PyPIPackage", Purl("pkg:pypi/x"), most=5)
    assert (nobody.packages, nobody.total, nobody.requirement_files) == ((), 0, 0)


async def test_dependents_are_packages_with_their_newest_version_that_requires(
    views: GraphViews, writer: GraphWriter, cypher: Cypher
) -> None:
    """Each dependent once, by purl, for any number of requiring versions."""
    await writer.write(package("web", WEB), order=order)
    await writer.write(package("app", {"1.0": {"core": "any"}, "2.0": {}}), order=order)
    await writer.write(package("zoo", {"1.0": {"core": "any"}}), order=order)
    cypher("MATCH (p {name: 'core'}) CREATE (:RequirementFile)-[:REQUIRE]->(p)")

    found = await views.dependents("PyPIPackage", Purl("pkg:pypi/core"), most=2)

    assert (found.total, found.requirement_files) == (3, 1)
    assert found.packages == (
        Dependent(
            purl=Purl("pkg:pypi/app"),
            newest="1.0",
            constraints="any",
            versions=1,
            is_latest=False,
        ),
        Dependent(
            purl=Purl("pkg:pypi/web"),
            newest="5.0",
            constraints=">= 5",
            versions=5,
            is_latest=True,
        ),
    )


async def test_counts_by_ecosystem(views: GraphViews, writer: GraphWriter) -> None:
    """Read packages and stubs separately, by ecosystem, with the age of readings."""
    await writer.write(package("web", WEB), order=order)
    await writer.write(package("app", {"1.0": {"core": "any"}}, ecosystem="npm"), order=order)

    counts = await views.counts(LABELS)

    assert (counts["pypi"].packages, counts["pypi"].stubs) == (1, 1)
    assert (counts["pypi"].versions, counts["pypi"].requirements) == (5, 5)
    assert counts["pypi"].oldest == counts["pypi"].newest == FETCHED
    assert (counts["npm"].versions, counts["cargo"].versions) == (1, 0)
    assert counts["cargo"].oldest is None


async def test_any_query_that_reads(views: GraphViews, writer: GraphWriter) -> None:
    """Columns and rows, cut at the limit, with a flag for more rows."""
    await writer.write(package("web", WEB), order=order)

    rows = await views.query("MATCH (v:Version) RETURN v.name AS n ORDER BY n", limit=3)

    assert rows.columns == ("n",)
    assert rows.rows == (("1.0",), ("2.0",), ("3.0",))
    assert rows.more
    assert not (await views.query("RETURN 1", limit=1)).more


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE (n:Intruder) RETURN n",
        "MATCH (n) DETACH DELETE n",
        "MATCH (p:PyPIPackage) SET p.name = 'gone'",
        "CREATE INDEX intruder FOR (n:Intruder) ON (n.x)",
        "CALL apoc.create.node(['Intruder'], {}) YIELD node RETURN node",
        "CALL apoc.cypher.doIt('CREATE (n:Intruder)', {}) YIELD value RETURN value",
        "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 1 ROWS",
        "not Cypher at all",
    ],
)
async def test_the_server_refuses_what_writes(
    views: GraphViews, writer: GraphWriter, cypher: Cypher, statement: str
) -> None:
    """A read-only session is read-only on the server, for any statement."""
    await writer.write(package("web", ["1.0"]), order=order)

    with pytest.raises(GraphRefused):
        await views.query(statement, limit=10)

    assert cypher("MATCH (n) RETURN count(n) AS n") == [{"n": 2}]


async def test_a_query_that_takes_too_long_is_stopped(
    driver: AsyncDriver, writer: GraphWriter
) -> None:
    """The server ends a query at the time limit."""
    views = GraphViews(driver, timeout=0.2)

    with pytest.raises(StoreUnavailable):
        await views.query(
            "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b "
            "WITH a, b WHERE a * b = -1 RETURN count(*)",
            limit=1,
        )


async def findings(driver: AsyncDriver) -> dict[str, int | None]:
    """The number of violations by audit, if not 0."""
    found = [
        await audit(driver, subject, statement, timeout=20)
        for subject, statement in questions(["PyPIPackage"])
    ]
    return {finding.subject: finding.found for finding in found if finding.found != 0}


async def test_a_graph_of_ours_passes_the_audits(driver: AsyncDriver, writer: GraphWriter) -> None:
    """The writer's graph has no violations."""
    await writer.write(package("web", WEB), order=order)
    await writer.write(package("core", ["1.0"]), order=order)

    assert await findings(driver) == {}


@pytest.mark.parametrize(
    ("damage", "subject"),
    [
        (
            "CREATE (:PyPIPackage {name: 'old'})",
            "packages without purl (PyPIPackage)",
        ),
        (
            "MATCH (p {name: 'web'}) SET p:Another",
            "packages with several labels (PyPIPackage)",
        ),
        (
            "CREATE (:PyPIPackage {name: 'web', purl: 'pkg:pypi/x', moment: localdatetime()})",
            "names that two packages share (PyPIPackage)",
        ),
        (
            "MATCH (v:Version {serial_number: 2}) SET v.serial_number = 7",
            "packages whose serial numbers have gaps (PyPIPackage)",
        ),
        (
            "MATCH (:Version {serial_number: 2})-[r:REQUIRE]->() SET r.parent_version_name = 'web'",
            "requirements without constraints or owner (PyPIPackage)",
        ),
        (
            "MATCH (v:Version {serial_number: 2})-[r:REQUIRE]->(p) "  # noqa: ISC004
            "CREATE (v)-[twin:REQUIRE]->(p) SET twin = properties(r)",
            "requirements that exist twice (PyPIPackage)",
        ),
        (
            "MATCH (v:Version {serial_number: 2}) REMOVE v.vulnerabilities",
            "versions without exactly one package",
        ),
        (
            "CREATE (:Version {purl: 'pkg:pypi/web@9', vulnerabilities: []})",
            "versions without exactly one package",
        ),
        (
            "MATCH (v:Version {serial_number: 2}) SET v.features = 'none'",
            "facts whose table is missing",
        ),
    ],
)
async def test_each_audit_finds_its_damage(
    driver: AsyncDriver, writer: GraphWriter, cypher: Cypher, damage: str, subject: str
) -> None:
    """Every violation is found by its audit only."""
    await writer.write(package("web", WEB), order=order)

    cypher(damage)

    assert await findings(driver) == {subject: 1}
