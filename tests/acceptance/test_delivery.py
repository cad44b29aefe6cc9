"""Delivery survives killed workers, poison, stopping under load, and callers without our code."""

import asyncio
import random
import subprocess
import sys
from typing import Any

from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.models import Outcome, Purl
from ssc_ingest.on_demand.jobs import job_message, new_job_id
from ssc_ingest.resources import State
from ssc_ingest.work.arguments import ExtractPackage
from tests.acceptance.fleet import LONG_ENOUGH, RECOVERY, Fleet, eventually, wait_until
from tests.acceptance.work import (
    assert_nothing_is_left,
    extracted,
    finished,
    get_job,
    in_graph,
    root_of_a_large_closure,
    settled,
    start_job,
)
from tests.conftest import Cypher
from tests.graph_truth import assert_closure_is_filled, assert_graph_holds, snapshot
from tests.simulator.client import Simulator
from tests.toy.registry import ToyRegistry


async def test_killed_workers_lose_nothing(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """Five kills between 10% and 90% of a job of several hundred packages, 8 or more running."""
    name, closure = root_of_a_large_closure(simulator, "all", at_least=320)
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

    points = sorted(rng.uniform(0.1, 0.9) for _ in range(5))
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
    wait_until(lambda: not worker.is_alive(), 30, worker.log.read_text)
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
    """SIGTERM: tasks that exceed the grace return to their queue, and nothing waits."""
    name, closure = root_of_a_large_closure(simulator, "latest", at_least=100)
    simulator.latency(300)
    worker = fleet.start()
    job_id = await start_job(state, name, "latest")
    await extracted(state, job_id, 10)
    # A package that takes longer than the grace, so that something must be given back.
    simulator.latency(4000)
    wait_until(lambda: len(fleet.active()) >= 8, 20)
    assert await asyncio.to_thread(worker.terminate) == 0
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


async def test_programs_without_our_code_call_by_name(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A bare Celery object on the default queue, and ``celery call``: both end in the graph."""
    fleet.start()
    (first, _), (second, _) = simulator.packages("pypi", 2, start=30)
    fleet.send(ecosystem="pypi", name=first, dependencies="none")
    kwargs = f'{{"ecosystem": "pypi", "name": "{second}", "dependencies": "none"}}'
    call = await asyncio.to_thread(
        subprocess.run,
        [
            *(sys.executable, "-m", "celery", "-A", "workers", "call"),
            *("extraction.extract_package", "--kwargs", kwargs),
        ],
        env=fleet.environment,
        check=True,
        capture_output=True,
        timeout=LONG_ENOUGH,
    )
    assert call.stdout
    for name in (first, second):
        truth = simulator.truth("pypi", name)
        await in_graph(cypher, truth.purl)
        assert_graph_holds(cypher, truth)
    await settled(state)
    await assert_nothing_is_left(state)


BAD_CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown ecosystem": ({"ecosystem": "cobol", "name": "x"}, "UnknownEcosystem"),
    "no text": ({"ecosystem": ["pypi"], "name": "x"}, "InvalidArguments"),
    "no name": ({"ecosystem": "pypi"}, "InvalidArguments"),
    "wrong type": ({"ecosystem": "pypi", "name": 7}, "InvalidArguments"),
    "wrong choice": (
        {"ecosystem": "pypi", "name": "x", "dependencies": "some"},
        "InvalidArguments",
    ),
    "path": ({"ecosystem": "pypi", "name": "../../etc/passwd"}, "InvalidName"),
    "encoded path": ({"ecosystem": "npm", "name": "%2e%2e%2fpasswd"}, "InvalidName"),
    "control characters": ({"ecosystem": "cargo", "name": "a\x00b"}, "InvalidName"),
    "5,000 characters": ({"ecosystem": "npm", "name": "a" * 5000}, "InvalidArguments"),
    "not in the registry": (
        {"ecosystem": "pypi", "name": "no-such-package-anywhere"},
        "PackageNotFound",
    ),
    "not in the registry, nothing to follow": (
        {"ecosystem": "cargo", "name": "no-such-crate", "dependencies": "none"},
        "PackageNotFound",
    ),
    "senseless origin": (
        {"ecosystem": "npm", "name": "x", "origin": {"stream": 7}},
        "InvalidArguments",
    ),
    "no such parent": (
        {"ecosystem": "pypi", "name": "PACKAGE", "parent_id": "4:nothing:1"},
        "ParentNotFound",
    ),
}


async def test_bad_calls_are_dead_letters(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """Each bad call is one dead letter of its type; the worker continues, and writes nothing."""
    worker = fleet.start()
    package = simulator.packages("pypi", 1, start=40)[0].name
    sent = {}
    for kwargs, error_type in BAD_CALLS.values():
        named = {key: package if value == "PACKAGE" else value for key, value in kwargs.items()}
        sent[fleet.send(**named)] = error_type
    sent[fleet.send("extraction.no_such_task", ecosystem="pypi", name="x")] = "InvalidArguments"
    positional = fleet.stranger.send_task("extraction.extract_package", args=["pypi", package])
    sent[positional.id] = "InvalidArguments"

    async def all_failed() -> bool:
        return await state.dead_letters.count() == len(sent)

    await eventually(all_failed)
    await settled(state)
    letters = {letter.task_id: letter async for letter in state.dead_letters.all()}
    assert {task_id: letter.error_type for task_id, letter in letters.items()} == sent
    assert all(letter.error and letter.version for letter in letters.values())
    assert worker.is_alive()
    assert cypher("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]
    fleet.send(ecosystem="pypi", name=package, dependencies="none")
    truth = simulator.truth("pypi", package)
    await in_graph(cypher, truth.purl)
    assert_graph_holds(cypher, truth)


async def test_unknown_keywords_are_tolerated(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A caller that is newer than the worker is served."""
    worker = fleet.start()
    package = simulator.packages("npm", 1, start=30)[0].name
    fleet.send(ecosystem="npm", name=package, dependencies="none", colour="blue")
    truth = simulator.truth("npm", package)
    await in_graph(cypher, truth.purl)
    await settled(state)
    assert_graph_holds(cypher, truth)
    assert "unknown_arguments" in worker.log.read_text()
    assert await state.dead_letters.count() == 0


async def test_twice_changes_nothing(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """A second job and a refresh of the same packages leave every node and edge unchanged."""
    fleet.start()
    name, closure = root_of_a_large_closure(simulator, "latest", at_least=100)
    await finished(state, await start_job(state, name, "latest"))
    before = snapshot(cypher)
    simulator.reset_counts()
    await finished(state, await start_job(state, name, "latest"))
    assert simulator.counts().total == 0, "what is in the graph is not read again"
    fleet.send(ecosystem="pypi", name=name, refresh=True)

    async def is_refreshed() -> bool:
        return simulator.counts().total > 0 and not await state.queues.unacknowledged()

    await eventually(is_refreshed)
    assert snapshot(cypher) == before
    assert_closure_is_filled(cypher, simulator, "pypi", closure)


async def test_a_paused_host_delays_no_other(
    fleet: Fleet, simulator: Simulator, state: State, cypher: Cypher
) -> None:
    """429 with Retry-After: work waits outside the queue, without attempts, and then is done."""
    fleet.start()
    package = simulator.packages("npm", 1, start=50)[0].name
    truth = simulator.truth("npm", package)
    simulator.fault("status", package=truth.purl, status=429, retry_after="8", times=1)
    job_id = await start_job(state, package, "none", "npm")
    await eventually(state.queues.delayed)

    async def is_out_of_the_queue() -> bool:
        return await state.queues.unacknowledged() == 0 and bool(await state.queues.delayed())

    await eventually(is_out_of_the_queue)
    simulator.reset_counts()
    job = await finished(state, job_id)
    assert simulator.counts().total == 1, "no request while the host was paused"
    assert not job.failed
    assert_graph_holds(cypher, truth)


async def test_a_redelivery_ends_the_claim_of_its_first_delivery(
    fleet: Fleet, simulator: Simulator, state: State
) -> None:
    """Killed between the end of the work and that of the claim: no claim remains."""
    package = simulator.packages("npm", 1, start=60)[0]
    purl = Purl(package.purl)
    request = ExtractPackage(ecosystem="npm", name=package.name, job_id=new_job_id())
    message = job_message(purl, request)
    assert request.job_id
    await state.jobs.enter(request.job_id, purl, request=request.keywords(), dependencies="latest")
    await state.jobs.finish(request.job_id, purl, Outcome.EXTRACTED)
    assert await state.claims.claim(purl, message.task_id, message.to_json())
    await state.queues.publish([message])
    fleet.start()

    async def is_ended() -> bool:
        return await state.claims.owner(purl) is None

    await eventually(is_ended)
    await settled(state)
    assert simulator.counts().total == 0
    await assert_nothing_is_left(state)
