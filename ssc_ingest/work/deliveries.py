"""Counts the deliveries of a task that did not end in order.

The tasks of a killed worker are delivered again, so a task that kills its worker would kill one
worker after another. If an earlier delivery of a task started and did not end, the task is
suspicious, and the worker runs it alone in a child process. Every orderly end (success, retry,
requeue, a handled failure) clears the count.
"""

from redis.asyncio import Redis

from ssc_ingest.work.lua import load

TTL = 24 * 3600

SUSPICIOUS = 2


class Deliveries:
    """Counts by task id; ``redis`` is the state database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._begin = redis.register_script(load("delivery_begin"))

    async def begin(self, task_id: str) -> int:
        """Count a delivery; returns the number of deliveries without an end, including this one."""
        return int(await self._begin(keys=[_key(task_id)], args=[TTL]))

    async def end(self, task_id: str) -> None:
        """The delivery ended in order."""
        await self._redis.delete(_key(task_id))


def _key(task_id: str) -> str:
    return f"delivery:{task_id}"
