"""The clock of a worker's machine jumps or is wrong; those of the other machines are right."""

import time
from pathlib import Path

import pytest

from ssc_ingest.monitoring.heartbeats import workers
from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.outages import Outage
from tests.clocks import Clock
from tests.conftest import Cypher
from tests.simulator.client import Simulator

HOUR = 3600


@pytest.fixture
def clock(fleet: Fleet, tmp_path: Path) -> Clock:
    """The clock of the fleet's workers, which are to be started."""
    clock = Clock(tmp_path / "clock")
    fleet.environment |= clock.environment
    return clock


@pytest.fixture
def outage(fleet: Fleet, clock: Clock, state: State, simulator: Simulator) -> Outage:
    """A worker with that clock, and a job."""
    return Outage(fleet, state, simulator)


async def wrong_by(state: State, seconds: int) -> None:
    """Wait until the worker writes a time that is wrong by about so much."""

    async def is_wrong() -> bool:
        ahead = [worker.seen_at - time.time() for worker in await workers(state.redis)]
        return len(ahead) == 1 and abs(ahead[0] - seconds) < HOUR / 2

    await eventually(is_wrong)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["an hour ahead", "an hour back"])
async def test_the_clock_jumps(
    outage: Outage, clock: Clock, state: State, cypher: Cypher, *, seconds: int
) -> None:
    """A job goes on, and each of its packages is done once."""
    await outage.begin_job()
    clock.jump(seconds)
    await outage.assert_done(cypher)
    await wrong_by(state, seconds)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
async def test_a_worker_with_a_wrong_clock_is_killed(
    fleet: Fleet,
    clock: Clock,
    state: State,
    simulator: Simulator,
    cypher: Cypher,
    *,
    seconds: int,
) -> None:
    """Its messages return after the visibility timeout, and each package is done once.

    Another worker does them, whose clock is right.
    """
    clock.jump(seconds)
    outage = Outage(fleet, state, simulator)
    await wrong_by(state, seconds)
    await outage.begin_job()
    outage.worker.freeze()
    assert await state.queues.unacknowledged()
    outage.worker.kill()
    for name in clock.environment:
        del fleet.environment[name]
    outage.worker = fleet.start(name="other@test")
    await outage.assert_done(cypher)
