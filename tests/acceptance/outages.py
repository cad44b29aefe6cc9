"""A Redis that may be killed, and the sweep that beat would send."""

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

from ssc_ingest.embedded.process import ChildProcess, ProcessGroup
from ssc_ingest.embedded.progress import LineProgress
from ssc_ingest.embedded.valkey import ValkeyServer
from tests.acceptance.fleet import LONG_ENOUGH, Fleet, wait_until
from tests.ports import unused_port


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
        """It accepts connections and commands, and does not respond."""
        os.kill(self._child.pid, signal.SIGSTOP)

    def kill(self) -> None:
        """``kill -9``."""
        self._child.kill()
        self._child.stop(grace=5)

    def refuse(self) -> None:
        """It responds, and refuses to write, like a server that is no longer the primary."""
        self._client.replicaof("127.0.0.1", "1")

    def accept(self) -> None:
        """It accepts writes again."""
        self._client.replicaof("NO", "ONE")

    def start(self) -> None:
        """Start the same server again, with its persisted data."""
        self._child = self._start()

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
