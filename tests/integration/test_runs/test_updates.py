"""Updates: their start and end, their requests, and gone packages."""

import asyncio
from typing import Any

import pytest

from ssc_ingest.ecosystems.base import Change
from ssc_ingest.errors import CursorExpired, MalformedMetadata
from ssc_ingest.models import Outcome
from ssc_ingest.runs.lease import RunLease
from ssc_ingest.runs.model import Run
from ssc_ingest.work.results import Delayed
from tests.conftest import Cypher
from tests.integration.test_runs.conftest import Bench, Killed

NAMES = [f"package-{number:02}" for number in range(25)]

PACKAGE = """
MATCH (p:PyPIPackage {name: $name})
RETURN elementId(p) AS id, p.moment AS moment, p.gone_since AS gone_since, p.etag AS etag,
       COLLECT { MATCH (p)-[:HAVE]->(v:Version) RETURN [v.name, elementId(v)]
                 ORDER BY v.serial_number } AS versions
"""


@pytest.fixture
async def filled(bench: Bench) -> Bench:
    """The graph has the whole registry and its feed's cursor; requests are reset."""
    bench.content.names = [*NAMES]
    bench.content.etags = {name: f"{name}-1" for name in NAMES}
    bench.content.feed = [Change(name) for name in NAMES]
    await bench.carry_out(await bench.start("ingestion"))
    bench.content.fetched.clear()
    return bench


async def updated(bench: Bench) -> Run:
    """Execute the next update."""
    return await bench.carry_out(await bench.start("update"))


def release(bench: Bench, name: str, *versions: str, **change: Any) -> None:
    """Publish these versions of a package, with a change in the feed."""
    bench.content.versions[name] = ["1", *versions]
    bench.content.etags[name] = f"{name}-{versions[-1]}"
    bench.content.feed.append(Change(name, **change))


async def test_the_first_update_only_notes_where_the_feed_ends(bench: Bench) -> None:
    """Without an ingestion, an update reads no package; the next update continues there."""
    bench.content.feed = [Change(name) for name in NAMES]
    run = await updated(bench)
    assert (run.state, run.pages) == ("finished", 0)
    assert run.note
    feed = await bench.runs.feed("pypi")
    assert feed
    assert feed.cursor == "25"
    assert bench.content.fetched == []
    assert run.metrics()["success_rate"] == 0.0


@pytest.mark.parametrize("ingestion", ["goes on", "is paused", "failed", "was cancelled"])
async def test_the_first_update_begins_where_the_first_ingestion_did(
    bench: Bench, cypher: Cypher, ingestion: str
) -> None:
    """Changes after the ingestion's reading are found, in any state of the ingestion."""
    bench.content.names = [*NAMES]
    bench.content.page_size = 5
    bench.set(run_high_water=5)
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    while (await bench.get(run)).done < 5:  # more are not pending at once
        for message in await bench.messages("pypi.bulk"):
            await bench.handler.handle(message, redelivered=False)
        await asyncio.sleep(0.01)
    release(bench, "package-00", "2")
    if ingestion == "is paused":
        await bench.runs.pause(run.id)
        await asyncio.gather(engine, return_exceptions=True)
    elif ingestion == "was cancelled":
        await bench.runs.cancel(run.id)
        await asyncio.gather(engine, return_exceptions=True)
    elif ingestion == "failed":
        bench.content.errors.append(MalformedMetadata("?"))
        assert (await bench.work_until(engine)).state == "failed"
    update = await updated(bench)
    assert (update.state, update.note) == ("finished", None)
    assert [name for name, _ in cypher(PACKAGE, name="package-00")[0]["versions"]] == ["1", "2"]
    if ingestion == "is paused":
        await bench.runs.resume(run.id)
        engine = asyncio.create_task(bench.engine(run).carry_out())
    if ingestion in {"goes on", "is paused"}:
        assert (await bench.work_until(engine)).state == "finished"
    feed = await bench.runs.feed("pypi")
    assert feed
    assert feed.cursor == "1"


