"""Ingestions: their listing, comparison, publishing and counts."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.errors import MalformedMetadata, RateLimited, RegistryUnavailable
from ssc_ingest.models import Purl
from ssc_ingest.runs.dry_run import estimate
from ssc_ingest.runs.lease import LeaseLost, RunLease
from ssc_ingest.runs.model import Item
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.queues import Queues
from tests.conftest import Cypher
from tests.integration.test_runs.conftest import Bench, Killed

IN_GRAPH = "MATCH (p:PyPIPackage) WHERE p.moment IS NOT NULL RETURN p.name AS name"


def named(count: int, prefix: str = "package") -> list[str]:
    """Names in the form of PyPI's list."""
    return [f"{prefix}-{number:04}" for number in range(count)]


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


KILLS: dict[str, tuple[type, str, int, bool]] = {
    "before anything is noted": (RunLease, "admit", 1, True),
    "noted, not published": (Queues, "publish", 3, True),
    "published, not marked": (RunLease, "mark_published", 3, True),
    "marked, page not closed": (RunLease, "commit", 2, True),
    "noted, answer lost": (RunLease, "admit", 2, False),
    "page closed": (RunLease, "commit", 2, False),
    "at the end": (RunLease, "finish", 1, True),
}


@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS)
@pytest.mark.parametrize("worked", ["in between", "only afterwards"])
async def test_killed_anywhere_it_goes_on(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    dying: None,
    kill: tuple[type, str, int, bool],
    worked: str,
) -> None:
    """Nothing is lost or counted twice, with or without workers in between."""
    cls, method, number, before = kill
    bench.content.names = [*named(64), "in-the-graph", "../bad"]
    bench.content.page_size = 16
    bench.set(run_high_water=1000)
    bench.content.names, names = ["in-the-graph"], bench.content.names
    await bench.carry_out(await bench.start("ingestion"))
    bench.content.names = names
    run = await bench.start("ingestion")
    calls = 0
    original = getattr(cls, method)

    async def dies(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and before:
            raise Killed
        answer = await original(self, *args, **kwargs)
        if calls == number:
            raise Killed
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(cls, method, dies)
        engine = asyncio.create_task(bench.engine(run).carry_out())
        while not engine.done():
            await asyncio.sleep(0.01)
            if method == "finish":
                await bench.work()
        with pytest.raises(Killed):
            await engine
    if worked == "in between":
        await bench.work()
    with pytest.raises(LeaseLost, match="taken"):
        await bench.engine(run).carry_out()
    await bench.lapse(run)
    run = await bench.carry_out(run)
    assert run.state == "finished"
    assert run.restarts == 1
    assert run.metrics() == {
        "total_in_registry": 66,
        "new_packages_ingested": 64,
        "skipped_existing": 1,
        "errors": 0,
        "ingestion_rate": 96.97,
        "missing": 0,
        "invalid_names": 1,
    }
    assert run.counts["published"] == 64
    # What was published and not marked is published once more, and may be read twice at once.
    assert set(bench.content.fetched) == {*named(64), "in-the-graph"}
    assert len(bench.content.fetched) <= 65 + 16
    assert await bench.messages() == []


async def test_an_old_owner_changes_nothing_any_more(bench: Bench, dying: None) -> None:
    """After its lease has expired and another worker took over, it stops."""
    bench.content.names = named(40)
    bench.set(run_high_water=5)
    run = await bench.start("ingestion")
    old = asyncio.create_task(bench.engine(run).carry_out())
    await bench.until(run, lambda run: run.pending > 0)
    await bench.lapse(run)
    new = asyncio.create_task(bench.engine(run).carry_out())
    with pytest.raises(LeaseLost, match="lost"):
        await old
    await bench.work_until(new)
    assert new.result().metrics()["new_packages_ingested"] == 40


async def test_a_lease_that_is_lost_in_a_long_listing_ends_it(bench: Bench) -> None:
    """An engine that writes nothing for long also stops; the next one continues."""
    bench.content.names = named(3)
    bench.content.errors = [RateLimited("wait", retry_after=300)]
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run, renew_every=0.05).carry_out())
    await bench.until(run, lambda run: run.note is not None)
    await bench.lapse(run)
    with pytest.raises(LeaseLost, match="lost"):
        await asyncio.wait_for(engine, 120)
    run = await bench.carry_out(run)
    assert run.metrics()["new_packages_ingested"] == 3
    assert run.note is None


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


