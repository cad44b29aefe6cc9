"""Backfills of import names: their packages, their counts, and their continuation."""

import asyncio
from dataclasses import replace

import pytest

from ssc_ingest.errors import MalformedArchive, RegistryUnavailable, ResourceNotFound
from ssc_ingest.runs.lease import LeaseLost
from ssc_ingest.work.arguments import BackfillImportNames
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT, EXTRACT_NAMES
from tests.conftest import Cypher
from tests.integration.test_runs.conftest import Bench
from tests.integration.test_runs.registry import Named


@pytest.fixture
async def names(bench: Bench) -> Bench:
    """A registry with import names; the graph has ten packages, all with a guess."""
    pypi = bench.resources.ecosystems["pypi"]
    bench.content.names = [f"p{number}" for number in range(10)]
    await bench.carry_out(await bench.start("ingestion"))
    named = Named(pypi.client, pypi.endpoints, bench.content)
    ecosystems = {**bench.resources.ecosystems, "pypi": named}
    bench.resources = replace(bench.resources, ecosystems=ecosystems)
    bench.set(import_names_read="latest")
    return bench


def options(**given: object) -> BackfillImportNames:
    """The options of a backfill of all packages."""
    return BackfillImportNames.parse({"ecosystem": "pypi", "limit": 0, **given})


def extraction() -> TaskMessage:
    """The request to read a package again."""
    kwargs = {"ecosystem": "pypi", "name": "p1", "dependencies": "none", "refresh": True}
    return TaskMessage(task=EXTRACT, kwargs=kwargs, queue="pypi.urgent")


def stored(cypher: Cypher) -> dict[str, list[str]]:
    """The packages whose names were read, with the names."""
    rows = cypher(
        "MATCH (p:PyPIPackage) WHERE p.import_names_from IS NOT NULL "
        "RETURN p.name AS package, p.import_names AS names"
    )
    return {row["package"]: row["names"] for row in rows}


async def test_a_backfill_counts_what_the_summary_says(names: Bench, cypher: Cypher) -> None:
    """Packages with names, without names, with a failed download, with a broken archive."""
    content = names.content
    content.imported = {f"p{number}": frozenset({f"m{number}"}) for number in range(7)}
    content.imported["p8"] = ResourceNotFound("no file")
    content.imported["p9"] = MalformedArchive("broken")

    run = await names.carry_out(await names.start("import_names", backfill=options()))

    assert run.report() | {"seconds": 0, "seconds_per_package": 0} == {
        "run_id": run.id,
        "kind": "import_names",
        "ecosystem": "pypi",
        "state": "finished with errors",
        "succeeded": 7,
        "without_imports": 1,
        "download_errors": 1,
        "processing_errors": 1,
        "errors": 2,
        "packages_processed": 10,
        "seconds_per_package": 0,
        "requests": 0,
        "seconds": 0,
    }
    known = stored(cypher)
    assert known == {f"p{number}": [f"m{number}"] for number in range(7)} | {"p7": ["p7"]}
    assert await names.state.dead_letters.count() == 0


async def test_a_backfill_reads_what_is_missing_and_no_more(names: Bench, cypher: Cypher) -> None:
    """The second one has nothing to do; names of an older version are read, or left."""
    names.content.imported = {f"p{number}": frozenset({"m"}) for number in range(10)}
    run = await names.carry_out(await names.start("import_names", backfill=options(), limit=4))
    assert (run.report()["succeeded"], run.note) == (4, "its limit of 4 is reached")
    assert sorted(names.content.named) == ["p0", "p1", "p2", "p3"]

    await names.carry_out(await names.start("import_names", backfill=options()))
    assert len(names.content.named) == 10
    run = await names.carry_out(await names.start("import_names", backfill=options()))
    assert run.report()["packages_processed"] == 0

    cypher("MATCH (p:PyPIPackage {name: 'p1'}) SET p.import_names_from = '0'")
    cypher("MATCH (p:PyPIPackage {name: 'p2'}) REMOVE p.import_names_from")
    cypher(
        "MATCH (p:PyPIPackage {name: 'p3'}) SET p.import_names = ['p3'] REMOVE p.import_names_from"
    )
    missing = options(missing_only=True)
    run = await names.carry_out(await names.start("import_names", backfill=missing))
    assert (run.report()["succeeded"], stored(cypher)["p3"]) == (1, ["m"])
    run = await names.carry_out(await names.start("import_names", backfill=options()))
    assert run.report()["succeeded"] == 2

    refresh = options(refresh=True)
    run = await names.carry_out(await names.start("import_names", backfill=refresh))
    assert run.report()["succeeded"] == 10
    assert len(names.content.named) == 20  # the others were in the cache


