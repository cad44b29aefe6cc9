"""Answering many small questions that come at the same time with one query."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

LINGER = 0.002
"""Seconds that the first question of a batch waits for company."""

MAX_BATCH = 200
"""Questions of one query."""


class Coalescer(Generic[K, V]):
    """One query at a time for the tasks of one event loop; what comes meanwhile is the next one."""

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        """``ask`` answers several questions; those without an answer are absent."""
        self._ask = ask
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The answer to one question, or ``None`` if there is none; raises what ``ask`` raises."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            # In a context of its own: it is everybody's, not this task's.
            self._task = asyncio.create_task(self._drain(), name="coalescer", context=Context())
        # Shielded: others may wait for the same answer when this task is cancelled.
        return await asyncio.shield(answer)

    async def _drain(self) -> None:
        while self._waiting:
            await asyncio.sleep(LINGER)
            keys = list(self._waiting)[:MAX_BATCH]
            batch = {key: self._waiting.pop(key) for key in keys}
            try:
                found = await self._ask(keys)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait
                for answer in batch.values():
                    answer.set_exception(error)
            else:
                for key, answer in batch.items():
                    answer.set_result(found.get(key))
            finally:
                for answer in batch.values():
                    answer.cancel()  # nothing where it has its result: only if we were stopped
