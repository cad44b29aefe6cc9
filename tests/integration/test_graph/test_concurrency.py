"""Concurrent writers, with the same dependencies and the same packages."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

from neo4j import AsyncDriver

from ssc_ingest.graph.changes import WriteOutcome, prepare
from ssc_ingest.graph.rows import Locks
from ssc_ingest.graph.transaction import Attempt, Batch
from ssc_ingest.graph.writer import GraphWriter
from ssc_ingest.models import Package
from tests.conftest import Cypher
from tests.integration.test_graph.packages import FETCHED, order, package, shuffled_readings

WRITERS, SUBMITTERS = 4, 8
HOT = [f"hot-{n:02d}" for n in range(60)]

TOUCH = "MATCH (p:PyPIPackage) WHERE p.purl IN $purls SET p.touched = timestamp()"
BLOCKED = "SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked' RETURN status"


async def write_all(writer: GraphWriter, packages: list[Package]) -> None:
    """Write packages with this number of submitters."""
    remaining = iter(packages)

    async def submit() -> None:
        for one in remaining:
            await writer.write(one, order=order)

    await asyncio.gather(*(submit() for _ in range(SUBMITTERS)))


async def test_writers_on_the_same_dependencies_never_deadlock(
    clean_graph: None, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Packages require each other and 60 common ones, with changing edges."""
    rng = random.Random(3)

    def requires() -> dict[str, str]:
        others = [f"w{rng.randrange(WRITERS)}-p{rng.randrange(25):03d}" for _ in range(2)]
        return dict.fromkeys([*rng.sample(HOT, 5), *others], "any")

    def generation(number: int, writer: int) -> list[Package]:
        return [
            package(
                f"w{writer}-p{n:03d}",
                {f"{v}.0": requires() for v in range(3)},
                fetched_at=FETCHED + timedelta(hours=number),
            )
            for n in range(25)
        ]

    writers = [GraphWriter(driver) for _ in range(WRITERS)]
    for number in range(3):
        batches = [generation(number, n) for n in range(WRITERS)]
        await asyncio.gather(
            *(write_all(writer, batch) for writer, batch in zip(writers, batches, strict=True))
        )
    for writer in writers:
        await writer.close()

    assert [writer.statistics.deadlocks for writer in writers] == [0] * WRITERS
    assert [writer.statistics.retries for writer in writers] == [0] * WRITERS
    assert sum(writer.statistics.packages for writer in writers) == 3 * 25 * WRITERS
    (row,) = cypher(
        "MATCH (p:PyPIPackage)-[:HAVE]->(v:Version) WITH p, count(v) AS versions, "
        "count(DISTINCT v.serial_number) AS numbers RETURN count(p) AS packages, "
        "min(versions) AS least, max(versions) AS most, min(numbers) AS numbers"
    )
    assert row == {"packages": 25 * WRITERS, "least": 3, "most": 3, "numbers": 3}


