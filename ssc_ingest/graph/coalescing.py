"""Many small questions of the same moment are answered by one query."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Generic, TypeVar

from ssc_ingest.work.batching import Batcher, first

K = TypeVar("K")
V = TypeVar("V")

LINGER = 0.002
"""Seconds that the first question of a batch waits for others."""

MAX_BATCH = 200
"""Questions of one query."""


class Coalescer(Generic[K, V]):
    """One query at a time for the tasks of one event loop; each question once in a query."""

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        """``ask`` answers several questions; those without an answer are absent."""
        self._ask = ask
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._batches: Batcher[K, V | None] = Batcher(
            self._send, partial(first, MAX_BATCH), linger=LINGER
        )

    async def get(self, key: K) -> V | None:
        """The answer to one question, or ``None`` if there is none; raises what ``ask`` raises."""
        answer = self._waiting.get(key)
        if answer is None or answer.done():  # done: the query was stopped
            answer = self._waiting[key] = self._batches.put(key)
        # Shielded: others may wait for the same answer when this task is cancelled.
        return await asyncio.shield(answer)

    async def _send(self, keys: list[K]) -> list[V | None]:
        for key in keys:
            del self._waiting[key]  # a later question must not get this answer: it may be older
        found = await self._ask(keys)
        return [found.get(key) for key in keys]
