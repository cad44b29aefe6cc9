"""A fleet of real workers on the test servers and the simulated registries."""

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from ssc_ingest.embedded.process import ProcessGroup
from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, wait_until
from tests.acceptance.outages import OwnRedis
from tests.acceptance.work import QUEUES
from tests.conftest import empty
from tests.simulator.client import Simulator
from tests.toy import toy
from tests.toy.registry import ToyRegistry


@pytest.fixture(scope="session")
def simulated() -> Iterator[Simulator]:
    """Registries of 1,500 packages each, whose closures are 70 and more."""
    with Simulator.start(packages=1500, versions="2-10", requirements="1-6") as simulator:
        yield simulator


@pytest.fixture
def simulator(simulated: Simulator) -> Simulator:
    """The registries as they were at the start."""
    simulated.reset()
    return simulated


@pytest.fixture
def fleet(
    servers: Servers,
    simulator: Simulator,
    clean_graph: None,
    clean_redis: None,
    tmp_path: Path,
) -> Iterator[Fleet]:
    """Workers, to be started; empty queues and an empty graph."""
    fleet = Fleet(servers, simulator.environment(), tmp_path)
    yield fleet
    fleet.close()


@pytest.fixture(scope="module")
def running_fleet(
    servers: Servers, simulated: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """A worker of all queues for a whole module."""
    empty(servers.redis_url)
    fleet = Fleet(servers, simulated.environment(), tmp_path_factory.mktemp("fleet"))
    # As in production: no test waits for a redelivery, and a busy machine is slow.
    fleet.environment |= {"TASK_TIMEOUT": "60", "VISIBILITY_TIMEOUT": "180"}
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.close()


@pytest.fixture
def idle_fleet(running_fleet: Fleet, redis_url: str) -> Fleet:
    """The fleet of one worker, after it has completed the previous test's work.

    The fixture waits for the work even if that test failed.
    """
    with Redis.from_url(f"{redis_url}/1") as broker:

        def is_idle() -> bool:
            # One transaction: between two reads a message could move, or a task publish another.
            with broker.pipeline(transaction=True) as pipeline:
                for queue in QUEUES:
                    pipeline.llen(queue)
                return not any(pipeline.zcard("unacked_index").execute())

        wait_until(is_idle, LONG_ENOUGH)
    return running_fleet


@pytest.fixture
def shared_fleet(
    idle_fleet: Fleet, simulator: Simulator, clean_graph: None, clean_redis: None
) -> Fleet:
    """The fleet of one worker, with empty queues and graph.

    For tests that do not kill or configure the worker. It remembers the serial of a list of PyPI's
    projects, so one test per module may list them.
    """
    return idle_fleet


@pytest.fixture
async def state(
    clean_redis: None, settings: Settings, redis_servers: Servers
) -> AsyncIterator[State]:
    """The state in Redis."""
    async with open_state(settings, redis_servers) as state:
        yield state


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A separate Redis that the test may kill."""
    with ProcessGroup() as group:
        yield OwnRedis(group, tmp_path / "valkey")


@pytest.fixture
def fleet_beside(
    own_redis: OwnRedis,
    servers: Servers,
    simulator: Simulator,
    clean_graph: None,
    tmp_path: Path,
) -> Iterator[Fleet]:
    """Workers, to be started, on a Redis that the test may kill."""
    servers = replace(servers, redis_url=own_redis.uri)
    fleet = Fleet(servers, simulator.environment(), tmp_path)
    yield fleet
    fleet.close()


@pytest.fixture
async def state_beside(
    fleet_beside: Fleet, own_redis: OwnRedis, settings: Settings, servers: Servers
) -> AsyncIterator[State]:
    """The state in that Redis."""
    async with open_state(settings, replace(servers, redis_url=own_redis.uri)) as state:
        yield state


DEADLY = """
import os

from toy import Toy


class Deadly(Toy):
    '''One toy kills the process that reads or attributes it.'''

    @classmethod
    def name_of_node(cls, properties):
        name = super().name_of_node(properties)
        if name == "deadly":
            os.kill(os.getpid(), 9)
        return name

    async def fetch(self, request):
        if request.ref.name == "deadly":
            os.kill(os.getpid(), 9)
        return await super().fetch(request)
"""


@pytest.fixture
def toys() -> Iterator[ToyRegistry]:
    """The registry of toys, empty."""
    with ToyRegistry() as registry:
        yield registry


@pytest.fixture
def plugin(fleet: Fleet, toys: ToyRegistry, tmp_path: Path) -> None:
    """A seventh ecosystem, ``toy``: one file, installed like a separate distribution."""
    _install(fleet, toys, tmp_path / "plugin", "toy:Toy")


@pytest.fixture
def deadly_plugin(fleet: Fleet, toys: ToyRegistry, tmp_path: Path) -> None:
    """The plug-in with a toy that kills its reader."""
    folder = tmp_path / "plugin"
    _install(fleet, toys, folder, "deadly:Deadly")
    (folder / "deadly.py").write_text(DEADLY)


def _install(fleet: Fleet, toys: ToyRegistry, folder: Path, entry_point: str) -> None:
    metadata = folder / "toy-1.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(toy.__file__, folder / "toy.py")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[ssc_ingest.ecosystems]\ntoy = {entry_point}\n")
    fleet.environment |= {"PYTHONPATH": str(folder), "TOY_API_URL": toys.url}
