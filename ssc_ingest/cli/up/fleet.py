"""The processes that ``up`` runs beside the servers: workers, beat, Flower, the overview page.

A worker or beat is ready when its heartbeat is in Redis, Flower and the page when their health
checks succeed. Readiness does not depend on log lines.
"""

import asyncio
import http
import http.client
import os
import sys
from collections.abc import Callable, Mapping, Sequence

import psutil
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssc_ingest.cli.up.logs import ChildLogs
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.embedded import ChildProcess, Program, ServerFailed, Supervisor, Waiting
from ssc_ingest.embedded.ports import LOOPBACK, choose_port
from ssc_ingest.monitoring.heartbeats import beats, workers
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.names import CONTROL, DEFAULT, queue_name, work_queues

CELERY = (sys.executable, "-m", "workers")
OWN = (sys.executable, "-m", "ssc_ingest.cli")

START_TIMEOUT = 120.0
"""Seconds until a process must be ready, also on a busy machine."""

QUICK_GRACE = 5.0
"""Seconds for other processes than workers to end; they have no work in progress."""

WORKER_RESTARTS = 10
"""Maximum of consecutive restarts. The others have none: no process needs them."""

BULK_NICENESS = 10
"""How much a worker of bulk queues leaves the processor to others. Urgent work, commands and
servers get ten times its share while they need it; otherwise it has the whole processor."""

FLOWER_MAX_TASKS = 10_000
"""Number of tasks that Flower keeps; its default takes ten times the memory."""

FLOWER = "flower"
WEB = "web"

WORKERS, NO_WORK = range(2)
"""The order of stopping: processes without work in progress first."""


