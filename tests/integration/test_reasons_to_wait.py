"""The reasons that ``extract --wait`` and ``jobs show`` give for a lack of progress."""

import pytest

from ssc_ingest.cli.reasons import reason_of_job, reason_to_wait
from ssc_ingest.models import Outcome
from ssc_ingest.monitoring.heartbeats import Worker, beat
from ssc_ingest.on_demand.submit import named_packages, request_for, submit
from ssc_ingest.resources import State
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT

HOST = "registry.npmjs.org"


@pytest.fixture
async def waiting(state: State) -> State:
    """A worker that reads npm's queue, and a waiting task."""
    worker = Worker(hostname="w", pid=1, queues=("npm.urgent",), concurrency=1, started_at=1)
    await beat(state.redis, worker)
    await state.queues.delay(TaskMessage(task=EXTRACT, kwargs={}, queue="npm.urgent"), 60)
    return state


async def reason(state: State) -> str:
    """The reason that is shown for a package of npm."""
    return await reason_to_wait(state, ["npm"])


async def test_nothing_is_known(waiting: State) -> None:
    """There may be many reasons for a later attempt."""
    assert "a registry or a store is slow" in await reason(waiting)


async def test_our_own_rate(waiting: State) -> None:
    """The message does not blame the registry."""
    while (await waiting.limiter.take(HOST, rate=1, urgent=False)).granted:
        pass
    assert await reason(waiting) == f"1 task waits: each waits for its turn (rate limit of {HOST})"


async def test_a_registry_that_is_away(waiting: State) -> None:
    """The message has the cause."""
    await waiting.limiter.unreachable(HOST, f"{HOST} refuses connections")
    expected = f"1 task waits: {HOST} refuses connections; one request at a time tests it"
    assert await reason(waiting) == expected


async def test_a_registry_that_asks_us_to_wait(waiting: State) -> None:
    """The message has the end of the pause."""
    await waiting.limiter.pause(HOST, 100)
    assert f"1 task waits: {HOST} requested a pause until " in await reason(waiting)


async def test_an_operators_pause(waiting: State) -> None:
    """The message has the operator's reason."""
    await waiting.limiter.hold("npm", reason="their incident", seconds=None)
    assert await reason(waiting) == "1 task waits: npm is paused by an operator: their incident"


async def test_a_job_that_waits(waiting: State) -> None:
    """Its own message is in the queue; if the registry is paused, that is the reason."""
    (express,) = named_packages(["pkg:npm/express"])
    job_id = await submit(
        [request_for(express.ref, dependencies="latest")], jobs=waiting.jobs, queues=waiting.queues
    )
    job = await waiting.jobs.get(job_id)
    assert job is not None
    assert "a registry or a store is slow" in await reason_of_job(waiting, job)
    await waiting.limiter.hold("npm", reason="their incident", seconds=None)
    assert "npm is paused by an operator: their incident" in await reason_of_job(waiting, job)


async def test_a_job_behind_others(state: State) -> None:
    """Without a delayed task, the reason is the queue; a finished job has none."""
    worker = Worker(hostname="w", pid=1, queues=("npm.urgent",), concurrency=1, started_at=1)
    await beat(state.redis, worker)
    (express,) = named_packages(["pkg:npm/express"])
    job_id = await submit(
        [request_for(express.ref, dependencies="latest")], jobs=state.jobs, queues=state.queues
    )
    job = await state.jobs.get(job_id)
    assert job is not None
    assert await reason_of_job(state, job) == "its turn has not come: 1 task in npm.urgent"
    await state.jobs.finish(job_id, express.ref.purl, Outcome.EXTRACTED, counts={})
    ended = await state.jobs.get(job_id)
    assert ended is not None
    assert await reason_of_job(state, ended) == ""
