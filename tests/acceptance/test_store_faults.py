"""Redis, Neo4j and MongoDB fail in ways other than a crash, while a job runs.

Those that take a minute, because a time limit has to pass, run in ``make soak``.

Each fault begins when a third of the job is done. Afterwards every package is in the graph once, no
message or claim is left, and the same worker has done it.
"""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from ssc_ingest.embedded.process import ProcessGroup
from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from tests.acceptance.fleet import Fleet, eventually
from tests.acceptance.outages import Outage, OwnRedis, sweeping
from tests.acceptance.proxy import Proxy, proxy_to
from tests.acceptance.work import QUEUES
from tests.conftest import IS_SHORT, Cypher
from tests.simulator.client import Simulator

FAULTS = [
    pytest.param(Proxy.refuse, id="refuses"),
    pytest.param(Proxy.silence, id="is silent", marks=pytest.mark.soak),
]

pytestmark = pytest.mark.timeout(1200)

AWAY = 8.0 if IS_SHORT else 60.0
"""Seconds of an outage."""


@pytest.fixture
def redis_proxy(redis_url: str) -> Iterator[Proxy]:
    """A proxy before Redis."""
    with proxy_to(redis_url) as proxy:
        yield proxy


@pytest.fixture
def graph_proxy(graph_uri: str) -> Iterator[Proxy]:
    """A proxy before the graph."""
    with proxy_to(graph_uri) as proxy:
        yield proxy


@pytest.fixture
def mongo_proxy(vulnerabilities_uri: str) -> Iterator[Proxy]:
    """A proxy before MongoDB."""
    with proxy_to(vulnerabilities_uri) as proxy:
        yield proxy


@pytest.fixture
def proxied(
    servers: Servers, redis_proxy: Proxy, graph_proxy: Proxy, mongo_proxy: Proxy
) -> Servers:
    """The servers, behind their proxies."""
    return replace(
        servers,
        redis_url=redis_proxy.uri,
        graph_uri=graph_proxy.uri,
        vulnerabilities_uri=mongo_proxy.uri,
    )


@pytest.fixture
def outage(
    proxied: Servers,
    simulator: Simulator,
    clean_graph: None,
    state: State,
    tmp_path: Path,
    *,
    request: pytest.FixtureRequest,
) -> Iterator[Outage]:
    """A worker that reaches its servers through the proxies; the test has its own ways.

    An indirect parameter are settings of the worker.
    """
    fleet = Fleet(proxied, simulator.environment(), tmp_path)
    fleet.environment |= getattr(request, "param", {})
    try:
        yield Outage(fleet, state, simulator)
    finally:
        fleet.close()


async def test_redis_closes_the_connection_for_commands(
    outage: Outage, redis_url: str, cypher: Cypher
) -> None:
    """Redis closes only the connection on which the worker receives commands like ``inspect``."""
    await outage.begin_job()
    with Redis.from_url(redis_url) as client:
        assert client.client_kill_filter(_type="pubsub")
    await outage.assert_done(cypher)


async def test_redis_resets_connections(
    outage: Outage, redis_proxy: Proxy, simulator: Simulator, cypher: Cypher
) -> None:
    """Redis resets all connections five times within three seconds."""
    await outage.begin_job()
    simulator.latency(1000)
    for _ in range(5):
        redis_proxy.cut()
        await asyncio.sleep(0.6)
    await outage.assert_in_progress()
    await outage.assert_done(cypher)


async def test_redis_is_unreachable(outage: Outage, redis_proxy: Proxy, cypher: Cypher) -> None:
    """Redis refuses connections for a while."""
    await outage.begin_job()
    redis_proxy.refuse()
    await asyncio.sleep(AWAY)
    redis_proxy.restore()
    await outage.assert_done(cypher)


@pytest.mark.soak
async def test_redis_is_silent(outage: Outage, redis_proxy: Proxy, cypher: Cypher) -> None:
    """Half-open: no connection is closed, and none transports anything again."""
    await outage.begin_job()
    redis_proxy.silence()
    await asyncio.sleep(AWAY)
    redis_proxy.restore()
    await outage.assert_done(cypher)
    assert "the redis store does not respond" in outage.worker.log.read_text()


