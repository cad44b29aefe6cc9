"""Doing something in one place at a time, and not for long.

The tasks that this is for are acknowledged when they end: one that took longer than the visibility
timeout would be delivered again and do the same side by side. What it has not done in its time is
for the next time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

GRACE = 5.0
"""Seconds that the lock of a process that was killed stays beyond the time for the work."""


class LockHeld(Exception):
    """Somebody else is at it."""


@asynccontextmanager
async def exclusive(redis: Redis, name: str, seconds: float) -> AsyncIterator[None]:
    """Hold the lock ``lock:<name>`` during the block, which gets so many seconds.

    Raises:
        LockHeld: it is held; the block was not begun.
        TimeoutError: the block took longer and was cancelled.
    """
    lock = redis.lock(f"lock:{name}", timeout=seconds + GRACE)
    if not await lock.acquire(blocking=False):
        raise LockHeld(name)
    try:
        async with asyncio.timeout(seconds):
            yield
    finally:
        with suppress(RedisError):  # it ends by itself
            await lock.release()