async def test_only_what_has_changed_is_asked_for(filled: Bench, cypher: Cypher) -> None:
    """Known packages with changes; not new ones, nor those with a current document."""
    release(filled, "package-03", "2", "3")
    release(filled, "package-07", "2")
    filled.content.names.append("brand-new")
    release(filled, "brand-new", "2")
    filled.content.feed.append(Change("package-09", etag="package-09-1"))
    filled.content.feed.append(Change("package-10"))
    run = await updated(filled)
    assert sorted(filled.content.fetched) == ["package-03", "package-07", "package-10"]
    assert run.metrics() == {
        "packages_processed": 3,
        "total_versions": 3 + 2 + 1,
        "errors": 0,
        "success_rate": 100.0,
        "changes": 5,
        "unchanged": 2,
        "unknown": 1,
        "gone": 0,
        "new_versions": 3,
    }
    (package,) = cypher(PACKAGE, name="package-03")
    assert [name for name, _ in package["versions"]] == ["1", "2", "3"]
    feed = await filled.runs.feed("pypi")
    assert feed
    assert feed.cursor == "30"
    assert feed.updated_at
    filled.content.fetched.clear()
    assert (await updated(filled)).metrics()["packages_processed"] == 0
    assert filled.content.fetched == []


async def test_new_packages_come_in_where_the_setting_says_so(
    filled: Bench, cypher: Cypher
) -> None:
    """New packages are added, also one in the not-found cache, but no deleted package."""
    filled.set(updates_add_packages=True)
    filled.content.names += ["brand-new", "not-there-yet"]
    await filled.state.not_found.add(filled.resources.ecosystems["pypi"].ref("not-there-yet").purl)
    release(filled, "brand-new", "2")
    release(filled, "not-there-yet", "2")
    filled.content.feed.append(Change("never-seen", deleted=True))
    run = await updated(filled)
    assert run.metrics()["packages_processed"] == 2
    assert run.metrics()["unknown"] == 1
    assert cypher(PACKAGE, name="not-there-yet")[0]["moment"]
    assert [key async for key in filled.state.redis.scan_iter("missing:*")] == []


async def test_what_is_gone_stays_and_says_since_when(filled: Bench, cypher: Cypher) -> None:
    """Nodes, versions and elementIds stay; if the package returns, the mark is removed."""
    before = cypher(PACKAGE, name="package-05")[0]
    filled.content.deleted.add("package-05")
    filled.content.feed.append(Change("package-05", deleted=True))
    run = await updated(filled)
    assert run.metrics()["gone"] == 1
    assert run.metrics()["packages_processed"] == 1
    gone = cypher(PACKAGE, name="package-05")[0]
    assert gone["gone_since"] == gone["moment"] > before["moment"]
    assert (gone["id"], gone["versions"]) == (before["id"], before["versions"])
    filled.content.feed.append(Change("package-05", deleted=True))
    await updated(filled)
    still = cypher(PACKAGE, name="package-05")[0]
    assert still["gone_since"] == gone["gone_since"]
    assert still["moment"] > gone["moment"]
    filled.content.deleted.clear()
    filled.content.feed.append(Change("package-05"))
    await updated(filled)
    back = cypher(PACKAGE, name="package-05")[0]
    assert back["gone_since"] is None
    assert (back["id"], back["versions"]) == (before["id"], before["versions"])
    assert await filled.state.dead_letters.count() == 0


async def test_a_package_that_changes_again_is_asked_again(filled: Bench, cypher: Cypher) -> None:
    """If two pages of a run name a package, the task of the first does not count for the second."""
    filled.content.page_size = 1
    release(filled, "package-01", "2")
    filled.content.feed.append(Change("package-01"))
    run = await filled.start("update")
    engine = asyncio.create_task(filled.engine(run).carry_out())
    await filled.until(run, lambda run: run.pages >= 3 and run.phase == "draining")
    assert (await filled.get(run)).pending == 1
    first, second = await filled.messages("pypi.fresh")
    assert first.task_id != second.task_id
    await filled.handler.handle(first, redelivered=False)
    assert (await filled.get(run)).pending == 1
    await filled.handler.handle(second, redelivered=False)
    run = await engine
    assert filled.content.fetched == ["package-01"]
    assert run.metrics()["packages_processed"] == 1
    assert run.metrics()["total_versions"] == 2


