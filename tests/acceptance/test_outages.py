"""Work continues after an outage of a server."""

import asyncio

from ssc_ingest.control.recovery import MARGIN
from ssc_ingest.resources import State
from tests.acceptance.fleet import RECOVERY, Fleet, WorkerProcess
from tests.acceptance.outages import OwnRedis, sweeping
from tests.acceptance.work import (
    assert_nothing_is_left,
    extracted,
    finished,
    root_of_a_large_closure,
    settled,
    start_job,
)
from tests.conftest import Cypher
from tests.graph_truth import assert_closure_is_filled
from tests.simulator.client import Simulator

REFUSED = "Cannot connect to redis://:**@127.0.0.1"
GIVES_BACK = "reject requeue=True"


async def test_a_killed_redis_loses_nothing(
    own_redis: OwnRedis,
    fleet_beside: Fleet,
    state_beside: State,
    simulator: Simulator,
    cypher: Cypher,
) -> None:
    """Redis is killed during a job and restarted after seconds; every task completes once."""
    outage = Outage(fleet_beside, state_beside, simulator)
    await outage.begin_job()
    await asyncio.to_thread(own_redis.restart)
    await outage.assert_done(cypher)


async def test_a_redis_that_refuses_to_write_stops_no_worker(
    own_redis: OwnRedis,
    fleet_beside: Fleet,
    state_beside: State,
    simulator: Simulator,
    cypher: Cypher,
) -> None:
    """During a failover Redis rejects all commands, with and without work in progress."""
    outage = Outage(fleet_beside, state_beside, simulator)
    own_redis.refuse()
    await asyncio.to_thread(outage.worker.wait_for_log, REFUSED)
    own_redis.accept()
    await outage.begin_job()
    own_redis.refuse()
    await asyncio.to_thread(outage.worker.wait_for_log, GIVES_BACK)
    own_redis.accept()
    await outage.assert_done(cypher)


class Outage:
    """A worker with a job of a hundred packages, and the expected result."""

    def __init__(self, fleet: Fleet, state: State, simulator: Simulator) -> None:
        self._fleet = fleet
        self._state = state
        self._simulator = simulator
        self.worker: WorkerProcess = fleet.start()

    async def begin_job(self) -> None:
        """Start the job; returns when a third of it is done."""
        name, self._closure = root_of_a_large_closure(self._simulator, "latest", at_least=100)
        self._simulator.latency(100)
        self._job_id = await start_job(self._state, name, "latest")
        await extracted(self._state, self._job_id, len(self._closure) / 3)

    async def assert_done(self, cypher: Cypher) -> None:
        """Check that the same worker has done everything once."""
        self._simulator.latency(0)
        # The sweep, which beat emits every minute, finds messages that Redis had handed out and the
        # worker had not recorded.
        async with sweeping(self._fleet):
            job = await finished(self._state, self._job_id, RECOVERY + MARGIN + 60)
        await settled(self._state, RECOVERY + 30)
        assert self.worker.is_alive()
        assert job.seen == len(self._closure)
        assert not job.failed
        await assert_nothing_is_left(self._state)
        assert_closure_is_filled(cypher, self._simulator, "pypi", self._closure)
