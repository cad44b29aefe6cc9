"""A run that changes its owner: nothing is lost, and nothing is counted twice."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ssc_ingest.errors import RateLimited
from ssc_ingest.models import Purl
from ssc_ingest.runs.lease import LEASE, LeaseLost, RunLease
from ssc_ingest.runs.model import Item
from ssc_ingest.runs.store import keys
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.queues import Queues
from tests.integration.test_runs.conftest import Bench, Killed
from tests.integration.test_runs.registry import named

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


async def test_what_kills_whoever_carries_it_out_fails(bench: Bench, dying: None) -> None:
    """A run without progress is not restarted for ever."""
    bench.content.names = named(3)
    run = await bench.start("ingestion")
    await bench.state.redis.hset(f"run:{run.id}", mapping={"stuck": 11, "started_at": 1})
    run = await bench.carry_out(run)
    assert run.state == "failed"
    assert run.error
    assert run.error.startswith("Stuck")


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


async def test_a_lease_lapses_unless_it_is_renewed(bench: Bench) -> None:
    """A killed worker holds up its run for one lease, whether it has renewed it or not."""
    run = await bench.start("ingestion")
    *_, key = keys(run.id)
    redis, lease = bench.state.redis, RunLease(bench.runs, run)
    async with lease.held(renew_every=3600):
        assert LEASE - 5 < await redis.ttl(key) <= LEASE
        await redis.expire(key, 1000)
        await lease.renew()
        assert LEASE - 5 < await redis.ttl(key) <= LEASE