async def test_writers_of_the_same_tables_never_deadlock(
    clean_graph: None, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Packages that share only tables are written in any order, without a deadlock."""
    rng = random.Random(4)

    def package_of(name: str) -> Package:
        made = package(name, [f"{v}.0" for v in range(6)])
        versions = (
            replace(
                version,
                features=f'{{"f":["{rng.randrange(40)}"]}}',
                peer_requirements=f'{{"p":{rng.randrange(40)}}}',
            )
            for version in made.versions
        )
        return replace(made, versions=tuple(versions))

    writers = [GraphWriter(driver) for _ in range(WRITERS)]
    batches = [[package_of(f"w{n}-p{k}") for k in range(40)] for n in range(WRITERS)]
    await asyncio.gather(
        *(write_all(writer, batch) for writer, batch in zip(writers, batches, strict=True))
    )
    for writer in writers:
        await writer.close()

    assert [writer.statistics.deadlocks for writer in writers] == [0] * WRITERS
    assert [writer.statistics.retries for writer in writers] == [0] * WRITERS
    tables = {
        text
        for batch in batches
        for one in batch
        for version in one.versions
        for text in (version.features, version.peer_requirements)
    }
    rows = cypher("MATCH (t:RequirementTable) RETURN t.table AS text")
    assert sorted(row["text"] for row in rows) == sorted(filter(None, tables))


class Waiting(Attempt):
    """A transaction whose server reports a thousand seconds of waiting for locks."""

    async def _lock(self, locks: Locks) -> None:
        await super()._lock(locks)
        self.server_time += 1000


async def test_waiting_for_the_locks_of_others_is_no_work(
    clean_graph: None, driver: AsyncDriver
) -> None:
    """Counted as work, waiting would make transactions smaller, and so cause more waiting."""
    batch = Batch([prepare(package("web", {"1.0": {"core": "any"}}), order)])
    async with driver.session() as session, await session.begin_transaction() as transaction:
        attempt = Waiting(batch, transaction)
        (outcome,) = (await attempt.run()).values()
    assert isinstance(outcome, WriteOutcome)
    assert outcome.new_versions == 1
    assert attempt.server_time < 1000


async def test_the_newest_reading_of_a_package_wins(
    clean_graph: None, driver: AsyncDriver, cypher: Cypher
) -> None:
    """Writers with different readings of one package agree on the newest, and on its numbers."""
    readings = shuffled_readings(12)
    writers = [GraphWriter(driver) for _ in range(WRITERS)]

    await asyncio.gather(
        *(writers[n % WRITERS].write(one, order=order) for n, one in enumerate(readings))
    )
    for writer in writers:
        await writer.close()

    (row,) = cypher(
        "MATCH (p {name: 'web'}) RETURN p.vendor AS vendor, "
        "COLLECT { MATCH (p)-[:HAVE]->(v) RETURN v.name ORDER BY v.serial_number } AS versions, "
        "COLLECT { MATCH (p)-[:HAVE]->()-[:REQUIRE]->(d) RETURN DISTINCT d.name } AS required"
    )
    assert row == {
        "vendor": "v11",
        "versions": [f"{v}.0" for v in range(12)],
        "required": ["d11"],
    }


async def test_the_same_package_submitted_twice_at_once_is_written_once(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """A transaction has a package once; the second submission finds it written."""
    web = package("web", {"1.0": {"core": "any"}})

    outcomes = await asyncio.gather(*(writer.write(web, order=order) for _ in range(3)))

    assert [outcome.stale for outcome in outcomes] == [False, True, True]
    assert cypher("MATCH (:Version)-[r:REQUIRE]->() RETURN count(r) AS n") == [{"n": 1}]


async def test_urgent_packages_do_not_wait_behind_bulk(writer: GraphWriter, cypher: Cypher) -> None:
    """Urgent ones are in the next transaction, with any amount of waiting bulk work."""
    writer._rows = 100  # four packages of these in a transaction
    finished: list[str] = []
    first = asyncio.Event()

    async def submit(one: Package, *, urgent: bool) -> None:
        await writer.write(one, order=order, urgent=urgent)
        finished.append(one.ref.name)
        first.set()

    bulk = [
        package(f"bulk-{n:02d}", {f"{v}.0": {"core": "any"} for v in range(10)}) for n in range(40)
    ]
    tasks = [asyncio.create_task(submit(one, urgent=False)) for one in bulk]
    await first.wait()
    tasks.append(asyncio.create_task(submit(package("urgent", ["1.0"]), urgent=True)))
    await asyncio.gather(*tasks)

    assert writer.statistics.transactions >= 10
    assert finished.index("urgent") <= 12


async def test_a_requirement_and_its_package_in_one_transaction(
    writer: GraphWriter, cypher: Cypher
) -> None:
    """A required package of the same batch has its own name, not a stub's."""
    core = package("Core", ["1.0"])
    core = replace(core, ref=replace(core.ref, name="the-core"))

    outcomes = await asyncio.gather(
        writer.write(package("app", {"1.0": {"Core": "any"}}), order=order),
        writer.write(core, order=order),
    )

    assert {outcome.packages for outcome in outcomes} == {2}
    assert cypher("MATCH (p {purl: 'pkg:pypi/Core'}) RETURN p.name AS name") == [
        {"name": "the-core"}
    ]


async def test_a_deadlock_with_another_program(
    clean_graph: None, driver: AsyncDriver, cypher: Cypher
) -> None:
    """The writer repeats its transaction if another program locks packages in another order.

    The server refuses the transaction that holds fewer locks, which here is the writer's.
    """
    writer = GraphWriter(driver)
    await write_all(writer, [package(name, ["1.0"]) for name in HOT])
    first, *others = HOT
    requiring = package("owner", {"1.0": dict.fromkeys(HOT, "any")})
    async with driver.session() as session, await session.begin_transaction() as other:
        await (await other.run(TOUCH, purls=[f"pkg:pypi/{name}" for name in others])).consume()
        writing = asyncio.create_task(writer.write(requiring, order=order))
        while not await asyncio.to_thread(cypher, BLOCKED):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        await (await other.run(TOUCH, purls=[f"pkg:pypi/{first}"])).consume()
        await other.commit()
    await writing
    await writer.close()

    assert writer.statistics.deadlocks == 1
    (row,) = cypher(
        "MATCH (:PyPIPackage {purl: 'pkg:pypi/owner'})-[:HAVE]->()-[r:REQUIRE]->(:PyPIPackage) "
        "RETURN count(r) AS edges"
    )
    assert row["edges"] == len(HOT)
