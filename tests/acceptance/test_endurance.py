"""An ingestion during which worker processes and Redis are killed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.result import AsyncResult

from ssc_ingest.resources import open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.acceptance.endurance import Endurance, assert_all_is_there
from tests.acceptance.fleet import LONG_ENOUGH, RECOVERY, Fleet
from tests.acceptance.outages import OwnRedis
from tests.acceptance.work import assert_nothing_is_left, settled
from tests.conftest import IS_SHORT, Cypher
from tests.simulator.client import Simulator

PACKAGES, KILLS = (600, 3) if IS_SHORT else (30_000, 20)


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
async def test_an_ingestion_survives_everything(
    own_redis: OwnRedis,
    servers: Servers,
    settings: Settings,
    clean_graph: None,
    *,
    cypher: Cypher,
    tmp_path: Path,
) -> None:
    """Workers and Redis are killed at random points; graph and metrics are correct."""
    servers = replace(servers, redis_url=own_redis.uri)
    with Simulator.start(packages=PACKAGES, versions="3", requirements="2") as simulator:
        fleet = Fleet(servers, simulator.environment(), tmp_path)
        fleet.environment["RUN_HIGH_WATER"] = str(most := 64)
        try:
            async with open_state(settings, servers) as state:
                pending: list[int] = []
                endurance = Endurance(
                    fleet, state, own_redis, told=lambda run: pending.append(run.pending)
                )
                simulator.latency(30)
                run = await endurance.ingest(
                    PACKAGES, kills=KILLS, seed=5, seconds=600 + PACKAGES / 5
                )
                assert len(endurance.killed) == KILLS + 1
                assert run.state == "finished"
                assert run.restarts >= 1
                assert max(pending) <= most
                await settled(state, RECOVERY + 30)
                found = assert_all_is_there(cypher, simulator, "pypi", "PyPIPackage")
                assert found == PACKAGES
                assert run.metrics() == {
                    "total_in_registry": PACKAGES,
                    "new_packages_ingested": PACKAGES,
                    "skipped_existing": 0,
                    "errors": 0,
                    "ingestion_rate": 100.0,
                    "missing": 0,
                    "invalid_names": 0,
                }
                assert _result(servers, run.task_id) == run.report()
                await state.queues.move_due()
                await assert_nothing_is_left(state)
        finally:
            fleet.close()


def _result(servers: Servers, task_id: str) -> Any:
    """The result of a task, as another program reads it."""
    stranger = Celery(broker=servers.redis(1), backend=servers.redis(2))
    try:
        return AsyncResult(task_id, app=stranger).get(timeout=LONG_ENOUGH)
    finally:
        stranger.close()
