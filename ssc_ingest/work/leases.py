"""Renewal of expiring locks and claims while they are in use."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from redis.exceptions import RedisError


@asynccontextmanager
async def renewing(renew: Callable[[], Awaitable[bool]], every: float) -> AsyncIterator[None]:
    """Call ``renew`` at this interval during the block, until it returns ``False``.

    Errors of Redis are ignored: it may respond again before the lease expires.
    """

    async def keep() -> None:
        held = True
        while held:
            await asyncio.sleep(every)
            with suppress(RedisError):
                held = await renew()

    keeper = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeper.cancel()


async def pause(seconds: float) -> None:
    """Sleep, between two steps of long work.

    A client library may swallow a cancellation. The work would then continue although its process
    stops, or although its lease is lost.

    Raises:
        asyncio.CancelledError: the task was cancelled, now or before.
    """
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
    await asyncio.sleep(seconds)
