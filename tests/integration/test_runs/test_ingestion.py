"""Ingestions: their listing, comparison, publishing and counts."""

import asyncio

import pytest

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.errors import MalformedMetadata, RateLimited, RegistryUnavailable
from ssc_ingest.runs.dry_run import estimate
from ssc_ingest.runs.lease import LeaseLost
from tests.conftest import Cypher
from tests.integration.test_runs.conftest import Bench
from tests.integration.test_runs.registry import named

IN_GRAPH = "MATCH (p:PyPIPackage) WHERE p.moment IS NOT NULL RETURN p.name AS name"


async def test_everything_that_the_graph_lacks_is_taken_in(bench: Bench, cypher: Cypher) -> None:
    """All packages in the first run, none in the second, new ones in the third."""
    bench.content.names = named(57)
    run = await bench.carry_out(await bench.start("ingestion"))
    assert (run.state, run.pending, run.owner) == ("finished", 0, None)
    assert {row["name"] for row in cypher(IN_GRAPH)} == set(bench.content.names)
    assert run.metrics() == {
        "total_in_registry": 57,
        "new_packages_ingested": 57,
        "skipped_existing": 0,
        "errors": 0,
        "ingestion_rate": 100.0,
        "missing": 0,
        "invalid_names": 0,
    }
    bench.content.fetched.clear()
    run = await bench.carry_out(await bench.start("ingestion"))
    assert bench.content.fetched == []
    assert run.metrics()["skipped_existing"] == 57
    assert run.metrics()["ingestion_rate"] == 0.0
    bench.content.names += named(3, "new")
    run = await bench.carry_out(await bench.start("ingestion"))
    assert sorted(bench.content.fetched) == named(3, "new")
    assert run.metrics()["ingestion_rate"] == 5.0


async def test_an_empty_registry_has_no_rate(bench: Bench) -> None:
    """Percentages of zero are 0.0."""
    run = await bench.carry_out(await bench.start("ingestion"))
    assert run.state == "finished"
    assert run.metrics()["ingestion_rate"] == 0.0


async def test_stubs_are_lacking_and_known_missing_ones_are_left_alone(
    bench: Bench, cypher: Cypher
) -> None:
    """A stub is read; a package in the not-found cache is counted as missing."""
    cypher("CREATE (:PyPIPackage {purl: 'pkg:pypi/package-0000', name: 'package-0000'})")
    bench.content.names = named(3)
    bench.content.deleted = {"package-0001"}
    run = await bench.carry_out(await bench.start("ingestion"))
    assert run.metrics()["new_packages_ingested"] == 2
    assert run.metrics()["missing"] == 1
    bench.content.fetched.clear()
    run = await bench.carry_out(await bench.start("ingestion"))
    assert bench.content.fetched == []
    assert (run.metrics()["skipped_existing"], run.metrics()["missing"]) == (2, 1)


async def test_what_cannot_be_a_name_is_counted(bench: Bench) -> None:
    """Invalid names are counted; two spellings of a project are one package."""
    bench.content.names = ["good", "../../etc/passwd", "Go.Od", "go-od", "x" * 600]
    run = await bench.carry_out(await bench.start("ingestion"))
    metrics = run.metrics()
    assert metrics["total_in_registry"] == 5
    assert (metrics["invalid_names"], metrics["skipped_existing"]) == (2, 1)
    assert run.counts["published"] == 2


async def test_failures_are_dead_letters_and_errors(bench: Bench) -> None:
    """The run continues; a replayed dead letter does not count in an ended run."""
    bench.content.names = named(5)
    bench.content.versions["package-0002"] = ["1", "1"]
    bench.content.etags["package-0002"] = "\ud800"  # what no graph takes
    run = await bench.carry_out(await bench.start("ingestion"))
    assert run.state == "finished"
    assert run.metrics()["errors"] == 1
    assert run.metrics()["new_packages_ingested"] == 4
    (letter,) = [letter async for letter in bench.state.dead_letters.all()]
    assert letter.kwargs["run_id"] == run.id
    assert "run_id" not in letter.message().kwargs


async def test_the_high_water_mark_is_never_exceeded(bench: Bench) -> None:
    """With any length of the listing, only this number of packages is queued."""
    bench.content.names = named(500)
    bench.content.page_size = 200
    bench.set(run_high_water=37)
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    most = 0
    while not engine.done():
        await asyncio.sleep(0.02)
        messages = await bench.messages("pypi.bulk")
        assert len(messages) <= (await bench.get(run)).pending <= 37
        most = max(most, len(messages))
        await asyncio.gather(*(bench.handler.handle(m, redelivered=False) for m in messages))
    assert most == 37
    assert engine.result().metrics()["new_packages_ingested"] == 500


async def test_a_limited_run_stops_there(bench: Bench) -> None:
    """A limited run publishes at most the limit; another run adds the others."""
    bench.content.names = named(50)
    run = await bench.carry_out(await bench.start("ingestion", limit=23))
    assert run.metrics()["new_packages_ingested"] == 23
    assert run.metrics()["total_in_registry"] == 50
    assert run.counts["listed"] == 23
    assert run.note
    run = await bench.carry_out(await bench.start("ingestion", limit=1000))
    assert run.metrics()["new_packages_ingested"] == 27
    assert run.note is None


