"""Packages that were never read, which one statement writes."""

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from neo4j import AsyncDriver

from ssc_ingest.errors import GraphRefused
from ssc_ingest.graph import creation
from ssc_ingest.graph.changes import WriteOutcome
from ssc_ingest.graph.driver import open_driver
from ssc_ingest.graph.plans import prepare_plans
from ssc_ingest.graph.statements import WITH_LABEL, WITHOUT_LABEL
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Package
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.conftest import Cypher
from tests.integration.test_graph.packages import (
    FETCHED,
    LABELS,
    TOO_LONG,
    order,
    package,
    shuffled_readings,
)
from tests.integration.test_graph.proxy import proxy_to

HOT = [f"hot-{n:02d}" for n in range(20)]

STATEMENT = b"FOREACH (table IN $batch.tables"
"""A part of the statement, in the message to the server."""

EDGES = """
MATCH (:PyPIPackage {name: $name})-[:HAVE]->(v:Version)
OPTIONAL MATCH (v)-[:REQUIRE]->(p)
RETURN v.name AS version, collect(p.name) AS required ORDER BY version
"""


CONTENTS = """
MATCH (n)
RETURN labels(n) AS labels, properties(n) AS properties,
       COLLECT {
         MATCH (n)-[r]->(m)
         RETURN [type(r), m.purl, properties(r)] ORDER BY type(r), m.purl
       } AS edges
ORDER BY labels, n.purl, n.digest
"""


def varied() -> list[Package]:
    """Packages that require each other and others, with facts of all kinds."""
    rng = random.Random(7)
    made = []
    for n in range(30):
        names = [*HOT, *(f"p{k:02d}" for k in range(30))]
        found = package(
            f"p{n:02d}",
            {
                f"{v}.0": dict.fromkeys(rng.sample(names, rng.randrange(6)), f">= {v}")
                for v in range(rng.randrange(5))
            },
            yanked=["1.0"],
        )
        versions = [
            replace(
                version,
                features=f'{{"f":["{rng.randrange(9)}"]}}',
                deprecated=rng.choice([None, "", "use another"]),
                engines='{"node":">= 18"}',
            )
            for version in found.versions
        ]
        if n % 7 == 1 and versions:
            versions[0] = replace(versions[0], requirements=None, requirements_unknown=True)
        made.append(replace(found, versions=tuple(versions)))
    made.append(package("Capital", {"1.0": {"capital": "any"}}))
    return made


async def write(
    writer: GraphWriter, packages: Sequence[Package], **options: Any
) -> list[WriteOutcome]:
    """Write packages at once, as if the graph lacked them."""
    return await asyncio.gather(
        *(writer.write(one, order=order, unread=True, **options) for one in packages)
    )


