"""Background work of a worker process on its event loop: heartbeats, and the steps of control."""

import asyncio
from collections.abc import Iterable, Sized
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssc_ingest.errors import StoreRefusesAccess
from ssc_ingest.monitoring.heartbeats import HEARTBEAT_EVERY, Worker, beat, sign_off
from ssc_ingest.resources import Step
from ssc_ingest.work.queues import Queues
from ssc_ingest.work.redis_errors import explain, translate
from workers.process.activity import Activity

SIGN_OFF_TIMEOUT = 5.0
"""Maximum seconds for deleting the heartbeat of a stopping worker."""

CANCEL_AGAIN = 1.0
"""Seconds until a cancelled task that still runs is cancelled again: in Python 3.11
``asyncio.wait_for``, which redis-py uses, can swallow a cancellation
(https://github.com/python/cpython/issues/86296)."""

log = structlog.get_logger(__name__)


class Background:
    """Repeats steps until :meth:`close`.

    Args:
        worker: the contents of its heartbeat.
        activity: the times when the worker started tasks.
        running: returns the number of tasks in progress.
        queues: the queues of the worker.
        redis: the state database.
        steps: further steps of this worker.
    """

    def __init__(
        self,
        worker: Worker,
        activity: Activity,
        running: Sized,
        *,
        queues: Queues,
        redis: Redis,
        steps: Iterable[Step],
    ) -> None:
        self._worker = worker
        self._activity = activity
        self._running = running
        self._queues = queues
        self._redis = redis
        self._steps = (Step("send_heartbeat", self._send_heartbeat, HEARTBEAT_EVERY), *steps)
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused = False
        """Whether Redis rejects our credentials, which has been logged."""

    def start(self) -> None:
        """Start on the running event loop."""
        self._tasks.update(asyncio.create_task(self._repeat(step)) for step in self._steps)

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

    async def _repeat(self, step: Step) -> None:
        """Repeat a step at its interval; errors do not end the loop."""
        while True:
            try:
                await step.run()
            except RedisError:
                pass  # the server is unavailable; the next round tries again
            except Exception:
                log.exception("background_failed", step=step.name)
            await asyncio.sleep(step.every)

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
        except RedisError as error:
            # No worker can take messages, so a restart would not help.
            self._activity.saw(waiting=False)
            if isinstance(translate(error), StoreRefusesAccess) and not self._refused:
                self._refused = True
                log.warning("state_unavailable", error=explain(error))
        else:
            self._refused = False
