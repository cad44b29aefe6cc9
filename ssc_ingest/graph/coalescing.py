"""Coalesces many small reads that arrive together into one query."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Generic, TypeVar

from ssc_ingest.work.batching import Batcher, first

K = TypeVar("K")
V = TypeVar("V")

LINGER = 0.002
"""Seconds for which the first read of a batch waits for others."""

MAX_BATCH = 200
"""Maximum reads per query."""


class Coalescer(Generic[K, V]):
    """Sends one query at a time for the tasks of one event loop, without duplicates."""

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        """``ask`` reads several keys at once; its result lacks keys without a value."""
        self._ask = ask
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._batches: Batcher[K, V | None] = Batcher(
            self._send, partial(first, MAX_BATCH), linger=LINGER
        )

    async def get(self, key: K) -> V | None:
        """The value of one key, or ``None``; raises the errors of ``ask``."""
        answer = self._waiting.get(key)
        if answer is None or answer.done():  # already done if the query was stopped
            answer = self._waiting[key] = self._batches.put(key)
        # Shielded: other tasks may wait for the same result when this task is cancelled.
        return await asyncio.shield(answer)

    async def _send(self, keys: list[K]) -> list[V | None]:
        for key in keys:
            del self._waiting[key]  # a later read must not get this result, which may be older
        found = await self._ask(keys)
        return [found.get(key) for key in keys]
