"""The reasons that ``extract --wait`` shows without progress."""

import pytest

from ssc_ingest.cli.commands.extract import _reason_to_wait
from ssc_ingest.monitoring.heartbeats import Worker, beat
from ssc_ingest.on_demand.submit import named_packages
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
    return await _reason_to_wait(state, named_packages(["pkg:npm/express"]))


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