async def test_what_kills_whoever_carries_it_out_fails(bench: Bench, dying: None) -> None:
    """A run without progress is not restarted for ever."""
    bench.content.names = named(3)
    run = await bench.start("ingestion")
    await bench.state.redis.hset(f"run:{run.id}", mapping={"stuck": 11, "started_at": 1})
    run = await bench.carry_out(run)
    assert run.state == "failed"
    assert run.error
    assert run.error.startswith("Stuck")


async def test_old_records_are_dropped(bench: Bench) -> None:
    """Only a maximum number of records is kept, but running runs stay."""
    bench.runs._kept = 3
    running, _ = await bench.runs.start("ingestion", "npm")
    for _ in range(5):
        run = await bench.start("ingestion")
        await bench.runs.cancel(run.id)
    await bench.start("update")
    newest = await bench.runs.newest()
    assert len(newest) == 5
    assert newest[-1].id == running.id
    assert len([key async for key in bench.state.redis.scan_iter("run:*")]) == 5


async def test_a_run_that_took_long_is_not_old_when_it_ends(bench: Bench) -> None:
    """The records of the runs that ended first are deleted first."""
    bench.runs._kept = 3
    bench.content.names = named(7)
    long = await bench.start("ingestion")
    others = []
    for _ in range(5):
        run, _ = await bench.runs.start("ingestion", "npm")
        await bench.runs.cancel(run.id)
        others.append(run.id)
    await bench.carry_out(long)
    await bench.start("update")
    assert (await bench.get(long)).metrics()["new_packages_ingested"] == 7
    assert [await bench.runs.get(run_id) is None for run_id in others] == [True] * 3 + [False] * 2


async def test_a_run_that_ended_long_ago_is_dropped(bench: Bench) -> None:
    """A run that only started long ago is kept."""
    bench.runs._kept_for = 100.0
    ended = await bench.carry_out(await bench.start("ingestion"))
    old = await bench.carry_out(await bench.start("ingestion"))
    ago = time.time() - 200
    await bench.state.redis.hset(f"run:{ended.id}", "created_at", ago)
    await bench.state.redis.hset(f"run:{old.id}", mapping={"created_at": ago, "finished_at": ago})
    await bench.state.redis.zadd("runs", {ended.id: ago, old.id: ago})
    await bench.start("ingestion")
    assert await bench.runs.get(ended.id)
    assert await bench.runs.get(old.id) is None


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


async def test_a_page_is_closed_once_also_if_its_answer_is_lost(bench: Bench) -> None:
    """A repeated request after a broken connection changes nothing."""
    run = await bench.start("ingestion")
    lease = RunLease(bench.runs, run)
    async with lease.held():
        for cursor in ("10", "20"):
            pages = (await bench.get(run)).pages
            await lease.commit(pages, {"cursor": cursor}, {"listed": 10})
            once = await bench.get(run)
            assert (once.pages, once.cursor) == (pages + 1, cursor)
            await lease.commit(pages, {"cursor": "wrong"}, {"listed": 10})
            assert replace(await bench.get(run), touched_at=once.touched_at) == once
    assert (await bench.get(run)).counts["listed"] == 20


async def test_packages_are_admitted_once_also_if_the_answer_is_lost(bench: Bench) -> None:
    """A repeated request gets the same response while nothing is marked as published."""
    run = await bench.start("ingestion")
    items = [
        Item(Purl(f"pkg:pypi/{name}"), ExtractPackage(ecosystem="pypi", name=name, run_id=run.id))
        for name in named(5)
    ]
    lease = RunLease(bench.runs, run)
    async with lease.held():
        first = await lease.admit(items, most=3, replaces=False)
        assert [item.purl for item in first.publish] == [item.purl for item in items[:3]]
        assert await lease.admit(items, most=3, replaces=False) == first
        assert (await bench.get(run)).pending == 3
        await lease.mark_published(first.publish)
        assert (await lease.admit(items, most=3, replaces=False)).publish == ()
        assert (await bench.get(run)).pending == 3
