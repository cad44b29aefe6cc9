"""``ssc-ingest up`` does mixed work while its processes are killed, one every 20 seconds.

Every process may be the victim: workers, control with the stream's readers, beat, Flower, Valkey,
Neo4j and MongoDB; only the children that try a suspicious task alone are left. Afterwards graph and
registries are compared in full.
"""

import asyncio
import os
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from neo4j import GraphDatabase
from redis.exceptions import RedisError

from ssc_ingest.resources import State, open_state
from ssc_ingest.servers import EmbeddedAddresses, Servers
from ssc_ingest.settings import load_settings
from tests.acceptance.endurance import assert_all_is_there
from tests.acceptance.fleet import eventually
from tests.acceptance.producer import LABELS, STREAMS, Message, of_a_release, of_main, send
from tests.acceptance.test_up import Up
from tests.acceptance.work import assert_nothing_is_left, settled
from tests.conftest import IS_SHORT, Cypher
from tests.graph_truth import assert_graph_holds
from tests.servers import servers_of
from tests.simulator.client import Simulator

SECONDS, KILL_EVERY = 1200.0, 20.0
"""Of the kills, and from one to the next."""

PACKAGES = 1000
"""Of each registry."""

PACE = 2.0
"""Seconds between requests of other programs."""

CONCURRENCY = 8

QUIET = 3600.0
"""Seconds in which the queues are empty again."""

LISTED = ("pypi", "npm")
"""Registries that are ingested and updated as a whole."""

