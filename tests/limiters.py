"""A rate limiter with its own client of Redis."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from redis.asyncio import Redis

from ssc_ingest.http.rate_limit import RateLimiter


@asynccontextmanager
async def open_limiter(redis_url: str) -> AsyncIterator[RateLimiter]:
    """A limiter, which is closed before its client."""
    async with (
        Redis.from_url(redis_url, decode_responses=True) as client,
        aclosing(RateLimiter(client)) as limiter,
    ):
        yield limiter