async def test_a_killed_backfill_ends_complete(
    names: Bench, cypher: Cypher, dying: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backfill's worker is killed three times; others continue, and count each package once."""
    monkeypatch.setattr("ssc_ingest.runs.backfill.STRIDE", 3)
    names.content.imported = {f"p{number}": frozenset({"m"}) for number in range(10)}
    run = await names.start("import_names", backfill=options(concurrency=2))
    for done in (1, 4, 6):
        engine = asyncio.create_task(names.engine(run).carry_out())
        while (await names.get(run)).counts["extracted"] < done:
            for message in await names.messages():
                await names.handle(message)
            await asyncio.sleep(0.01)
        engine.cancel()
        with pytest.raises((asyncio.CancelledError, LeaseLost)):
            await engine
        await names.lapse(run)

    ended = await names.carry_out(run)

    assert ended.report()["succeeded"] == 10
    assert len(stored(cypher)) == 10


async def test_names_wait_for_an_unreachable_registry_and_are_then_left(
    names: Bench, cypher: Cypher
) -> None:
    """Attempts that fail are repeated; then the guess stays, without a dead letter."""
    names.set(max_attempts=2)
    names.content.imported = {"p1": RegistryUnavailable("502")}
    kwargs = {"ecosystem": "pypi", "name": "p1"}
    await names.state.queues.publish(
        [TaskMessage(task=EXTRACT_NAMES, kwargs=kwargs, queue="pypi.bulk")]
    )
    await names.work()
    await names.hurry()
    await names.work()

    assert names.content.named == ["p1", "p1"]
    assert stored(cypher) == {}
    assert await names.state.dead_letters.count() == 0
    assert not await names.messages()
    sample = names.resources.metrics.registry.get_sample_value
    labels = {"ecosystem": "pypi", "outcome": "download_error"}
    assert sample("ssc_import_names_total", labels) == 1


async def test_invalid_arguments_are_a_dead_letter(names: Bench) -> None:
    """Invalid arguments become a dead letter, as for every public task."""
    kwargs = {"ecosystem": "pypi", "name": 3}
    await names.state.queues.publish(
        [TaskMessage(task=EXTRACT_NAMES, kwargs=kwargs, queue="pypi.bulk")]
    )
    await names.work()
    assert await names.state.dead_letters.count() == 1


async def test_an_extraction_queues_its_names_behind_itself(names: Bench, cypher: Cypher) -> None:
    """Names are read from the queue of the extraction, once for each latest version."""
    names.content.imported = {"p1": frozenset({"b.c", "b"})}
    await names.handle(extraction())
    (queued,) = await names.messages()
    assert (queued.task, queued.queue) == (EXTRACT_NAMES, "pypi.urgent")
    assert queued.kwargs == {"ecosystem": "pypi", "name": "p1"}
    await names.handle(queued)
    assert stored(cypher) == {"p1": ["b", "b.c"]}

    await names.handle(extraction())
    assert not await names.messages()

    names.content.versions["p1"] = ["1", "2"]
    await names.handle(extraction())
    (queued,) = await names.messages()
    assert queued.kwargs == {"ecosystem": "pypi", "name": "p1"}


async def test_the_names_of_an_older_version_are_its_own(names: Bench, cypher: Cypher) -> None:
    """An older version's names are stored on the version.

    The package keeps those of the latest one.
    """
    names.content.versions["p1"] = ["1", "2"]
    names.content.imported = {"p1": frozenset({"old"})}
    await names.handle(extraction())
    kwargs = {"ecosystem": "pypi", "name": "p1", "version": "1"}
    message = TaskMessage(task=EXTRACT_NAMES, kwargs=kwargs, queue="pypi.urgent")
    await names.names.handle(message)
    await names.names.handle(message)

    rows = cypher(
        "MATCH (p:PyPIPackage {name: 'p1'})-[:HAVE]->(v) "
        "RETURN p.import_names AS package, v.name AS version, v.import_names AS names "
        "ORDER BY version"
    )
    assert rows == [
        {"package": ["p1"], "version": "1", "names": ["old"]},
        {"package": ["p1"], "version": "2", "names": None},
    ]
    assert names.content.named == ["p1"]