async def test_the_feed_begins_before_the_listing(bench: Bench) -> None:
    """Changes during the listing are in the first update; a stored cursor stays."""
    bench.content.names = named(20)
    bench.content.feed = [*bench.content.feed]
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    await bench.until(run, lambda run: run.pages >= 1)
    bench.content.feed.append(Change("package-0000"))
    await bench.work_until(engine)
    feed = await bench.runs.feed("pypi")
    assert feed
    assert (feed.cursor, feed.updated_at) == ("0", None)
    await bench.carry_out(await bench.start("ingestion"))
    assert (await bench.runs.feed("pypi")) == feed


async def test_two_starters_make_one_run(bench: Bench) -> None:
    """One of many concurrent callers starts the run; the others get its id."""
    started = await asyncio.gather(*(bench.runs.start("ingestion", "pypi") for _ in range(20)))
    assert sum(is_new for _, is_new in started) == 1
    assert len({run.id for run, _ in started}) == 1
    _, of_another_kind = await bench.runs.start("update", "pypi")
    _, of_another_ecosystem = await bench.runs.start("ingestion", "npm")
    assert of_another_kind
    assert of_another_ecosystem


async def test_a_paused_run_publishes_nothing_and_goes_on_where_it_was(bench: Bench) -> None:
    """Queued packages complete; the others follow after resuming."""
    bench.content.names = named(60)
    bench.set(run_high_water=7)
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    await bench.until(run, lambda run: run.pending > 0)
    assert await bench.runs.pause(run.id) == "running"
    with pytest.raises(LeaseLost, match="paused"):
        await engine
    await bench.work()
    assert len(bench.content.fetched) == 7
    with pytest.raises(LeaseLost, match="paused"):
        await bench.engine(run).carry_out()
    assert await bench.runs.resume(run.id) == "paused"
    run = await bench.carry_out(run)
    assert run.metrics()["new_packages_ingested"] == 60
    assert len(bench.content.fetched) == 60


async def test_a_cancelled_run_leaves_nothing(bench: Bench) -> None:
    """A cancelled run's messages are dropped, and another run of the kind may start."""
    bench.content.names = named(60)
    bench.set(run_high_water=20)
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    await bench.until(run, lambda run: run.pending == 20)
    assert await bench.runs.cancel(run.id) == "running"
    with pytest.raises(LeaseLost):
        await engine
    await bench.work()
    assert bench.content.fetched == []
    run = await bench.get(run)
    assert (run.state, run.pending, run.counts["published"]) == ("cancelled", 0, 20)
    run = await bench.carry_out(await bench.start("ingestion"))
    assert run.metrics()["new_packages_ingested"] == 60


@pytest.mark.parametrize(
    "error",
    [RateLimited("slowly", retry_after=0.1), RegistryUnavailable("down", status=503)],
    ids=["rate limited", "unavailable"],
)
async def test_a_registry_that_makes_it_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The listing is reopened at the last cursor, without completed pages."""
    monkeypatch.setattr("ssc_ingest.runs.engine.FIRST_PAUSE", 0.01)
    bench.content.names = named(30)
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    await bench.until(run, lambda run: run.pages >= 1)
    bench.content.errors.append(error)
    await bench.work_until(engine)
    run = engine.result()
    assert bench.content.errors == []
    assert run.metrics()["total_in_registry"] == 30
    assert len(bench.content.fetched) == 30


async def test_a_listing_that_makes_no_sense_fails_the_run(bench: Bench) -> None:
    """Published packages complete and count; the error is kept; the next run starts anew."""
    bench.content.names = named(30)
    bench.content.errors = []
    bench.set(run_high_water=10)
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    await bench.until(run, lambda run: run.pages >= 1)
    bench.content.errors.append(MalformedMetadata("what is this?"))
    await bench.work_until(engine)
    run = engine.result()
    assert run.state == "failed"
    assert run.error == "MalformedMetadata: what is this?"
    assert run.pending == 0
    assert run.done == len(bench.content.fetched)
    run = await bench.carry_out(await bench.start("ingestion"))
    assert run.state == "finished"


async def test_names_that_are_listed_again_are_counted_once(bench: Bench) -> None:
    """Each name counts once, even if many pages repeat it, as in a catalog."""
    bench.content.names = named(9)
    bench.content.deleted = {"package-0008"}
    await bench.carry_out(await bench.start("ingestion"))
    bench.content.deleted.add("package-0009")
    bench.content.names = [*named(40), "../bad", *reversed(named(40)), "../bad", *named(20)]
    bench.content.repeats = True
    bench.set(run_high_water=3)
    found = await estimate(bench.resources.run_services("pypi"), "ingestion")
    assert (found.listed, found.packages) == (41, 31)
    assert found.counts == {"skipped": 8, "invalid": 1, "known_missing": 1}
    run = await bench.carry_out(await bench.start("ingestion"))
    assert run.metrics() == {
        "total_in_registry": 41,
        "new_packages_ingested": 30,
        "skipped_existing": 8,
        "errors": 0,
        "ingestion_rate": 73.17,
        "missing": 2,
        "invalid_names": 1,
    }
    left = [key async for key in bench.state.redis.scan_iter(f"run:{run.id}*")]
    assert left == [f"run:{run.id}"]
