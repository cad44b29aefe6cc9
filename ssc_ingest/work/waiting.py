"""The server that an interrupted operation was waiting for.

A time limit may cover operations on several servers. When it has passed, the error should name the
silent server, not another one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry

T = TypeVar("T")

REDIS, VULNERABILITIES = "redis", "vulnerabilities"
"""Names of stores, as :class:`ssc_ingest.errors.StoreUnavailable` has them."""


@contextmanager
def waiting_for(store: str) -> Iterator[None]:
    """If the block is cancelled, note on the cancellation that it was waiting for this store."""
    try:
        yield
    except asyncio.CancelledError as error:
        error.add_note(store)
        raise


def silent_store(error: TimeoutError) -> str | None:
    """The store that the block under ``asyncio.timeout`` was waiting for, if it was one of these.

    An inner :func:`waiting_for` counts before an outer one.
    """
    notes = getattr(error.__cause__, "__notes__", ())
    return next((note for note in notes if note in (REDIS, VULNERABILITIES)), None)


class NotedRetry(Retry):
    """redis-py's retry of every command and connection; a cancellation gets Redis' name."""

    async def call_with_retry(
        self, do: Callable[[], Awaitable[T]], *args: Any, **options: Any
    ) -> T:
        """See redis-py."""
        with waiting_for(REDIS):
            return await super().call_with_retry(do, *args, **options)


class NotedPool(BlockingConnectionPool):
    """redis-py's pool: a cancellation while all connections are in use gets Redis' name."""

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        """See redis-py."""
        with waiting_for(REDIS):
            return await super().get_connection(*args, **options)  # type: ignore[no-untyped-call]
