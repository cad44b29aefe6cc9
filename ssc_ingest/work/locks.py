"""A fleet-wide lock with a time limit.

Its tasks are acknowledged when they end. Without the limit, a task that takes longer than the
visibility timeout would be delivered again and run twice in parallel. The next execution continues
the work.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

GRACE = 5.0
"""Seconds for which the lock of a killed process lasts beyond the time limit."""


class LockHeld(Exception):
    """Another process holds the lock."""


@asynccontextmanager
async def exclusive(redis: Redis, name: str, seconds: float) -> AsyncIterator[None]:
    """Hold the lock ``lock:<name>`` during the block, for at most ``seconds``.

    Raises:
        LockHeld: another process holds it; the block was not started.
        TimeoutError: the block took longer and was cancelled.
    """
    lock = redis.lock(f"lock:{name}", timeout=seconds + GRACE)
    if not await lock.acquire(blocking=False):
        raise LockHeld(name)
    try:
        async with asyncio.timeout(seconds):
            yield
    finally:
        with suppress(RedisError):  # it expires
            await lock.release()
