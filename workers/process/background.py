"""Background work of a worker process, on its event loop: heartbeats, delayed messages, gauges."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sized
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssc_ingest.errors import IngestError
from ssc_ingest.monitoring.fleet_metrics import COUNT_EVERY, REFRESH_EVERY, FleetMetrics
from ssc_ingest.monitoring.heartbeats import HEARTBEAT_EVERY, Worker, beat, sign_off
from ssc_ingest.work.names import CONTROL
from ssc_ingest.work.queues import Queues
from workers.process.activity import Activity

MOVE_EVERY = 1.0
"""Seconds between checks for delayed messages that are due."""

SIGN_OFF_TIMEOUT = 5.0
"""Seconds for Redis to delete the heartbeat of a worker that stops."""

CANCEL_AGAIN = 1.0
"""Seconds after which a task that was cancelled and still runs is cancelled once more: in Python
3.11 ``asyncio.wait_for``, through which redis-py sends, can swallow a cancellation
(https://github.com/python/cpython/issues/86296)."""

log = structlog.get_logger(__name__)


class Background:
    """Steps that are repeated until :meth:`close`.

    Args:
        worker: as its heartbeat describes it; delayed messages are moved if it reads control.
        activity: when the worker started tasks.
        running: the tasks that it has in progress.
        queues: the broker's database.
        redis: the state database.
        fleet: gauges to refresh, if this process exports them.
    """

    def __init__(
        self,
        worker: Worker,
        activity: Activity,
        running: Sized,
        *,
        queues: Queues,
        redis: Redis,
        fleet: FleetMetrics | None,
    ) -> None:
        self._worker = worker
        self._activity = activity
        self._running = running
        self._queues = queues
        self._redis = redis
        self._fleet = fleet
        self._counted_at = -math.inf
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start on the running event loop."""
        self._start(self._send_heartbeat, HEARTBEAT_EVERY)
        if CONTROL in self._worker.queues:
            self._start(self._move_delayed, MOVE_EVERY)
        if self._fleet:
            self._start(self._refresh_fleet_metrics, REFRESH_EVERY)

    async def close(self) -> None:
        """End all steps and delete the heartbeat."""
        left = self._tasks
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN)
        with suppress(RedisError, TimeoutError):  # the heartbeat expires soon anyway
            async with asyncio.timeout(SIGN_OFF_TIMEOUT):
                await sign_off(self._redis, self._worker.hostname)

    def _start(self, step: Callable[[], Awaitable[None]], every: float) -> None:
        self._tasks.add(asyncio.create_task(self._repeat(step, every)))

    async def _repeat(self, step: Callable[[], Awaitable[None]], every: float) -> None:
        """Run a step every so many seconds; no error of it ends this."""
        while True:
            try:
                await step()
            except RedisError:
                pass  # it is away; the next round finds out whether it is back
            except Exception:
                log.exception("background_failed", step=step.__name__.strip("_"))
            await asyncio.sleep(every)

    async def _send_heartbeat(self) -> None:
        try:
            lengths = await self._queues.lengths(self._worker.queues)
            self._activity.saw(waiting=any(lengths.values()))
            await beat(
                self._redis,
                self._worker,
                running=len(self._running),
                last_task_at=self._activity.last_task_at,
                stalled_for=round(self._activity.stalled_for, 1),
            )
        except RedisError:
            # No worker can take messages; a restart would not help.
            self._activity.saw(waiting=False)

    async def _move_delayed(self) -> None:
        while await self._queues.move_due():
            pass

    async def _refresh_fleet_metrics(self) -> None:
        if self._fleet is None:
            return
        await self._fleet.refresh()
        if time.monotonic() - self._counted_at > COUNT_EVERY:
            self._counted_at = time.monotonic()
            with suppress(IngestError):  # the graph is away, or too busy to count
                await self._fleet.count()
