"""A Redis that may be killed, the sweep that beat would send, and a job during an outage."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from ssc_ingest.control.recovery import MARGIN
from ssc_ingest.embedded.process import ChildProcess, ProcessGroup
from ssc_ingest.embedded.progress import LineProgress
from ssc_ingest.embedded.valkey import ValkeyServer
from ssc_ingest.resources import State
from tests.acceptance.fleet import (
    LONG_ENOUGH,
    RECOVERY,
    Fleet,
    WorkerProcess,
    eventually,
    wait_until,
)
from tests.acceptance.work import (
    assert_nothing_is_left,
    extracted,
    finished,
    get_job,
    root_of_a_large_closure,
    start_job,
    unacknowledged,
)
from tests.conftest import Cypher
from tests.graph_truth import assert_closure_is_filled
from tests.ports import unused_port
from tests.simulator.client import Simulator


class OwnRedis:
    """A Redis server that a test may kill."""

    def __init__(self, group: ProcessGroup, folder: Path) -> None:
        self._server = ValkeyServer(folder)
        self._server.prepare(LineProgress(lambda _: None))
        self._group = group
        self._port = unused_port()
        self._child = self._start()
        self.uri = self._server.uri(self._port)
        self._client = Redis.from_url(self.uri)

    def restart(self) -> None:
        """``kill -9``, some seconds without a server, and the same server again."""
        self.kill()
        time.sleep(3)
        self.start()

    def freeze(self) -> None:
        """The server accepts connections and commands, and does not respond."""
        os.kill(self._child.pid, signal.SIGSTOP)

    def kill(self) -> None:
        """``kill -9``."""
        self._child.kill()
        self._child.stop(grace=5)

    def refuse(self) -> None:
        """The server responds, and refuses to write, like one that is no longer the primary."""
        self._client.replicaof("127.0.0.1", "1")

    def accept(self) -> None:
        """The server accepts writes again."""
        self._client.replicaof("NO", "ONE")

    def fill(self) -> None:
        """The server has no memory for writes, and evicts nothing."""
        self._client.config_set("maxmemory", "1")

    def wait_until_it_ends(self) -> None:
        """Wait until a write ends it, because the disk does not take it."""

        def has_ended() -> bool:
            with suppress(RedisError):
                self._client.set("probe", "1", ex=1)
            return self._child.returncode is not None

        wait_until(has_ended, LONG_ENOUGH)

    def make_room(self) -> None:
        """The server has memory again."""
        self._client.config_set("maxmemory", "0")

    def start(self) -> None:
        """Start the same server again, with its persisted data."""
        self._child = self._start()

    def start_in_vain(self) -> None:
        """Start the same server while its disk is full."""
        self._child = self._group.start("Valkey", self._server.command(self._port))
        self.wait_until_it_ends()

    def _start(self) -> ChildProcess:
        child = self._group.start("Valkey", self._server.command(self._port))
        wait_until(partial(self._server.is_ready, self._port, child), LONG_ENOUGH)
        return child


@asynccontextmanager
async def sweeping(fleet: Fleet) -> AsyncIterator[None]:
    """Send the sweep every few seconds during the block."""

    async def send() -> None:
        while True:
            with suppress(OperationalError):  # Redis is away; beat, too, tries again
                await asyncio.to_thread(fleet.send, "runs.sweep")
            await asyncio.sleep(5)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()


class Outage:
    """A worker with a job of 60 to 120 packages, and the expected result."""

    def __init__(self, fleet: Fleet, state: State, simulator: Simulator) -> None:
        self.fleet = fleet
        self._state = state
        self._simulator = simulator
        self.worker: WorkerProcess = fleet.start()

    async def begin_job(self, *, packages: int = 60) -> None:
        """Start a job of ``packages`` to twice as many; returns when a third is done."""
        name, self._closure = root_of_a_large_closure(self._simulator, "latest", packages)
        self._simulator.latency(200)
        self._job_id = await start_job(self._state, name, "latest")
        await extracted(self._state, self._job_id, len(self._closure) / 3)

    async def assert_in_progress(self) -> None:
        """Check that the job was not done before the faults were over."""
        assert not (await get_job(self._state, self._job_id)).finished

    async def assert_done(self, cypher: Cypher) -> None:
        """Check that the same worker has done everything once."""
        self._simulator.latency(0)
        # The sweep, which beat emits every minute, finds messages that Redis had handed out and the
        # worker had not recorded.
        async with sweeping(self.fleet):
            job = await finished(self._state, self._job_id, RECOVERY + MARGIN + 60)

        async def none_waits() -> bool:
            return not await unacknowledged(self._state, with_delayed=True)

        # A task whose end could not be acknowledged returns, and may be delayed once more.
        await eventually(none_waits, RECOVERY + 60)
        assert self.worker.is_alive()
        assert job.seen == len(self._closure)
        assert not job.failed
        await assert_nothing_is_left(self._state)
        assert_closure_is_filled(cypher, self._simulator, "pypi", self._closure)
