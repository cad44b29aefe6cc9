"""The runtime of a worker process: an event loop in a separate thread, and its resources.

Celery runs tasks in the threads of its pool; each thread passes a coroutine to the loop and waits.
"""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

import structlog

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import (
    ConfigurationError,
    InvalidArguments,
    StoreRefusesAccess,
    StoreUnavailable,
)
from ssc_ingest.extraction.delivery import DeliveryHandler
from ssc_ingest.extraction.naming import NamesDeliveries
from ssc_ingest.graph.plans import prepare_plans
from ssc_ingest.graph.schema import ensure_schema
from ssc_ingest.metrics import Metrics
from ssc_ingest.models import now
from ssc_ingest.monitoring.heartbeats import Worker
from ssc_ingest.resources import Resources, Step, open_resources
from ssc_ingest.runs.kinds import KINDS
from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.vulnerabilities.delivery import AttributionHandler
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import CONTROL
from ssc_ingest.work.redis_errors import translated
from workers.process.activity import Activity
from workers.process.background import CANCEL_AGAIN, Background
from workers.process.event_loop import new_event_loop
from workers.process.isolation import Isolation
from workers.process.probes import Probed, Probes

T = TypeVar("T")

OUTCOMES = {
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "RETRY": "retried",
    "REJECTED": "returned",
    "IGNORED": "ignored",
}
"""Names of Celery's states in the metrics."""

log = structlog.get_logger(__name__)


SYNCS = 2
"""Threads for syncs of advisories: one works, and a second request finds that it does."""


PREPARE_PLANS_EVERY = 600.0
"""Seconds after which the graph may have restarted, and so have lost its plans."""


def threads(settings: Settings, queues: Sequence[str]) -> int:
    """The concurrency of a worker of these queues.

    A run occupies a thread until it ends. So control has one more thread for each possible run, and
    sweeps and replays never wait for a run.
    """
    runs = len(KINDS) * len(ecosystems()) + SYNCS if CONTROL in queues else 0
    return settings.worker_concurrency + runs


class Stopping(Exception):
    """The process stops; the message returns to its queue."""


