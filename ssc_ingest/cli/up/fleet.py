"""The processes that ``up`` runs beside the servers: workers, beat and Flower.

All are children that end with this process (:class:`~ssc_ingest.embedded.ProcessGroup`). A
worker counts as ready when it says so in Redis, and so does beat; Flower when it answers its
health check: none of it depends on what they log.
"""

import asyncio
import http
import http.client
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import psutil
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssc_ingest.cli.up.logs import ChildLogs
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.embedded import ChildProcess, ProcessGroup, ServerFailed
from ssc_ingest.embedded.ports import LOOPBACK, choose_port
from ssc_ingest.monitoring.heartbeats import beats, workers
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.names import CONTROL, DEFAULT, URGENCIES, queue_name

CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "workers")

START_TIMEOUT = 120.0
"""Seconds that a process may take to get ready, on a busy machine."""

POLL = 0.1

QUICK_GRACE = 5.0
"""Seconds that beat and Flower get to end; they hold no work."""

FLOWER_MOST_TASKS = 10_000
"""Tasks that Flower remembers; its own default takes ten times the memory."""

FLOWER_COLUMNS = "name,kwargs,state,result,received,runtime,worker,uuid"
"""What Flower tells of a task: without ``kwargs`` all packages look the same."""

FLOWER = "flower"
PORT_TAKEN = "Address already in use"
ANY_PORT = 0

OnReady = Callable[[str], None]
"""Called with one line about what is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One process: what runs, and how it shows that it works."""

    child: ChildProcess
    about: str
    """What people want to know when it is ready."""
    is_ready: Callable[[ChildProcess], bool]


class Fleet:
    """Starts the processes, watches them, and stops them in order."""

    def __init__(self, settings: Settings, servers: Servers, logs: ChildLogs) -> None:
        """Prepare; nothing is started yet."""
        self._settings = settings
        self._logs = logs
        self._group = ProcessGroup()
        self._members: dict[str, Member] = {}
        self._loop = asyncio.Runner()
        self._redis = Redis.from_url(servers.redis(settings.redis_state_db), decode_responses=True)
        self.flower_address = ""
        self.metrics_addresses: list[str] = []

    def start_workers(self, *, only_own_schedules: bool = False) -> list[str]:
        """Start the three workers and beat; returns their names.

        ``only_own_schedules``: beat starts nothing that asks a registry.
        """
        names = list(ecosystems())
        urgent = [queue_name(name, "urgent") for name in names]
        every = [queue_name(name, urgency) for urgency in URGENCIES for name in names]
        self._start_worker("worker", every, f"all work of {', '.join(names)}")
        self._start_worker("worker-urgent", urgent, "what somebody waits for")
        self._start_worker("control", [CONTROL, DEFAULT], "runs, delayed work, dead letters")
        self._start(
            "beat",
            ["beat"],
            about="the schedule",
            is_ready=self._is_beating,
            environment={**_inherited(), "SCHEDULES": "own"} if only_own_schedules else None,
        )
        return list(self._members)

    def start_flower(self, port: int | None = None) -> list[str]:
        """Start Flower; it lists the queues of the workers that are ready when it starts."""
        port = choose_port(self._settings.flower_port if port is None else port)
        self.flower_address = f"http://{LOOPBACK}:{port}"
        # It takes settings from variables of its own, where a password is not seen by others.
        environment = {
            name: value for name, value in _inherited().items() if not name.startswith("FLOWER_")
        }
        if self._settings.flower_password:
            password = self._settings.flower_password.get_secret_value()
            environment["FLOWER_BASIC_AUTH"] = f"{self._settings.flower_user}:{password}"
        self._start(
            FLOWER,
            [
                "flower",
                f"--address={LOOPBACK}",
                f"--port={port}",
                f"--max-tasks={FLOWER_MOST_TASKS}",
                f"--tasks-columns={FLOWER_COLUMNS}",
            ],
            about=self.flower_address,
            is_ready=lambda child: _listens(child, port) and _answers(port),
            environment=environment,
        )
        return [FLOWER]

    def _start_worker(self, name: str, queues: Sequence[str], about: str) -> None:
        options = [
            "--without-mingle",  # a second at each start, for what we do not use
            f"--hostname={name}@%h",
            f"--queues={','.join(queues)}",
        ]
        environment = {**_inherited(), "METRICS_PORT": str(self._metrics_port())}
        self._start(
            name,
            ["worker", *options],
            about=about,
            is_ready=self._has_heartbeat,
            environment=environment,
        )

    def _metrics_port(self) -> int:
        """The next free port from METRICS_PORT on, or any; 0 if there are to be no metrics."""
        if not self._settings.metrics_port:
            return 0
        port = choose_port(self._settings.metrics_port + len(self.metrics_addresses))
        self.metrics_addresses.append(f"http://{self._settings.metrics_host}:{port}/metrics")
        return port

    def _start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        about: str,
        is_ready: Callable[[ChildProcess], bool],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        child = self._group.start(
            name, [*CELERY, *arguments], on_line=self._logs.of(name), environment=environment
        )
        self._members[name] = Member(child=child, about=about, is_ready=is_ready)

    def wait_ready(self, names: Iterable[str], on_ready: OnReady) -> None:
        """Wait until all of them are ready, in whatever order.

        Raises:
            ServerFailed: one of the fleet ended, or was not ready in time.
        """
        waiting = list(names)
        deadline = time.monotonic() + START_TIMEOUT
        while waiting:
            if failure := self.failed():
                raise failure
            for name in list(waiting):
                member = self._members[name]
                if member.is_ready(member.child):
                    waiting.remove(name)
                    on_ready(f"{name} is ready: {member.about}")
            if waiting and time.monotonic() > deadline:
                output = self._members[waiting[0]].child.recent_output()
                raise ServerFailed(
                    f"{waiting[0]} was not ready after {START_TIMEOUT:g} s; it wrote:\n{output}",
                    name=waiting[0],
                )
            time.sleep(POLL)

    def failed(self) -> ServerFailed | None:
        """What to raise if a process has ended on its own. Never blocks."""
        for name, member in list(self._members.items()):
            if member.child.returncode is None:
                continue
            if name == FLOWER and PORT_TAKEN in member.child.recent_output():
                self.start_flower(ANY_PORT)  # somebody was faster
                continue
            return member.child.failure()
        return None

    def stop(self) -> None:
        """Beat and Flower first, so that nothing new comes; then the workers, with their grace."""
        children = {name: member.child for name, member in self._members.items()}
        _stop_together([children.pop(n) for n in ("beat", FLOWER) if n in children], QUICK_GRACE)
        # The workers count the grace themselves, and then have to give back what is not done.
        _stop_together(list(children.values()), self._settings.shutdown_grace + QUICK_GRACE)
        self._group.close()
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


def _stop_together(children: Sequence[ChildProcess], grace: float) -> None:
    """Ask all of them to end; kill those that have not after ``grace`` seconds."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + grace
    for child in children:
        child.stop(grace=max(0.0, deadline - time.monotonic()))


def _inherited() -> dict[str, str]:
    """The environment that every child has."""
    return dict(os.environ)  # noqa: TID251 - passed on, not read


def _listens(child: ChildProcess, port: int) -> bool:
    """Whether it is this child that listens there, and not somebody who was faster."""
    try:
        connections = psutil.Process(child.pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(
        c.status == psutil.CONN_LISTEN and getattr(c.laddr, "port", None) == port
        for c in connections
    )


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1)
    try:
        connection.request("GET", "/healthcheck")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