async def test_a_stale_answer_is_asked_for_again_and_in_the_end_taken(
    filled: Bench, cypher: Cypher
) -> None:
    """Three attempts with pauses, and no dead letter."""
    filled.set(max_attempts=2)
    release(filled, "package-01", "2", expected="serial 7")
    release(filled, "package-02", "2", expected="serial 8")
    filled.content.stale = {"package-01": 2, "package-02": 100}
    run = await filled.start("update")
    engine = asyncio.create_task(filled.engine(run).carry_out())
    while not engine.done():
        results = await filled.work()
        assert all(isinstance(r, Delayed) or r.summary for r in results)  # type: ignore[union-attr]
        await filled.hurry()
        await asyncio.sleep(0.01)
    assert filled.content.fetched.count("package-01") == 3
    assert filled.content.fetched.count("package-02") == 4
    assert engine.result().metrics()["packages_processed"] == 2
    assert engine.result().metrics()["total_versions"] == 4
    assert await filled.state.dead_letters.count() == 0


async def test_a_cancelled_update_does_not_move_the_feed(filled: Bench) -> None:
    """The next update has the changes that it had not processed."""
    release(filled, "package-01", "2")
    run = await filled.start("update")
    engine = asyncio.create_task(filled.engine(run).carry_out())
    await filled.until(run, lambda run: run.phase == "draining")
    await filled.runs.cancel(run.id)
    await asyncio.gather(engine, return_exceptions=True)
    await filled.work()
    assert filled.content.fetched == []
    run = await updated(filled)
    assert filled.content.fetched == ["package-01"]
    assert run.metrics()["packages_processed"] == 1


async def test_a_failed_update_goes_on_behind_what_it_has_done(filled: Bench) -> None:
    """A malformed feed fails the run; the next one starts at that page."""
    filled.content.page_size = 1
    release(filled, "package-01", "2")
    release(filled, "package-02", "2")
    run = await filled.start("update")
    engine = asyncio.create_task(filled.engine(run).carry_out())
    await filled.until(run, lambda run: run.pages >= 1)
    filled.content.errors.append(MalformedMetadata("?"))
    run = await filled.work_until(engine)
    assert run.state == "failed"
    feed = await filled.runs.feed("pypi")
    assert feed
    assert feed.updated_at is None
    assert int(feed.cursor) == 25 + run.metrics()["packages_processed"]
    await updated(filled)
    assert filled.content.fetched == ["package-01", "package-02"]


@pytest.mark.parametrize("killed", ["not", "before the listing", "in the listing"])
async def test_a_feed_that_has_lost_something_means_the_whole_listing(
    filled: Bench, monkeypatch: pytest.MonkeyPatch, dying: None, killed: str
) -> None:
    """Every known package is requested, none added; the feed continues at its earlier end."""
    filled.content.feed += [Change(name) for name in NAMES[:5]]
    filled.content.first = 28
    filled.content.names.append("brand-new")
    run = await filled.start("update")
    if killed != "not":
        calls, original = 0, RunLease.commit
        last = {"before the listing": 2, "in the listing": 4}[killed]

        async def dies(self: RunLease, *args: Any) -> None:
            nonlocal calls
            calls += 1
            await original(self, *args)
            if calls == last:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(RunLease, "commit", dies)
            with pytest.raises(Killed):
                await filled.engine(run).carry_out()
        filled.content.feed.append(Change("package-00"))
        filled.content.first = 29
        assert (await filled.get(run)).mode == "names"
        await filled.lapse(run)
    run = await filled.carry_out(run)
    assert run.state == "finished"
    assert sorted(set(filled.content.fetched)) == NAMES
    metrics = run.metrics()
    assert metrics["packages_processed"] == metrics["total_versions"] == 25
    assert (metrics["unchanged"], metrics["unknown"]) == (25, 1)
    feed = await filled.runs.feed("pypi")
    assert feed
    assert feed.updated_at
    assert int(feed.cursor) == (31 if killed == "before the listing" else 30)


