"""A server that goes away in the middle of work comes back to work that goes on."""

import asyncio
from dataclasses import replace
from pathlib import Path

from ssc_ingest.resources import open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.sweep import MARGIN
from tests.acceptance.fleet import RECOVERY, Fleet
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
    servers: Servers,
    simulator: Simulator,
    settings: Settings,
    clean_graph: None,
    *,
    cypher: Cypher,
    tmp_path: Path,
) -> None:
    """Redis is killed in the middle of a job and is back after seconds: all is done once."""
    servers = replace(servers, redis_url=own_redis.uri)
    fleet = Fleet(servers, simulator.environment(), tmp_path)
    try:
        async with open_state(settings, servers) as state:
            name, closure = root_of_a_large_closure(simulator, "latest", at_least=100)
            simulator.latency(100)
            worker = fleet.start()
            job_id = await start_job(state, name, "latest")
            await extracted(state, job_id, len(closure) / 3)
            await asyncio.to_thread(own_redis.restart)
            simulator.latency(0)
            # What Redis had handed out and the worker had not noted is found by the sweep,
            # which beat emits every minute.
            async with sweeping(fleet):
                job = await finished(state, job_id, RECOVERY + MARGIN + 60)
            await settled(state, RECOVERY + 30)
            assert worker.is_alive()
            assert job.seen == len(closure)
            assert not job.failed
            await assert_nothing_is_left(state)
            assert_closure_is_filled(cypher, simulator, "pypi", closure)
    finally:
        fleet.close()


async def test_a_redis_that_refuses_to_write_stops_no_worker(
    own_redis: OwnRedis,
    servers: Servers,
    simulator: Simulator,
    settings: Settings,
    clean_graph: None,
    *,
    cypher: Cypher,
    tmp_path: Path,
) -> None:
    """A failover: all questions are refused for a while, with work in hand and without."""
    servers = replace(servers, redis_url=own_redis.uri)
    fleet = Fleet(servers, simulator.environment(), tmp_path)
    try:
        async with open_state(settings, servers) as state:
            worker = fleet.start()
            own_redis.refuse()
            await asyncio.to_thread(worker.wait_for_log, REFUSED)
            own_redis.accept()
            name, closure = root_of_a_large_closure(simulator, "latest", at_least=100)
            simulator.latency(100)
            job_id = await start_job(state, name, "latest")
            await extracted(state, job_id, len(closure) / 3)
            own_redis.refuse()
            await asyncio.to_thread(worker.wait_for_log, GIVES_BACK)
            own_redis.accept()
            simulator.latency(0)
            async with sweeping(fleet):
                job = await finished(state, job_id, RECOVERY + MARGIN + 60)
            await settled(state, RECOVERY + 30)
            assert worker.is_alive()
            assert job.seen == len(closure)
            assert not job.failed
            await assert_nothing_is_left(state)
            assert_closure_is_filled(cypher, simulator, "pypi", closure)
    finally:
        fleet.close()
