"""Delivery survives killed workers, poison, stopping under load, and callers without our code."""

import asyncio
import random

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.resources import State
from tests.acceptance.fleet import LONG_ENOUGH, RECOVERY, Fleet, eventually, wait_until
from tests.acceptance.work import (
    assert_nothing_is_left,
    extracted,
    finished,
    get_job,
    root_of_a_large_closure,
    settled,
    start_job,
)
from tests.conftest import Cypher
from tests.graph_truth import assert_closure_is_filled
from tests.simulator.client import Simulator
from tests.toy.registry import ToyRegistry


async def test_killed_workers_lose_nothing(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """Workers are killed five times during a job, with 8 or more tasks running; no task is lost."""
    name, closure = root_of_a_large_closure(simulator, "all", at_least=150)
    simulator.latency(60)
    worker = fleet.start()
    job_id = await start_job(state, name, "all")
    rng = random.Random(20261123)

    async def is_frozen_at_work() -> bool:
        active = await asyncio.to_thread(fleet.active)
        worker.freeze()
        # Some may have ended in between; a pending task of the frozen worker is running.
        running = {ecosystem("pypi").ref(kwargs["name"]).purl for kwargs in active}
        if len(running & await state.redis.smembers(f"job:{job_id}:pending")) >= 8:
            return True
        worker.thaw()
        return False

    points = sorted(rng.uniform(0.1, 0.7) for _ in range(5))
    for point in points:
        await extracted(state, job_id, point * len(closure))
        # Slow, so that the reported tasks still run when the worker is frozen.
        simulator.latency(2000)
        await eventually(is_frozen_at_work)
        worker.kill()
        simulator.latency(60)
        worker = fleet.start()
    simulator.latency(0)
    job = await finished(state, job_id, RECOVERY + 120)
    await settled(state)
    assert job.seen == len(closure)
    assert not job.failed
    assert job.left_over == 0
    await assert_nothing_is_left(state)
    assert_closure_is_filled(cypher, simulator, "pypi", closure)
    unfilled = cypher(
        "MATCH (p:PyPIPackage) WHERE p.purl IN $purls AND p.moment IS NULL RETURN p.purl AS purl",
        purls=sorted(closure),
    )
    assert unfilled == []


async def test_one_poisonous_package_among_good_ones(
    fleet: Fleet, state: State, cypher: Cypher, toys: ToyRegistry, deadly_plugin: None
) -> None:
    """The poisonous task is one dead letter; the tasks in its process are extracted."""
    worker = fleet.start("toy.urgent", "toy.fresh", "toy.bulk")
    good = [f"good-{letter}" for letter in "abcdefg"]
    for name in good:
        toys.put(name, {"1": {}})
    for name in [*good[:4], "deadly", *good[4:]]:
        fleet.stranger.send_task(
            "extraction.extract_package",
            kwargs={"ecosystem": "toy", "name": name},
            queue="toy.urgent",
        )
    wait_until(lambda: not worker.is_alive(), LONG_ENOUGH, worker.log.read_text)
    worker = fleet.start("toy.urgent", "toy.fresh", "toy.bulk")

    async def everything_is_decided() -> bool:
        rows = cypher("MATCH (p:ToyPackage) WHERE p.moment IS NOT NULL RETURN p.name AS name")
        return len(rows) == len(good) and await state.dead_letters.count() == 1

    await eventually(everything_is_decided, RECOVERY + 60)
    await settled(state)
    assert worker.is_alive()
    letters = [letter async for letter in state.dead_letters.all()]
    assert [letter.kwargs["name"] for letter in letters] == ["deadly"]
    assert letters[0].error_type == "WorkerCrashed"
    job = await get_job(state, letters[0].task_id)
    assert job.finished
    assert "WorkerCrashed" in next(iter(job.failed.values()))
    await state.dead_letters.delete([letters[0].id])
    await assert_nothing_is_left(state)


async def test_stopping_under_load_loses_nothing(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """SIGTERM: tasks that exceed the grace return to their queue; no task stays waiting."""
    name, closure = root_of_a_large_closure(simulator, "latest", at_least=60)
    simulator.latency(300)
    worker = fleet.start()
    job_id = await start_job(state, name, "latest")
    await extracted(state, job_id, 10)
    # A package that takes longer than the grace, so that something must be given back.
    simulator.latency(4000)
    wait_until(lambda: len(fleet.active()) >= 8, LONG_ENOUGH)
    assert await asyncio.to_thread(worker.terminate) == 0
    log = worker.log.read_text()
    assert log.count("the worker stops") >= 8  # a line for each task that returns
    assert "Traceback" not in log
    assert await state.queues.unacknowledged() == 0
    assert await state.claims.count() == 0
    assert sum((await state.queues.lengths(["pypi.urgent"])).values()) >= 8
    simulator.latency(0)
    fleet.start()
    job = await finished(state, job_id)
    await settled(state)
    assert job.seen == len(closure)
    assert not job.failed
    await assert_nothing_is_left(state)
    assert_closure_is_filled(cypher, simulator, "pypi", closure)