async def test_a_listing_that_must_begin_again_counts_once(bench: Bench) -> None:
    """CursorExpired in the middle of an ingestion: nothing is lost or counted twice."""
    bench.content.names = [*NAMES]
    run = await bench.start("ingestion")
    engine = asyncio.create_task(bench.engine(run).carry_out())
    await bench.until(run, lambda run: run.pages >= 1)
    bench.content.errors.append(CursorExpired("the file was rewritten"))
    run = await bench.work_until(engine)
    assert run.state == "finished"
    assert run.metrics()["new_packages_ingested"] == 25
    assert run.metrics()["total_in_registry"] == 25
    assert run.metrics()["skipped_existing"] == 0


async def test_whatever_became_of_a_name_is_counted_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added, present, missing, failed and invalid names, listed twice."""
    monkeypatch.setattr("ssc_ingest.runs.engine.FIRST_PAUSE", 0.01)
    bench.content.names = NAMES[:4]
    bench.content.deleted = {"package-03"}
    await bench.carry_out(await bench.start("ingestion"))
    bench.content.names = [*NAMES, "../bad"]
    bench.content.deleted |= {"package-04", "package-05"}
    bench.content.etags["package-06"] = "\ud800"  # what no graph takes
    bench.content.page_size = 8
    bench.set(run_high_water=1)
    run = await bench.start("ingestion")
    bench.content.errors = [CursorExpired("replaced")] * 2
    bench.content.errors_from = 8
    run = await bench.carry_out(run)
    assert bench.content.errors == []
    assert run.metrics() == {
        "total_in_registry": 26,
        "new_packages_ingested": 18,
        "skipped_existing": 3,
        "errors": 1,
        "ingestion_rate": 69.23,
        "missing": 3,
        "invalid_names": 1,
    }


async def test_an_update_that_lists_all_twice_counts_once(
    filled: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every package is requested again; its versions are new only once."""
    monkeypatch.setattr("ssc_ingest.runs.engine.FIRST_PAUSE", 0.01)
    filled.content.first = len(NAMES) + 1
    filled.content.versions["package-00"] = ["1", "2"]
    filled.content.etags["package-00"] = "2"
    filled.content.names.insert(3, "brand-new")
    run = await filled.start("update")
    filled.content.errors = [CursorExpired("replaced")]
    filled.content.errors_from = 10
    run = await filled.carry_out(run)
    assert filled.content.errors == []
    assert run.metrics() == {
        "packages_processed": 25,
        "total_versions": 26,
        "errors": 0,
        "success_rate": 100.0,
        "changes": 26,
        "unchanged": 25,
        "unknown": 1,
        "gone": 0,
        "new_versions": 1,
    }


async def test_the_end_of_an_older_message_leaves_a_newer_change(filled: Bench) -> None:
    """A package changes again during its first task: the run waits for the second one."""
    filled.content.page_size = 1
    release(filled, "package-01", "2")
    filled.content.feed.append(Change("package-01"))
    run = await filled.start("update")
    engine = asyncio.create_task(filled.engine(run).carry_out())
    await filled.until(run, lambda run: run.pages >= 3 and run.phase == "draining")
    first, second = (message.kwargs["sequence"] for message in await filled.messages("pypi.fresh"))
    assert first < second
    purl = filled.resources.ecosystems["pypi"].ref("package-01").purl
    for _ in range(2):
        assert not await filled.runs.end(run.id, purl, first, Outcome.EXTRACTED)
        assert ((await filled.get(run)).pending, (await filled.get(run)).done) == (1, 0)
    assert await filled.runs.end(run.id, purl, second, Outcome.EXTRACTED)
    assert not await filled.runs.end(run.id, purl, second, Outcome.EXTRACTED)
    run = await engine
    assert (run.pending, run.done) == (0, 1)
