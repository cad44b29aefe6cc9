"""Commands that share round trips to a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import BlockingConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, ResponseError

from ssc_ingest.servers import Servers
from ssc_ingest.settings import Settings
from ssc_ingest.work.pipelining import MAX_BATCH, PipeliningRedis


@pytest.fixture
async def redis(
    clean_redis: None, settings: Settings, redis_servers: Servers
) -> AsyncIterator[PipeliningRedis]:
    """A client with one connection."""
    url = redis_servers.redis(settings.redis_state_db)
    pool = BlockingConnectionPool.from_url(url, max_connections=1, decode_responses=True)
    client = PipeliningRedis(pool)
    yield client
    await client.aclose()


async def test_every_command_gets_its_own_answer(redis: PipeliningRedis) -> None:
    """Every command gets its own response, also with more commands than one pipeline has."""
    numbers = [str(n) for n in range(3 * MAX_BATCH)]
    await asyncio.gather(*(redis.set(n, f"value {n}") for n in numbers))
    assert await asyncio.gather(*(redis.get(n) for n in numbers)) == [f"value {n}" for n in numbers]


async def test_one_round_trip_for_all(redis: PipeliningRedis) -> None:
    """Concurrent commands reach the server in one read of its socket."""

    async def reads() -> int:
        return int((await redis.info("stats"))["total_reads_processed"])

    before = await reads()
    await asyncio.gather(*(redis.incr("n") for _ in range(50)))
    assert await reads() - before < 10
    assert await redis.get("n") == "50"


async def test_an_error_belongs_to_its_command(redis: PipeliningRedis) -> None:
    """A rejected command fails alone, and so does one that cannot be encoded."""
    await redis.set("text", "words")
    found = await asyncio.gather(
        redis.set("a", "1"),
        redis.incr("text"),
        redis.set("b", None),  # type: ignore[arg-type] # on purpose
        redis.set("\ud800", "half a character"),
        redis.get("text"),
        return_exceptions=True,
    )
    assert [type(answer) for answer in found] == [
        bool,
        ResponseError,
        DataError,
        UnicodeEncodeError,
        str,
    ]
    assert await redis.exists("a", "b") == 1


async def test_a_script_is_loaded_when_it_is_missing(redis: PipeliningRedis) -> None:
    """A server that lost a script (or never had it) receives it."""
    script = redis.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    await redis.script_flush()
    assert sorted(await asyncio.gather(*(script(keys=["n"], args=[2]) for _ in range(5)))) == [
        *(2, 4, 6, 8, 10)
    ]


async def test_a_cancelled_task_costs_the_others_nothing(redis: PipeliningRedis) -> None:
    """The other commands of its pipeline get their answers, and the client continues."""
    first, second = (asyncio.ensure_future(redis.incr("n")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second in (1, 2)
    assert await redis.get("n") is not None
    assert first.cancelled()


async def test_an_unavailable_server_fails_all_commands() -> None:
    """All waiting commands fail, and the client tries again the next time."""
    pool = BlockingConnectionPool.from_url("redis://127.0.0.1:1/0", max_connections=1)
    client = PipeliningRedis(pool)
    for _ in range(2):
        found = await asyncio.gather(client.get("a"), client.get("b"), return_exceptions=True)
        assert [type(error) for error in found] == [RedisConnectionError] * 2
    await client.aclose()