class Runtime:
    """The loop and the resources of one worker process."""

    resources: Resources
    handler: DeliveryHandler
    names: NamesDeliveries
    attribution: AttributionHandler
    isolation: Isolation

    def __init__(self, settings: Settings, servers: Servers, *, hostname: str) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._servers = servers
        self._hostname = hostname
        self._activity = Activity()
        self._loop = new_event_loop()
        self._probes = Probes(self._loop, is_stopping=lambda: self._stopping)
        self._thread = threading.Thread(target=self._loop.run_forever, name="event-loop")
        self._stack = AsyncExitStack()
        self._running: set[asyncio.Task[Any]] = set()
        self._runs: set[asyncio.Task[Any]] = set()
        self._stopping = False

    # Called from Celery's threads ---------------------------------------------------------

    def start(self, queues: list[str]) -> None:
        """Start the loop and open the resources; waits until the graph responds.

        Raises:
            ConfigurationError: the graph must be migrated first, or a setting is wrong.
        """
        self._thread.start()
        if port := self._settings.metrics_port:
            self._probes.listen(self._settings.metrics_host, port, self.metrics.registry)
        try:
            asyncio.run_coroutine_threadsafe(self._open(queues), self._loop).result()
        except BaseException:
            self.close()
            raise

    @property
    def stopping(self) -> bool:
        """Whether the process has received a stop signal."""
        return self._stopping

    def run(self, coroutine: Coroutine[Any, Any, T], *, is_run: bool = False) -> T:
        """Run a coroutine on the loop and wait for it; returns its result.

        ``is_run``: a run may take days and can stop at any point, so it gets no grace period.

        Raises:
            Stopping: the coroutine was cancelled because the process stops, or was not started.
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
        """Celery starts a task."""
        self._activity.began(task_id)
        self.metrics.task_started(task)

    def task_ended(self, task_id: str, task: str, state: str) -> None:
        """Celery has finished a task; ``state`` is Celery's."""
        seconds = self._activity.ended(task_id)
        self.metrics.task_ended(task, OUTCOMES.get(state, state.lower()), seconds)

    def begin_shutdown(self) -> None:
        """Start no more tasks; cancel unfinished ones after ``SHUTDOWN_GRACE``."""
        if not self._stopping:
            self._stopping = True
            log.info("worker_stopping", running=len(self._running))
            self._loop.call_soon_threadsafe(self._cancel, self._runs)
            self._loop.call_soon_threadsafe(
                self._loop.call_later, self._settings.shutdown_grace, self._cancel, self._running
            )

    def close(self) -> None:
        """Flush, close everything and end the loop."""
        self._probes.close()
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def keep(self, letter: TaskMessage, error: InvalidArguments) -> None:
        """Store a message that cannot be carried out as a dead letter.

        Raises:
            RedisError: the dead letter cannot be stored now.
            Stopping: the process stops.
        """
        self.run(self.resources.state.dead_letters.add(letter, error, now=now()))

    def delay(self, task_id: str, queue: str, envelope: str, seconds: float) -> None:
        """Store a message that is to enter its queue in so many seconds.

        Raises:
            RedisError: the message cannot be stored now.
            Stopping: the process stops.
        """
        self.run(self.resources.state.queues.delay_text(task_id, queue, envelope, seconds))

    # On the loop --------------------------------------------------------------------------

    async def _open(self, queues: list[str]) -> None:
        self.resources = await self._stack.enter_async_context(
            open_resources(self._settings, self._servers, metrics=self.metrics)
        )
        await self._enter_redis()
        labels = [cls.identity.label for cls in ecosystems().values()]
        while not self._stopping:
            try:
                await ensure_schema(self.resources.driver, labels)
                break
            except StoreRefusesAccess:
                raise  # a new process has a wrong setting; only one that runs waits
            except StoreUnavailable as error:
                log.warning("waiting_for_store", store=error.store, error=str(error))
                await asyncio.sleep(2)
        try:
            await self.resources.vulnerabilities.ensure_indexes()
        except StoreUnavailable as error:
            # Extraction works without this store.
            log.warning("store_unavailable", store=error.store, error=str(error))
        self.handler = self.resources.delivery_handler()
        self.names = self.resources.names_deliveries()
        self.attribution = self.resources.attribution_handler()
        self.isolation = Isolation()
        self._stack.push_async_callback(self.isolation.stop)
        state = self.resources.state
        worker = Worker(
            hostname=self._hostname,
            pid=os.getpid(),
            queues=tuple(queues),
            concurrency=threads(self._settings, queues),
            started_at=time.time(),
        )
        steps = (
            self.resources.control_steps(exports_metrics=self._probes.listening)
            if CONTROL in queues
            else (Step("prepare_plans", partial(self._prepare_plans, queues), PREPARE_PLANS_EVERY),)
        )
        background = Background(
            worker,
            self._activity,
            self._running,
            queues=state.queues,
            redis=state.redis,
            steps=steps,
        )
        background.start()
        self._stack.push_async_callback(background.close)
        self._probes.probed = Probed(
            worker=worker,
            activity=self._activity,
            redis=state.redis,
            queues=state.queues,
            driver=self.resources.driver,
        )

    async def _enter_redis(self) -> None:
        """Check our credentials; Celery waits for a Redis that does not respond.

        Raises:
            StoreRefusesAccess: Redis rejects them. A process that runs waits instead.
        """
        try:
            with translated():
                await self.resources.state.redis.ping()
        except StoreRefusesAccess:
            raise
        except (StoreUnavailable, ConfigurationError) as error:
            log.warning("waiting_for_store", store="redis", error=str(error))

    async def _prepare_plans(self, queues: Sequence[str]) -> None:
        """Prepare the graph for the ecosystems whose queues this process reads."""
        read = {queue.partition(".")[0] for queue in queues}
        labels = [cls.identity.label for name, cls in ecosystems().items() if name in read]
        await prepare_plans(self.resources.driver, labels)

    async def _close(self) -> None:
        await self._stack.aclose()
        if "resources" in self.__dict__:
            writer, reader = self.resources.writer, self.resources.reader
            log.info("writer_closed", **asdict(writer.statistics), reads=reader.statements)

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
        """Cancel tasks repeatedly until they have ended."""
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.call_later(CANCEL_AGAIN, self._cancel, tasks)
