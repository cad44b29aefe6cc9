"""How often a task was delivered without coming to an orderly end.

A worker that is killed gives its tasks back; a task that kills its worker would do so for
ever. A delivery that was begun before and not ended is therefore suspicious, and the worker
runs it alone in a child process. Every orderly end (success, retry, requeue, a failure that
was handled) clears the count.
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
        """Count one more delivery; returns how many were begun and not ended, with this one."""
        return int(await self._begin(keys=[_key(task_id)], args=[TTL]))

    async def end(self, task_id: str) -> None:
        """The task came to an orderly end."""
        await self._redis.delete(_key(task_id))


def _key(task_id: str) -> str:
    return f"delivery:{task_id}"