@pytest.mark.soak
async def test_an_idle_worker_survives_a_silent_redis(
    outage: Outage, redis_proxy: Proxy, cypher: Cypher
) -> None:
    """An idle worker has no work in progress that would notice a silent Redis."""
    redis_proxy.silence()
    await asyncio.sleep(AWAY)
    redis_proxy.restore()
    await outage.begin_job()
    await outage.assert_done(cypher)


@pytest.mark.soak
@pytest.mark.parametrize(
    "outage", [{"WORKER_CONCURRENCY": "4"}], indirect=True, ids=["messages wait"]
)
async def test_the_queues_are_deleted(outage: Outage, state: State, cypher: Cypher) -> None:
    """The sweep publishes what the job counts as pending."""
    await outage.begin_job(packages=100)
    assert await state.queues._redis.delete(*QUEUES)
    await outage.assert_done(cypher)


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_graph(outage: Outage, graph_proxy: Proxy, cypher: Cypher, fault: object) -> None:
    """The graph refuses connections, or no longer responds, for a while."""
    assert callable(fault)
    await outage.begin_job()
    fault(graph_proxy)
    await asyncio.sleep(AWAY)
    graph_proxy.restore()
    await outage.assert_done(cypher)


async def test_the_graph_resets_connections(
    outage: Outage, graph_proxy: Proxy, simulator: Simulator, cypher: Cypher
) -> None:
    """The graph resets its connections in the middle of writes, ten times within three seconds."""
    await outage.begin_job()
    simulator.latency(1000)
    for _ in range(10):
        graph_proxy.cut()
        await asyncio.sleep(0.3)
    await outage.assert_in_progress()
    await outage.assert_done(cypher)


@pytest.mark.parametrize("fault", FAULTS)
async def test_mongodb(
    outage: Outage, mongo_proxy: Proxy, state: State, cypher: Cypher, fault: object
) -> None:
    """Extraction continues without it; the packages are noted, and attributed after its return."""
    assert callable(fault)

    async def none_is_unattributed() -> bool:
        return not await state.unattributed.count()

    fault(mongo_proxy)
    await outage.begin_job()
    await eventually(state.unattributed.count)
    mongo_proxy.restore()
    await outage.assert_done(cypher)
    async with sweeping(outage.fleet):
        await eventually(none_is_unattributed)


async def test_redis_is_full(
    own_redis: OwnRedis,
    fleet_beside: Fleet,
    state_beside: State,
    simulator: Simulator,
    cypher: Cypher,
) -> None:
    """``maxmemory`` is reached under ``noeviction``: it responds, and refuses to write."""
    outage = Outage(fleet_beside, state_beside, simulator)
    await outage.begin_job()
    own_redis.fill()
    await asyncio.sleep(AWAY)
    own_redis.make_room()
    await outage.assert_done(cypher)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_the_disk_of_redis_is_full(
    small_disk: Path,
    servers: Servers,
    simulator: Simulator,
    clean_graph: None,
    settings: Settings,
    *,
    cypher: Cypher,
    tmp_path: Path,
) -> None:
    """The append-only file of Redis cannot grow: Redis ends, twice, until the disk has space."""
    with ProcessGroup() as group:
        own_redis = OwnRedis(group, small_disk / "valkey")
        beside = replace(servers, redis_url=own_redis.uri)
        fleet = Fleet(beside, simulator.environment(), tmp_path)
        ballast = small_disk / "ballast"
        try:
            async with open_state(settings, beside) as state:
                outage = Outage(fleet, state, simulator)
                await outage.begin_job()
                with suppress(OSError), ballast.open("wb", buffering=0) as file:
                    while file.write(bytes(1024 * 1024)):
                        pass
                await asyncio.to_thread(own_redis.wait_until_it_ends)
                await asyncio.sleep(AWAY)
                await asyncio.to_thread(own_redis.start_in_vain)
                ballast.unlink()
                await asyncio.to_thread(own_redis.start)
                await outage.assert_done(cypher)
        finally:
            fleet.close()
