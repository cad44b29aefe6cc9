"""The store that an interrupted operation was waiting for."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff

from ssc_ingest.work.pipelining import PipeliningRedis
from ssc_ingest.work.waiting import NotedPool, NotedRetry, silent_store, waiting_for


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that never responds: the kernel accepts its connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield server.getsockname()[1]


async def interrupted(operation: Callable[[], Awaitable[object]]) -> str | None:
    """The store of an operation that exceeds its time limit."""
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.05):
            await operation()
    return silent_store(caught.value)


@pytest.mark.parametrize("client", [Redis.from_pool, PipeliningRedis])
async def test_a_silent_redis(
    silent: int, client: Callable[[BlockingConnectionPool], Redis]
) -> None:
    """Of a command, of a script and of a pipeline."""
    # Without a limit of its own, which could pass at the same moment on a busy machine.
    pool = BlockingConnectionPool(
        port=silent, socket_timeout=None, retry=NotedRetry(NoBackoff(), retries=1)
    )
    redis = client(pool)

    async def pipeline() -> None:
        async with redis.pipeline() as commands:
            commands.get("key")
            await commands.execute()

    assert await interrupted(lambda: redis.get("key")) == "redis"
    assert await interrupted(redis.register_script("return 1")) == "redis"
    assert await interrupted(pipeline) == "redis"
    await pool.disconnect()


async def test_all_connections_to_a_silent_redis_are_in_use(silent: int) -> None:
    """A command that waits for a connection waits for Redis."""
    pool = NotedPool(
        port=silent,
        max_connections=1,
        socket_timeout=None,
        retry=NotedRetry(NoBackoff(), retries=1),
    )
    redis = Redis.from_pool(pool)
    first = asyncio.gather(redis.get("key"))
    await asyncio.sleep(0)
    assert await interrupted(lambda: redis.get("key")) == "redis"
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    await redis.aclose()


async def test_the_innermost_store_counts() -> None:
    """A look-up in MongoDB may wait for its mark in Redis."""

    async def look_up() -> None:
        with waiting_for("vulnerabilities"), waiting_for("redis"):
            await asyncio.Event().wait()

    assert await interrupted(look_up) == "redis"


async def test_what_was_interrupted_earlier_does_not_count() -> None:
    """A look-up has a time limit of its own, after which the work goes on."""

    async def look_up() -> None:
        with waiting_for("vulnerabilities"):
            await asyncio.Event().wait()

    async def work() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(look_up(), 0.01)
        await asyncio.Event().wait()

    assert await interrupted(work) is None
