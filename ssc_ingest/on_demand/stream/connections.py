"""Connections to the Redis with the streams, which may be another service's server.

An outage is detected within seconds, and no other work waits for it.
"""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff

MAX_CONNECTIONS = 32
"""Connections of one process."""

TIMEOUT = 10.0
"""Seconds until the server must respond; longer than a blocking read."""

CONNECT_TIMEOUT = 5.0


def text_client(url: str) -> Redis:
    """A client for everything except entries. Bytes that are not text are read as escapes."""
    retry = Retry(ExponentialBackoff(cap=1, base=0.05), retries=2)
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        decode_responses=True,
        encoding_errors="backslashreplace",
        socket_keepalive=True,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        health_check_interval=25,
        retry=retry,
    )
    return Redis.from_pool(pool)


def entry_client(url: str) -> Redis:
    """A client for entries, which are bytes; a read that fails may have delivered some."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        socket_keepalive=True,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        health_check_interval=25,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)
