"""What one worker process runs on: an event loop in a thread of its own, and its resources.

Tasks run in the threads of Celery's pool; each hands a coroutine to the loop and waits.
"""

import asyncio
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, replace
from typing import Any, TypeVar

import structlog
from neo4j.exceptions import DriverError, Neo4jError
from redis.exceptions import RedisError

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import IngestError, InvalidArguments, StoreUnavailable
from ssc_ingest.extraction.delivery import DeliveryHandler
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.metrics import Metrics
from ssc_ingest.models import now
from ssc_ingest.monitoring.endpoint import MonitoringServer
from ssc_ingest.monitoring.fleet_metrics import COUNT_EVERY, REFRESH_EVERY
from ssc_ingest.monitoring.health import stalled
from ssc_ingest.monitoring.heartbeats import HEARTBEAT_EVERY, Worker, beat, sign_off
from ssc_ingest.resources import Resources, open_resources
from ssc_ingest.runs.kinds import KINDS
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import CONTROL
from workers.process.activity import Activity
from workers.process.event_loop import new_event_loop
from workers.process.isolation import Isolation

T = TypeVar("T")

MOVE_EVERY = 1.0
"""Seconds between looks for delayed messages that are due."""

PROBE_TIMEOUT = 5.0
"""Seconds for the loop to say that it runs."""

OUTCOMES = {
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "RETRY": "retried",
    "REJECTED": "returned",
    "IGNORED": "ignored",
}
"""What Celery's states are called in the metrics."""

CANCEL_AGAIN = 1.0
"""Seconds after which what was cancelled and still runs is cancelled once more: in Python 3.11
``asyncio.wait_for``, through which redis-py sends, can take a cancellation for nothing
(https://github.com/python/cpython/issues/86296)."""

log = structlog.get_logger(__name__)


def threads(settings: Settings, queues: Sequence[str]) -> int:
    """Tasks that a worker of these queues has in work at once.

    Control has a thread for each run that there can be, which it holds for as long as the run
    takes: the sweep and the replays never wait for one.
    """
    runs = len(KINDS) * len(ecosystems()) if CONTROL in queues else 0
    return settings.worker_concurrency + runs


class Stopping(Exception):
    """The process stops; the message goes back to its queue."""


