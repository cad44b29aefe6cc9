"""Real worker processes, started as an operator would start them."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from celery import Celery

from ssc_ingest.embedded.process import ProcessGroup, lower_priority
from ssc_ingest.servers import Servers
from tests.acceptance.forks import run_forked, start

VISIBILITY_TIMEOUT = 8
TASK_TIMEOUT = 6
RECOVERY = VISIBILITY_TIMEOUT + 5
"""Seconds: the published recovery time."""

CONCURRENCY = 16

LONG_ENOUGH = 300.0
"""Seconds in which what has to happen has happened, also on a machine that does other things."""


class WorkerProcess:
    """One worker process; its log is in a file."""

    def __init__(
        self,
        name: str,
        queues: Iterable[str],
        environment: Mapping[str, str],
        log: Path,
        group: ProcessGroup,
        *,
        niceness: int,
        forks: bool = True,
    ) -> None:
        self.name = name
        self.log = log
        arguments = [
            *("-A", "workers", "worker", "-n", name, "--without-mingle", "--without-gossip"),
            *(("-Q", ",".join(queues)) if queues else ()),
        ]
        self._process = start(
            "celery",
            arguments,
            environment=environment,
            folder=log.parent,
            output=log,
            group=group.id,
            forks=forks,
        )
        lower_priority(self.pid, niceness)

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Wait until it consumes its queues."""
        self.wait_for_log(f"{self.name} ready")

    def wait_for_log(self, text: str, seconds: float = LONG_ENOUGH) -> None:
        """Wait until its log has that text."""
        wait_until(
            lambda: text in self.log.read_text() or not self.is_alive(),
            seconds,
            lambda: f"no {text!r} in the log:\n{self.log.read_text()[-3000:]}",
        )
        assert self.is_alive(), self.log.read_text()[-3000:]

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def freeze(self) -> None:
        """SIGSTOP: it stops in the middle of its work."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it continues."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """``kill -9``, frozen or not."""
        self._process.kill()
        self._process.wait()

    def terminate(self, seconds: float = LONG_ENOUGH) -> int:
        """SIGTERM; waits for the end and returns the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)


class Fleet:
    """Workers that use the test servers and the simulated registries."""

    forks = True
    """Whether workers are forks of a process that has imported more than they do."""

    def __init__(self, servers: Servers, registries: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        self._workers: list[WorkerProcess] = []
        # However the tests end: a remaining worker would take the messages of later tests.
        self._group = ProcessGroup()
        self.environment = {
            **os.environ,
            **registries,
            "GRAPH_DB_URI": servers.graph_uri,
            "REDIS_URL": servers.redis_url,
            "VULN_DB_URI": servers.vulnerabilities_uri,
            "DATA_DIR": str(folder / "data"),
            "VISIBILITY_TIMEOUT": str(VISIBILITY_TIMEOUT),
            "TASK_TIMEOUT": str(TASK_TIMEOUT),
            "WORKER_CONCURRENCY": str(CONCURRENCY),
            "SHUTDOWN_GRACE": "2",
            "JOB_MAX_REQUESTS": "100000",
            "METRICS_PORT": "0",
            "IMPORT_NAMES_READ": "none",  # the tests of import names turn it on
            "PYTHONWARNINGS": "ignore",
            "COLUMNS": "120",  # pytest-xdist sets that of its own terminal
        }
        self.streams = servers.stream(0)
        # Another program's application: it knows the broker and nothing else.
        self.stranger = Celery(broker=servers.redis(1))

    def start(self, *queues: str, name: str = "worker@test", niceness: int = 0) -> WorkerProcess:
        """Start a worker and wait until it is ready; without queues it reads all."""
        log = self._folder / f"{name}.log"
        worker = WorkerProcess(
            name,
            queues,
            self.environment,
            log,
            self._group,
            niceness=niceness,
            forks=self.forks,
        )
        self._workers.append(worker)
        worker.wait_until_ready()
        return worker

    @property
    def worker(self) -> WorkerProcess:
        """The worker that was started last."""
        return self._workers[-1]

    def send(self, task: str = "extraction.extract_package", **kwargs: Any) -> str:
        """Send a task by name to the default queue; returns its id."""
        return str(self.stranger.send_task(task, kwargs=kwargs).id)

    def run(
        self, *arguments: str, program: str = "ssc-ingest", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with the fleet's settings and these."""
        return run_forked(
            *arguments,
            program=program,
            environment={**self.environment, **settings},
            folder=self._folder,
            timeout=LONG_ENOUGH,
        )

    def active(self, name: str = "worker@test") -> list[dict[str, Any]]:
        """Arguments of the tasks that a worker currently runs."""
        answer = self.stranger.control.inspect([name], timeout=0.5, limit=1).active() or {}
        return [task["kwargs"] for task in answer.get(name, [])]

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            if worker.is_alive():
                worker.kill()
        self._group.close()
        self.stranger.close()


async def eventually(
    condition: Callable[[], Awaitable[object]],
    seconds: float = LONG_ENOUGH,
    *,
    every: float = 0.05,
) -> None:
    """Wait until the condition holds; TimeoutError if it does not in time."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what changes is in another process
            await asyncio.sleep(every)


def wait_until(
    condition: Callable[[], object], seconds: float, explain: Callable[[], str] = lambda: ""
) -> None:
    """Wait until the condition holds; fails with an explanation."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {explain()}")
        time.sleep(0.05)