class Fleet:
    """Starts the processes, watches them, and stops them in order."""

    def __init__(
        self, settings: Settings, servers: Servers, logs: ChildLogs, tell: Callable[[str], None]
    ) -> None:
        """Prepare; nothing is started yet.

        ``tell`` is called with a line for people when a process has ended, and when it works again.
        """
        self._settings = settings
        self._logs = logs
        self._supervisor = Supervisor(tell=tell)
        self._loop = asyncio.Runner()
        self._redis = Redis.from_url(servers.redis(settings.redis_state_db), decode_responses=True)
        self.metrics_addresses: list[str] = []

    def start_workers(self, *, only_own_schedules: bool = False) -> list[str]:
        """Start the three workers and beat; returns their names.

        ``only_own_schedules``: beat starts no task that sends requests to a registry.
        """
        names = list(ecosystems())
        urgent = [queue_name(name, "urgent") for name in names]
        about = f"all work of {', '.join(names)}"
        self._start_worker("worker", work_queues(names), about, niceness=BULK_NICENESS)
        self._start_worker("worker-urgent", urgent, "urgent work")
        self._start_worker("control", [CONTROL, DEFAULT], "runs, delayed work, dead letters")
        self._start(
            "beat",
            lambda _: ["beat"],
            about=lambda _: "the schedule",
            is_ready=lambda _, child: self._is_beating(child),
            environment={**_inherited(), "SCHEDULES": "own"} if only_own_schedules else None,
        )
        return list(self._supervisor.children)

    def start_flower(self) -> list[str]:
        """Start Flower; it lists the queues of the workers that are ready when it starts."""
        # Other users cannot read a password in Flower's environment variables.
        environment = {
            name: value for name, value in _inherited().items() if not name.startswith("FLOWER_")
        }
        if self._settings.flower_password:
            password = self._settings.flower_password.get_secret_value()
            environment["FLOWER_BASIC_AUTH"] = f"{self._settings.flower_user}:{password}"
        self._start(
            FLOWER,
            lambda port: [
                "flower",
                f"--address={LOOPBACK}",
                f"--port={port}",
                f"--max-tasks={FLOWER_MAX_TASKS}",
            ],
            about=_loopback,
            is_ready=lambda port, child: _listens(child, port) and _answers(port, "/healthcheck"),
            environment=environment,
            port=self._settings.flower_port,
        )
        return [FLOWER]

    def start_web(self) -> list[str]:
        """Start the overview page."""
        self._start(
            WEB,
            lambda port: ["web", f"--address={LOOPBACK}", f"--port={port}"],
            about=_loopback,
            is_ready=lambda port, child: _listens(child, port) and _answers(port, "/healthz"),
            environment=_inherited(),
            port=self._settings.web_port,
            program=OWN,
        )
        return [WEB]

    @property
    def web_address(self) -> str:
        """The address of the overview page, after its start."""
        return _loopback(self._supervisor.port(WEB))

    @property
    def flower_address(self) -> str:
        """The address of Flower, after its start."""
        return _loopback(self._supervisor.port(FLOWER))

    def _start_worker(
        self, name: str, queues: Sequence[str], about: str, *, niceness: int = 0
    ) -> None:
        self._start(
            name,
            lambda _: [
                "worker",
                "--without-mingle",  # saves a second per start; we do not use it
                f"--hostname={name}@%h",
                f"--queues={','.join(queues)}",
            ],
            about=lambda _: about,
            is_ready=lambda _, child: self._has_heartbeat(child),
            environment={**_inherited(), "METRICS_PORT": str(self._metrics_port())},
            # The worker itself requeues its unfinished tasks after the grace period.
            stop_grace=self._settings.shutdown_grace + QUICK_GRACE,
            stage=WORKERS,
            niceness=niceness,
            restarts=WORKER_RESTARTS,
        )

    def _start(
        self,
        name: str,
        arguments: Callable[[int], Sequence[str]],
        *,
        about: Callable[[int], str],
        is_ready: Callable[[int, ChildProcess], bool],
        environment: Mapping[str, str] | None,
        stop_grace: float = QUICK_GRACE,
        stage: int = NO_WORK,
        niceness: int = 0,
        port: int | None = None,
        restarts: int | None = None,
        program: Sequence[str] = CELERY,
    ) -> None:
        self._supervisor.start(
            Program(
                name=name,
                command=lambda port: [*program, *arguments(port)],
                is_ready=is_ready,
                announcement=lambda port: f"{name} is ready: {about(port)}",
                start_timeout=START_TIMEOUT,
                stop_grace=stop_grace,
                stage=stage,
                niceness=niceness,
                port=port,
                port_taken="Address already in use",
                environment=environment,
                restarts=restarts,
                on_line=self._logs.of(name),
            )
        )

    def _metrics_port(self) -> int:
        """The next free port from METRICS_PORT on, or any free port; 0 if metrics are off."""
        if not self._settings.metrics_port:
            return 0
        port = choose_port(self._settings.metrics_port + len(self.metrics_addresses))
        self.metrics_addresses.append(f"http://{self._settings.metrics_host}:{port}/metrics")
        return port

    def wait_ready(self, names: Sequence[str], say: Callable[[str], None]) -> None:
        """Wait until all processes are ready, in any order; calls ``say`` for each.

        Raises:
            ServerFailed: a process exited, or was not ready in time.
        """
        self._supervisor.wait_ready(names, say)

    def failed(self) -> ServerFailed | None:
        """Restart processes that have ended; returns the error if one cannot be restarted."""
        return self._supervisor.failed()

    def stop(self, waiting: Waiting = lambda _, __: None) -> None:
        """Stop beat, Flower and the page first, so that no new work arrives; then the workers.

        ``waiting`` is called with the programs that still run.
        """
        self._supervisor.stop(waiting)
        self._loop.run(self._redis.aclose())
        self._loop.close()

    def _has_heartbeat(self, child: ChildProcess) -> bool:
        try:
            return child.pid in {worker.pid for worker in self._loop.run(workers(self._redis))}
        except RedisError:
            return False

    def _is_beating(self, child: ChildProcess) -> bool:
        try:
            return child.pid in {beat.pid for beat in self._loop.run(beats(self._redis))}
        except RedisError:
            return False


def _inherited() -> dict[str, str]:
    """The environment of every child."""
    return dict(os.environ)  # noqa: TID251 - passed on, not read


def _loopback(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def _listens(child: ChildProcess, port: int) -> bool:
    """Whether this child, and no other program, listens on the port."""
    try:
        connections = psutil.Process(child.pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(
        c.status == psutil.CONN_LISTEN and getattr(c.laddr, "port", None) == port
        for c in connections
    )


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
