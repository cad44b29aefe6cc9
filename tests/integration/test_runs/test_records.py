"""Which records of runs are kept."""

import time

from tests.integration.test_runs.conftest import Bench
from tests.integration.test_runs.registry import named


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