async def test_the_graph_is_that_of_a_transaction(
    clean_graph: None, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Nodes, properties, edges and outcomes are the same, also of known stubs."""
    found = []
    statements = 0
    for unread in (False, True):
        cypher("MATCH (n) DETACH DELETE n")
        async with GraphWriter(driver) as writer:
            await writer.write(
                package("before", {"1.0": {"p03": "any", "hot-01": "1"}}), order=order
            )
            outcomes = await asyncio.gather(
                *(writer.write(one, order=order, unread=unread) for one in varied())
            )
            found.append(
                (
                    cypher(CONTENTS),
                    [replace(outcome, statements=0, packages=0) for outcome in outcomes],
                )
            )
            statements = writer.statistics.statements
    assert found[0] == found[1]
    # One statement for the first package's transaction of four, one here, some for the capital.
    assert statements <= 10


async def test_one_statement_writes_all(writer: GraphWriter) -> None:
    """Also packages that are required within the batch, and one without versions."""
    packages = [package("web", {"1.0": {"core": "any"}}), package("core", []), package("x", ["1"])]
    outcomes = await write(writer, packages)
    assert [(o.created, o.new_versions, o.packages, o.statements) for o in outcomes] == [
        (True, 1, 3, 1),
        (True, 0, 3, 1),
        (True, 1, 3, 1),
    ]
    assert (writer.statistics.transactions, writer.statistics.statements) == (1, 1)


async def test_a_package_that_was_read_is_compared(writer: GraphWriter, cypher: Cypher) -> None:
    """A wrong belief: a later reading changes the package, an earlier one nothing."""
    await writer.write(package("web", {"1.0": {"old": "any"}, "2.0": {}}), order=order)

    later = package("web", {"1.0": {"new": "any"}, "3.0": {}}, fetched_at=FETCHED + timedelta(1))
    earlier = package("web", {"0.1": {"gone": "any"}}, fetched_at=FETCHED - timedelta(1))
    (changed, other) = await write(writer, [later, package("other", ["1.0"])])
    (stale,) = await write(writer, [earlier])

    assert (changed.created, changed.new_versions, changed.requirements_removed) == (False, 1, 1)
    assert other.created
    assert stale.stale
    assert cypher(EDGES, name="web") == [
        {"version": "1.0", "required": ["new"]},
        {"version": "2.0", "required": []},
        {"version": "3.0", "required": []},
    ]


async def test_two_writers_of_one_new_package(
    clean_graph: None, driver: AsyncDriver, cypher: Cypher
) -> None:
    """The newest reading wins; no version or edge is there twice."""
    readings = shuffled_readings(8)
    writers = [GraphWriter(driver) for _ in range(4)]
    await asyncio.gather(*(write(writers[n % 4], [one]) for n, one in enumerate(readings)))
    for writer in writers:
        await writer.close()
    assert cypher(EDGES, name="web") == [
        {"version": f"{v}.0", "required": ["d7"]} for v in range(8)
    ]


async def test_an_answer_that_is_lost_counts_once(
    clean_graph: None, servers: Servers, settings: Settings, cypher: Cypher
) -> None:
    """The server has committed; the repetition finds that and returns the first outcome."""
    async with (
        proxy_to(servers.graph_uri) as proxy,
        open_driver(replace(servers, graph_uri=proxy.uri), settings) as driver,
        GraphWriter(driver) as writer,
    ):
        await write(writer, [package("first", ["1.0"])])
        proxy.cut_after(STATEMENT)
        (outcome,) = await write(writer, [package("web", {"1.0": {"core": "any"}})])
    assert proxy.cuts == 1
    assert writer.statistics.retries >= 1
    assert (outcome.stale, outcome.created) == (False, True)
    assert (outcome.new_versions, outcome.requirements_written) == (1, 1)
    assert cypher(EDGES, name="web") == [{"version": "1.0", "required": ["core"]}]


@pytest.mark.parametrize("bad", [TOO_LONG, "\ud800"], ids=["index key too large", "not Unicode"])
async def test_one_bad_package_is_refused_alone(
    writer: GraphWriter, cypher: Cypher, bad: str
) -> None:
    """The statement is given up; transactions find out which package it is."""
    packages = [package(f"p{n:02d}", {"1.0": {"core": "any"}}) for n in range(9)]
    packages[3] = replace(packages[3], ref=replace(packages[3].ref, name=bad))
    outcomes = await asyncio.gather(
        *(writer.write(p, order=order, unread=True) for p in packages), return_exceptions=True
    )
    assert isinstance(outcomes.pop(3), GraphRefused)
    assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    (row,) = cypher("MATCH (p:PyPIPackage) WHERE p.moment IS NOT NULL RETURN count(p) AS n")
    assert row == {"n": 8}


async def test_a_package_that_a_program_named_keeps_its_names(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """A node with import names, as of a migrated graph, is left to a transaction."""
    cypher("CREATE (:PyPIPackage {purl: 'pkg:pypi/web', name: 'web', import_names: ['webs']})")
    one = replace(package("web", ["1.0"], import_names=()), guessed_import_name="guess")
    await write(writer, [one])
    assert cypher("MATCH (p {name: 'web'}) RETURN p.import_names AS names") == [{"names": ["webs"]}]


@pytest.fixture
def popular(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty requirements make a package popular; the server's own limit is 50."""
    monkeypatch.setattr(creation, "DENSE", 60)


async def require(writer: GraphWriter, name: str, *required: str, versions: int = 60) -> None:
    """Write a package, each version of which requires others."""
    found = {f"{v}.0": dict.fromkeys(required, "any") for v in range(versions)}
    await write(writer, [package(name, found)])


async def test_a_popular_package_is_not_locked(
    popular: None, writer: GraphWriter, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Another program holds its lock for the whole time."""
    await require(writer, "first", "hot", "warm")
    async with driver.session() as session, await session.begin_transaction() as other:
        await (await other.run("MATCH (p {name: 'hot'}) SET p.touched = true")).consume()
        async with asyncio.timeout(200):
            await require(writer, "second", "hot", versions=2)
        await other.rollback()
    assert cypher(EDGES, name="second") == [
        {"version": "0.0", "required": ["hot"]},
        {"version": "1.0", "required": ["hot"]},
    ]
    assert writer.statistics.statements == 2


async def test_a_popular_package_that_vanished(
    popular: None, writer: GraphWriter, cypher: Cypher
) -> None:
    """Somebody empties the graph while the worker runs."""
    await require(writer, "first", "hot", "warm")
    cypher("MATCH (n) DETACH DELETE n")
    await require(writer, "second", "cold", "hot", "other", versions=2)
    required = ["cold", "hot", "other"]
    assert [sorted(row["required"]) for row in cypher(EDGES, name="second")] == [required] * 2
    await require(writer, "third", "hot", versions=1)
    assert cypher(EDGES, name="third") == [{"version": "0.0", "required": ["hot"]}]


async def test_writers_on_popular_packages_never_deadlock(
    popular: None, clean_graph: None, driver: AsyncDriver, cypher: Cypher
) -> None:
    """New packages, readings that lose edges to popular ones, and readings of these themselves."""
    rng = random.Random(3)
    writers = [GraphWriter(driver) for _ in range(4)]
    await require(writers[0], "first", *HOT)

    def made(writer: int, number: int, generation: int) -> Package:
        name = HOT[number] if writer == 3 and number < len(HOT) else f"w{writer}-p{number:02d}"
        return package(
            name,
            {
                f"{v}.0": {name: "any" for name in rng.sample(HOT, 5) if name != HOT[number % 20]}
                for v in range(3)
            },
            fetched_at=FETCHED + timedelta(hours=generation),
        )

    batches: list[list[Package]] = []
    for generation in range(3):
        batches = [[made(w, n, generation) for n in range(30)] for w in range(4)]
        await asyncio.gather(
            *(write(one, batch) for one, batch in zip(writers, batches, strict=True))
        )
    for writer in writers:
        await writer.close()
    assert [writer.statistics.deadlocks for writer in writers] == [0] * 4
    last = {one.ref.name: one for batch in batches for one in batch}
    for name, one in last.items():
        assert {row["version"]: sorted(row["required"]) for row in cypher(EDGES, name=name)} == {
            version.name: sorted(r.package.name for r in version.requirements or ())
            for version in one.versions
        }


async def test_preparing_plans_changes_nothing(
    clean_graph: None, driver: AsyncDriver, cypher: Cypher
) -> None:
    """The statements are accepted, also repeatedly, and write nothing."""
    for _ in range(2):
        await prepare_plans(driver, LABELS.values())
    assert cypher("MATCH (n) RETURN n") == []


def test_the_size_of_a_batch_is_no_part_of_a_plan() -> None:
    """For a list that is a parameter, the server makes a plan for each order of magnitude."""
    for text in (*WITH_LABEL.values(), *WITHOUT_LABEL.values()):
        assert set(re.findall(r"\$(\w+)", text)) == {"batch"}


def test_the_oldest_popular_packages_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory for them is limited."""
    monkeypatch.setattr(creation, "MAX_POPULAR", 3)
    popular = creation.Popular()
    popular.add("X", ["a", "b"])
    popular.add("X", ["c", "d"])
    assert list(popular.of("X")) == ["b", "c", "d"]
    popular.forget("X")
    assert not popular.of("X")