NAMED = ("cargo", "rubygems", "maven", "nuget")
"""Registries of which packages are requested by name."""


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Registries of this many packages."""
    with Simulator.start(packages=PACKAGES, versions="1-4", requirements="0-3") as simulator:
        yield simulator


@pytest.fixture
def own_ports() -> Iterator[None]:
    """The servers choose ports that no other program takes while one of them is dead."""
    with ExitStack() as stack:
        for port in (6379, 7687, 27017):
            with suppress(OSError):  # another program has it
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


@pytest.fixture
def environment(simulator: Simulator, tmp_path: Path) -> dict[str, str]:
    """Settings of a program with its own servers."""
    return {
        **os.environ,
        **simulator.environment(),
        "DATA_DIR": str(tmp_path / "data"),
        "FLOWER_PORT": "0",
        "IMPORT_NAMES_READ": "none",
        "METRICS_PORT": "0",
        "SCHEDULES": "own",
        "TASK_TIMEOUT": "20",
        "VISIBILITY_TIMEOUT": "30",
        "WORKER_CONCURRENCY": str(CONCURRENCY),
        "JOB_MAX_REQUESTS": "100000",
        "JOB_MAX_PACKAGES": "10",
        "JOB_MAX_DIRECT_REQUIREMENTS": "10",
    }


@pytest.mark.soak
@pytest.mark.skipif(IS_SHORT, reason="takes half an hour: make soak")
@pytest.mark.timeout(3 * 3600)
async def test_random_kills(
    simulator: Simulator, environment: dict[str, str], own_ports: None, tmp_path: Path
) -> None:
    """Nothing is lost or doubled, no dead letter is left, and nobody intervenes."""
    with Up(environment=environment, folder=tmp_path) as up:
        await asyncio.to_thread(up.wait_for, "everything is ready")
        addresses = EmbeddedAddresses.read(tmp_path / "data")
        assert addresses
        servers = servers_of(addresses)
        settings = load_settings(None, data_dir=tmp_path / "data")
        with GraphDatabase.driver(servers.graph_uri) as driver:

            def cypher(query: str, **parameters: Any) -> list[dict[str, Any]]:
                return [row.data() for row in driver.execute_query(query, parameters).records]

            async with open_state(settings, servers) as state:
                work = MixedWork(simulator, servers)
                victims = Victims(up)
                try:
                    await _storm(work, victims)
                    await _compare(work, state, cypher)
                finally:
                    work.close()
                    print(f"\nkilled: {dict(victims.killed)}; requests: {dict(work.sent)}")  # noqa: T201
        assert up.process.poll() is None, up.output
        # Every process of the fleet works, and the program says so.
        status = await asyncio.to_thread(up.run, "status", "--json")
        assert status.returncode == 0, status.stdout
        assert sum(victims.killed.values()) >= SECONDS / KILL_EVERY - 1


async def _storm(work: "MixedWork", victims: "Victims") -> None:
    tasks = [asyncio.create_task(work.go_on()), asyncio.create_task(work.watch_prefetching())]
    try:
        for _ in range(int(SECONDS / KILL_EVERY)):
            await asyncio.sleep(KILL_EVERY)
            victims.kill_one()
            for task in tasks:
                if task.done():
                    task.result()  # its error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _compare(work: "MixedWork", state: State, cypher: Cypher) -> None:
    """Wait until all work is done, update once more, and compare everything."""
    await _until_quiet(state)
    for name in LISTED:
        await work.deliver("updates.update", ecosystem=name)
    await _until_quiet(state)
    for name in LISTED:
        # Required packages of other requests do not cross registries: exactly the registry's.
        assert assert_all_is_there(cypher, work.simulator, name, LABELS[name]) == PACKAGES
    for ecosystem, name in sorted(work.named):
        truth = work.simulator.truth(ecosystem, name)
        assert_graph_holds(cypher, truth, links=ecosystem != "cargo")
    (row,) = cypher(
        "MATCH (p) WHERE p.purl IS NOT NULL RETURN count(*) - count(DISTINCT p.purl) AS n"
    )
    assert row["n"] == 0
    for run in await state.runs.newest(100):
        assert run.state == "finished", run
        assert run.counts["failed"] == 0, run
    assert await state.dead_letters.count() == 0
    for stream in STREAMS:
        assert await state.streams.xlen(f"{stream}-dlq") == 0
    await settled(state)
    await assert_nothing_is_left(state)


async def _until_quiet(state: State) -> None:
    """Wait until all runs and jobs have ended, and every entry and message is acknowledged."""

    async def is_quiet() -> bool:
        try:
            await settled(state)
            runs = await state.runs.newest(100)
            pending = [key async for key in state.redis.scan_iter("job:*:pending")]
            return (
                all(run.ended for run in runs)
                and not pending
                and not any([await _has_unread(state, name) for name in STREAMS])
                and await state.queues.delayed() == 0
                and await state.claims.count() == 0
                and await state.queues.unacknowledged() == 0
            )
        except (RedisError, TimeoutError):
            return False

    await eventually(is_quiet, QUIET)


async def _has_unread(state: State, stream: str) -> bool:
    """Whether entries of the stream were not read, or not acknowledged.

    The lag is unknown after a server's restart, so the positions are compared.
    """
    newest = (await state.streams.xinfo_stream(stream))["last-generated-id"]
    groups: list[Any] = await state.streams.xinfo_groups(stream)
    return not groups or any(g["pending"] or g["last-delivered-id"] != newest for g in groups)


class Victims:
    """The processes of ``up``, of which one is killed at a time."""

    def __init__(self, up: Up) -> None:
        self._up = up
        self._rng = random.Random(20261128)
        self.killed: Counter[str] = Counter()

    def kill_one(self) -> None:
        """``kill -9`` of any of them."""
        kind = None
        while kind is None:
            with suppress(psutil.NoSuchProcess):  # it has just ended by itself
                kind = self._kill_one()
        self.killed[kind] += 1

    def _kill_one(self) -> str:
        found = {line: child for line, child in self._up.children().items() if _may_die(line)}
        line = self._rng.choice(sorted(found))
        found[line].kill()
        return _kind(line)


def _may_die(line: str) -> bool:
    return bool(line) and "isolation" not in line and _kind(line) != "other"


def _kind(line: str) -> str:
    words = {
        "java": "Neo4j",
        "valkey": "Valkey",
        "secantus": "MongoDB",
        " beat": "beat",
        " flower": "Flower",
        "--hostname=worker@": "worker",
        "--hostname=worker-urgent@": "worker-urgent",
        "--hostname=control@": "control",
    }
    return next((kind for word, kind in words.items() if word in line), "other")


@dataclass
class MixedWork:
    """Other programs that request runs and packages, and a registry that changes."""

    simulator: Simulator
    servers: Servers
    named: set[tuple[str, str]] = field(default_factory=set)
    """The packages that were requested by name."""
    sent: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._rng = random.Random(5)
        self._stranger = Celery(broker=self.servers.redis(1))
        # It says at once that the broker is away, and tries again as any program would.
        self._stranger.conf.broker_transport_options = {"socket_timeout": 5, "max_retries": 1}

    def close(self) -> None:
        """Close the connections."""
        self._stranger.close()

    async def deliver(self, task: str, **kwargs: Any) -> None:
        """Send a task; a program whose broker is away tries again."""
        await self._insist(lambda: self._stranger.send_task(task, kwargs=kwargs))
        self.sent[task] += 1

    async def go_on(self) -> None:
        """Ingest two registries, then request packages and updates, in all ways."""
        for name in LISTED:
            await self.deliver("ingestion.ingest", ecosystem=name)
        while True:
            await asyncio.sleep(PACE)
            match self._rng.randrange(8):
                case 0:
                    await self._publish()
                case 1:
                    await self.deliver("updates.update", ecosystem=self._rng.choice(LISTED))
                case 2 | 3 | 4:
                    await self._call()
                case _:
                    await self._write()

    async def watch_prefetching(self) -> None:
        """No worker takes more messages than it has threads for, and one more."""
        while True:
            inspect = self._stranger.control.inspect(timeout=1)
            with suppress(OperationalError, RedisError, OSError):
                active = await asyncio.to_thread(inspect.active) or {}
                reserved = await asyncio.to_thread(inspect.reserved) or {}
                for name, tasks in reserved.items():
                    assert len(tasks) <= CONCURRENCY + 1, (name, len(tasks), len(active))
            await asyncio.sleep(5)

    def _some_package(self) -> tuple[str, str]:
        ecosystem = self._rng.choice(NAMED)
        (package,) = self.simulator.packages(ecosystem, 1, start=self._rng.randrange(PACKAGES))
        return ecosystem, package.name

    async def _publish(self) -> None:
        ecosystem = self._rng.choice(LISTED)
        (package,) = self.simulator.packages(ecosystem, 1, start=self._rng.randrange(PACKAGES))
        await asyncio.to_thread(self.simulator.publish, ecosystem, package.name)
        self.sent["releases"] += 1

    async def _call(self) -> None:
        ecosystem, name = self._some_package()
        self.named.add((ecosystem, name))
        await self.deliver("extraction.extract_package", ecosystem=ecosystem, name=name)

    async def _write(self) -> None:
        ecosystem, name = self._some_package()
        self.named.add((ecosystem, name))
        write = self._rng.choice((of_a_release, of_main))
        message = Message(self._rng.choice(STREAMS), write(LABELS[ecosystem], name))
        await self._insist(lambda: send(self.servers.stream(0), [message]))
        self.sent["messages"] += 1

    async def _insist(self, request: Callable[[], object]) -> None:
        while True:
            try:
                await asyncio.to_thread(request)
            except (OperationalError, RedisError, OSError):
                await asyncio.sleep(0.5)
            else:
                return