class Runtime:
    """The loop and the resources of one worker process."""

    resources: Resources
    handler: DeliveryHandler
    isolation: Isolation

    def __init__(self, settings: Settings, servers: Servers, *, hostname: str) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._servers = servers
        self._hostname = hostname
        self._activity = Activity()
        self._endpoint: MonitoringServer | None = None
        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="event-loop")
        self._stack = AsyncExitStack()
        self._running: set[asyncio.Task[Any]] = set()
        self._runs: set[asyncio.Task[Any]] = set()
        self._background: list[asyncio.Task[None]] = []
        self._stopping = False

    # Called from Celery's threads ---------------------------------------------------------

    def start(self, queues: list[str]) -> None:
        """Start the loop and open the resources; waits until the graph is there.

        Raises:
            ConfigurationError: the graph must be migrated first, or a setting is wrong.
        """
        self._thread.start()
        self._listen()
        try:
            asyncio.run_coroutine_threadsafe(self._open(queues), self._loop).result()
        except BaseException:
            self.close()
            raise

    @property
    def stopping(self) -> bool:
        """Whether the process has been asked to stop."""
        return self._stopping

    def run(self, coroutine: Coroutine[Any, Any, T], *, is_run: bool = False) -> T:
        """Run a coroutine on the loop and wait for it.

        ``is_run``: it may take days and stops anywhere, so it gets no time to end.

        Raises:
            Stopping: it was cancelled because the process stops, or not even begun.
        """
        if self._stopping:
            coroutine.close()
            raise Stopping
        try:
            return asyncio.run_coroutine_threadsafe(
                self._track(coroutine, is_run=is_run), self._loop
            ).result()
        except CancelledError as error:
            raise Stopping from error

    def task_started(self, task_id: str, task: str) -> None:
        """Celery begins a task."""
        self._activity.began(task_id)
        self.metrics.task_started(task)

    def task_ended(self, task_id: str, task: str, state: str) -> None:
        """Celery has done with a task."""
        seconds = self._activity.ended(task_id)
        self.metrics.task_ended(task, OUTCOMES.get(state, state.lower()), seconds)

    def begin_shutdown(self) -> None:
        """Take no more work; cancel what is not done after ``SHUTDOWN_GRACE``."""
        if not self._stopping:
            self._stopping = True
            log.info("worker_stopping", running=len(self._running))
            self._loop.call_soon_threadsafe(self._cancel, self._runs)
            self._loop.call_soon_threadsafe(
                self._loop.call_later, self._settings.shutdown_grace, self._cancel, self._running
            )

    def close(self) -> None:
        """Flush, close everything and end the loop."""
        if self._endpoint:
            self._endpoint.close()
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def keep_unknown(self, name: str, task_id: str, message: Any) -> None:
        """A message that names no task of ours: into the dead letters."""
        kwargs: dict[str, Any] = {}
        with suppress(Exception):
            kwargs = dict(message.decode()[1])
        letter = TaskMessage(
            task=name,
            task_id=task_id,
            kwargs=kwargs,
            queue=str(message.delivery_info.get("routing_key", "")),
        )
        error = InvalidArguments(f"there is no task {name!r}")
        self.run(self.resources.state.dead_letters.add(letter, error, now=now()))

    # Called from the threads of the endpoint -----------------------------------------------

    def _listen(self) -> None:
        host, port = self._settings.metrics_host, self._settings.metrics_port
        if not port:
            return
        try:
            self._endpoint = MonitoringServer(
                host, port, self.metrics.registry, alive=self._alive, ready=self._ready
            )
        except OSError as error:
            log.warning("metrics_unavailable", address=f"{host}:{port}", error=str(error))

    def _alive(self) -> str | None:
        """Why the process should be restarted: its loop hangs, or it takes no work."""
        return self._ask(self._problem()) if "_worker" in self.__dict__ else None

    def _ready(self) -> str | None:
        """Why the process cannot do its work just now."""
        if self._stopping:
            return "it stops"
        if "isolation" not in self.__dict__:
            return "it starts"
        return self._ask(self._missing_store())

    def _ask(self, question: Coroutine[Any, Any, str | None]) -> str | None:
        future = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            return future.result(PROBE_TIMEOUT)
        except FutureTimeout:
            future.cancel()
            return f"no answer within {PROBE_TIMEOUT:g} s"

    # On the loop --------------------------------------------------------------------------

    async def _open(self, queues: list[str]) -> None:
        self.resources = await self._stack.enter_async_context(
            open_resources(self._settings, self._servers, metrics=self.metrics)
        )
        labels = [cls.identity.label for cls in ecosystems().values()]
        while not self._stopping:
            try:
                await ensure_schema(self.resources.driver, labels)
                break
            except StoreUnavailable as error:
                log.warning("waiting_for_store", store=error.store, error=str(error))
                await asyncio.sleep(2)
        try:
            await self.resources.vulnerabilities.ensure_indexes()
        except StoreUnavailable as error:
            # Extraction goes on without it.
            log.warning("store_unavailable", store=error.store, error=str(error))
        self.handler = self.resources.delivery_handler()
        self.isolation = Isolation()
        self._stack.push_async_callback(self.isolation.stop)
        self._worker = Worker(
            hostname=self._hostname,
            pid=os.getpid(),
            queues=tuple(queues),
            concurrency=threads(self._settings, queues),
            started_at=time.time(),
        )
        self._do_meanwhile(self._send_heartbeat, HEARTBEAT_EVERY)
        if CONTROL in queues:
            self._do_meanwhile(self._move_delayed, MOVE_EVERY)
            if self._endpoint:
                self._fleet, self._counted = self.resources.fleet_metrics(), -math.inf
                self._do_meanwhile(self._look_at_the_fleet, REFRESH_EVERY)

    async def _close(self) -> None:
        left: set[asyncio.Task[Any]] = set(self._background)
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN)
        if "_worker" in self.__dict__:
            with suppress(RedisError, TimeoutError):  # it is taken for gone soon anyway
                async with asyncio.timeout(PROBE_TIMEOUT):
                    await sign_off(self.resources.state.redis, self._hostname)
        await self._stack.aclose()
        if "resources" in self.__dict__:
            log.info("writer_closed", **asdict(self.resources.writer.statistics))

    async def _track(self, coroutine: Coroutine[Any, Any, T], *, is_run: bool) -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        tasks = self._runs if is_run else self._running
        tasks.add(task)
        try:
            if is_run and self._stopping:
                raise asyncio.CancelledError
            return await coroutine
        finally:
            coroutine.close()
            tasks.discard(task)

    def _cancel(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Cancel what is running, until it has ended."""
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.call_later(CANCEL_AGAIN, self._cancel, tasks)

    async def _problem(self) -> str | None:
        return stalled(replace(self._worker, stalled_for=self._activity.stalled_for))

    async def _missing_store(self) -> str | None:
        state = self.resources.state
        try:
            await state.redis.ping()
            await state.queues.delayed()
            await self.resources.driver.execute_query("RETURN 1")
        except (RedisError, Neo4jError, DriverError) as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _do_meanwhile(self, step: Callable[[], Awaitable[None]], every: float) -> None:
        self._background.append(asyncio.create_task(self._repeat(step, every)))

    async def _repeat(self, step: Callable[[], Awaitable[None]], every: float) -> None:
        """Do something again and again; nothing that goes wrong with it ends it."""
        while True:
            try:
                await step()
            except RedisError:
                pass  # it is away; so is everything that could be done about it
            except Exception:
                log.exception("background_failed", step=step.__name__.strip("_"))
            await asyncio.sleep(every)

    async def _send_heartbeat(self) -> None:
        state = self.resources.state
        try:
            lengths = await state.queues.lengths(self._worker.queues)
            self._activity.saw(waiting=any(lengths.values()))
            await beat(
                state.redis,
                self._worker,
                running=len(self._running),
                last_task_at=self._activity.last_task_at,
                stalled_for=round(self._activity.stalled_for, 1),
            )
        except RedisError:
            # Nobody can take anything; a restart would not help.
            self._activity.saw(waiting=False)

    async def _look_at_the_fleet(self) -> None:
        await self._fleet.refresh()
        if time.monotonic() - self._counted > COUNT_EVERY:
            self._counted = time.monotonic()
            with suppress(IngestError):  # the graph is away, or too busy to count
                await self._fleet.count()

    async def _move_delayed(self) -> None:
        while await self.resources.state.queues.move_due():
            pass
