"""Submits work to a fleet, and waits for it."""

from typing import Any, Literal

from redis.asyncio import Redis

from ssc_ingest.ecosystems import ecosystem, ecosystems
from ssc_ingest.on_demand.jobs import Job, new_job_id
from ssc_ingest.on_demand.messages import job_message
from ssc_ingest.resources import State
from ssc_ingest.runs.kinds import KINDS, Kind
from ssc_ingest.runs.model import Run
from ssc_ingest.work.arguments import ExtractPackage
from ssc_ingest.work.names import queue_names
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, eventually
from tests.conftest import Cypher
from tests.graph_truth import assert_graph_holds, label_of
from tests.simulator.client import Simulator

IS_READ = "MATCH (p:%s {purl: $purl}) WHERE p.moment IS NOT NULL RETURN 1"
"""Asked again and again: without the label, each time of every node."""

QUEUES = queue_names(ecosystems())

MAY_STAY = (
    *("jobs", "runs", "run:", "feed:", "dead-letters", "schedules"),
    *("requirement-files", "staleness:", "unknown:", "facts:", "stream:counts:"),
    "vulnerabilities:",
)
"""Beginnings of keys of the state that do not expire: kept by number, or one per ecosystem."""


async def start_job(state: State, name: str, dependencies: Any, eco: str = "pypi") -> str:
    """Submit a package like the command line; returns the job's id."""
    request = ExtractPackage(
        ecosystem=eco, name=name, dependencies=dependencies, job_id=new_job_id()
    )
    assert request.job_id
    purl = ecosystem(eco).ref(name).purl
    await state.jobs.enter(
        request.job_id, purl, request=request.keywords(), dependencies=dependencies
    )
    await state.queues.publish([job_message(purl, request)])
    return request.job_id


async def get_job(state: State, job_id: str) -> Job:
    """The job, which must exist."""
    job = await state.jobs.get(job_id)
    assert job is not None
    return job


async def finished(state: State, job_id: str, seconds: float = LONG_ENOUGH) -> Job:
    """Wait until no package of the job is pending; returns the job."""

    async def is_finished() -> bool:
        return (await get_job(state, job_id)).finished

    await eventually(is_finished, seconds)
    return await get_job(state, job_id)


async def assert_nothing_is_left(state: State) -> None:
    """Check that no message, claim, deferred request, pending package or dead letter is left."""
    assert not any((await state.queues.lengths(QUEUES)).values())
    assert await state.queues.delayed() == 0
    assert await state.queues.unacknowledged() == 0
    assert await state.claims.count() == 0
    assert not await state.claims.orphaned_requests()
    assert [key async for key in state.redis.scan_iter("job:*:pending")] == []
    assert [key async for key in state.redis.scan_iter("delivery:*")] == []
    assert [letter async for letter in state.dead_letters.all()] == []
    assert await state.dead_letters.count() == 0, "a letter is kept for a stream"
    assert not await state.queues._redis.exists("delayed:messages")
    assert [key for key in await lasting(state.redis) if not key.startswith(MAY_STAY)] == []
    assert await lasting(state.cache) == []


async def lasting(redis: Redis) -> list[str]:
    """Keys that never expire."""
    keys = [key async for key in redis.scan_iter(count=1000)]
    return [str(key) for key in keys if await redis.ttl(key) == -1]


async def settled(state: State, seconds: float = LONG_ENOUGH) -> None:
    """Wait until every message is acknowledged, including those that returned to their queues."""

    async def is_settled() -> bool:
        return await unacknowledged(state) == 0

    await eventually(is_settled, seconds)


async def unacknowledged(state: State, *, with_delayed: bool = False) -> int:
    """The number of messages in queues or in work, and on request of those that are delayed.

    One transaction: between two reads a task could end and publish the next one.
    """
    async with state.queues._redis.pipeline(transaction=True) as pipeline:
        for queue in QUEUES:
            pipeline.llen(queue)
        pipeline.zcard("unacked_index")
        if with_delayed:
            pipeline.zcard("delayed")
        return sum(await pipeline.execute())


async def extracted(state: State, job_id: str, count: float) -> None:
    """Wait until this number of packages of the job is in the graph."""

    async def is_extracted() -> bool:
        return (await get_job(state, job_id)).counts["extracted"] >= count

    await eventually(is_extracted)


async def in_graph(cypher: Cypher, purl: str) -> None:
    """Wait until the package has been read."""
    is_there = IS_READ % label_of(purl)

    async def is_read() -> bool:
        return bool(cypher(is_there, purl=purl))

    await eventually(is_read)


def root_of_a_large_closure(
    simulator: Simulator, mode: Literal["all", "latest"], at_least: int
) -> tuple[str, frozenset[str]]:
    """A PyPI package and its closure of requirements, at most twice as large."""
    for name, _ in simulator.packages("pypi", 60, start=1400):
        closure = simulator.closure("pypi", name, mode)
        if at_least <= len(closure) <= 2 * at_least:
            return name, closure
    raise AssertionError("the simulated registry has no such package")


async def carried_out(
    fleet: Fleet, state: State, kind: Kind, name: str, **arguments: object
) -> Run:
    """Wait for the end of a run that was requested by its task's name; returns the run."""
    task_id = fleet.send(KINDS[kind].task, ecosystem=name, **arguments)

    async def ended() -> Run | None:
        runs = await state.runs.newest()
        return next((run for run in runs if run.task_id == task_id and run.ended), None)

    await eventually(ended)
    run = await ended()
    assert run is not None
    assert run.state == "finished", run
    await settled(state)
    return run


def assert_graph_is_the_registry(cypher: Cypher, simulator: Simulator, name: str) -> int:
    """Check that the graph has the whole registry; returns the number of packages."""
    truths = tuple(simulator.truths(name))
    assert_graph_holds(cypher, *truths)
    return len(truths)
