"""Renewing what expires, for as long as it is in use."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from redis.exceptions import RedisError


@asynccontextmanager
async def renewing(renew: Callable[[], Awaitable[bool]], every: float) -> AsyncIterator[None]:
    """Call ``renew`` every so many seconds during the block, until it returns ``False``.

    A Redis that is away may be back before the lease expires.
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
