"""Work continues after an outage of a server."""

import asyncio

from ssc_ingest.resources import State
from tests.acceptance.fleet import Fleet
from tests.acceptance.outages import Outage, OwnRedis
from tests.conftest import Cypher
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
