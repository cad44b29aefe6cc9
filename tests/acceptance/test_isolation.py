"""Isolated tasks in a child process, if Redis or the child is not available."""

import asyncio

import pytest
from redis.exceptions import RedisError

from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import EXTRACT
from tests.acceptance.fleet import Fleet
from tests.simulator.client import Simulator
from workers.process import isolation
from workers.process.isolation import Isolation, IsolationBusy

NOWHERE = "redis://127.0.0.1:1"


@pytest.fixture
def message(simulator: Simulator) -> TaskMessage:
    """A harmless task."""
    name = simulator.packages("pypi", 1, start=40)[0].name
    return TaskMessage(
        task=EXTRACT,
        kwargs={"ecosystem": "pypi", "name": name, "dependencies": "none"},
        queue="pypi.urgent",
    )


async def test_a_state_that_is_away_condemns_nobody(
    fleet: Fleet, message: TaskMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the child cannot reach Redis, the task returns and is no poison. The child survives."""
    for name, value in {**fleet.environment, "REDIS_URL": NOWHERE}.items():
        monkeypatch.setenv(name, value)
    alone = Isolation()
    try:
        for _ in range(2):
            with pytest.raises(RedisError):
                await alone.execute(message)
    finally:
        await alone.stop()


async def test_who_waits_too_long_for_its_turn_is_put_off(
    fleet: Fleet, message: TaskMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that waits too long for its turn does not occupy its slot while others run alone."""
    monkeypatch.setattr(isolation, "TURN_TIMEOUT", 0.1)
    for name, value in {**fleet.environment, "REDIS_URL": NOWHERE}.items():
        monkeypatch.setenv(name, value)
    alone = Isolation()
    first = asyncio.create_task(alone.execute(message))
    try:
        await asyncio.sleep(0)
        with pytest.raises(IsolationBusy):
            await alone.execute(message)
        assert not first.done()
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await alone.stop()


async def test_a_child_that_cannot_start_condemns_nobody(
    message: TaskMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the child cannot start, for example with invalid settings, the tasks wait."""
    monkeypatch.setenv("REDIS_URL", "not an address")
    with pytest.raises(IsolationBusy, match="exited with code"):
        await Isolation().execute(message)
